// How the program ends when an exception finds no handler: memory is short (std::bad_alloc), or a defect of ours.
// The library's own function prints the exception's type and brings 60 KB of demangler for it; the linker takes this
// one instead (libstdc++-v3/libsupc++/vterminate.cc).

#include <cstdio>
#include <cstdlib>
#include <exception>

namespace {

[[noreturn]] void give_up(const char* reason) noexcept {
  (void)std::fprintf(stderr, "nodeinit: cannot go on: %s\n", reason);
  std::abort();
}

}  // namespace

namespace __gnu_cxx {  // NOLINT: the library's names

void __verbose_terminate_handler();  // NOLINT

void __verbose_terminate_handler() {  // NOLINT
  if (!std::current_exception()) {
    give_up("std::terminate was called");
  }
  try {
    throw;
  } catch (const std::exception& exception) {
    give_up(exception.what());
  } catch (...) {
    give_up("an unknown exception");
  }
}

}  // namespace __gnu_cxx
