#include "core/deaths/last_words.h"

#include "support/catch.h"

using ni::advice_on;
using ni::telling_line;

TEST_CASE("of a stack trace the error is told") {
  CHECK(telling_line("/app/x.js:3\n    throw new Error('boom');\n    ^\n\nError: boom\n    at x "
                     "(/app/x.js:3:9)\n\n"
                     "Node.js v22.1.0") == "Error: boom");
  CHECK(telling_line("Error [ERR_X]: no\n    at y") == "Error [ERR_X]: no");
  CHECK(telling_line("<--- Last few GCs --->\n\nFATAL ERROR: Reached heap limit Allocation "
                     "failed\n----- Native "
                     "stack trace -----\n 1: 0xb") ==
        "FATAL ERROR: Reached heap limit Allocation failed");
}

TEST_CASE("else the last line that is not blank, harmless to print") {
  CHECK(telling_line("a\nb\x1b[0m\n\n  \n") == "b\\x1b[0m");
  CHECK(telling_line("").empty());
  CHECK(telling_line("\n\n").empty());
}

TEST_CASE("errors that newcomers meet get an advice, others none") {
  CHECK(advice_on("Error: Cannot find module '/app/sever.js'").find("working directory") !=
        std::string_view::npos);
  CHECK(advice_on("Error: Cannot find module 'express'").find("npm ci") != std::string_view::npos);
  CHECK(advice_on("Error [ERR_MODULE_NOT_FOUND]: Cannot find package 'x' imported from /a.mjs")
            .find("npm ci") != std::string_view::npos);
  CHECK(advice_on("Error: EROFS: read-only file system, open '/x'").find("tmpfs") !=
        std::string_view::npos);
  CHECK(advice_on("Error: EACCES: permission denied, open '/x'").find("chown") !=
        std::string_view::npos);
  CHECK(advice_on("TypeError: x is not a function").empty());
  CHECK(advice_on("").empty());
}
