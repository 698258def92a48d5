// Catch2 itself, compiled once (version 2 is header-only; version 3 brings its own main).
#if !__has_include(<catch2/catch_all.hpp>)
#define CATCH_CONFIG_MAIN
#include <catch2/catch.hpp>
#endif
