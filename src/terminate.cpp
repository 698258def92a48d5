// How the program ends when an exception finds no handler: memory is short (std::bad_alloc), or a defect of ours.
// The library's own function prints the exception's type and brings 60 KB of demangler for it; the linker takes this
// one instead (libstdc++-v3/libsupc++/vterminate.cc; libcxxabi/src/cxa_default_handlers.cpp).

#include <cstdio>
#include <cstdlib>
#include <exception>
#include <new>
#include <utility>

namespace {

[[noreturn]] void give_up(const char* reason) noexcept {
  (void)std::fprintf(stderr, "nodeinit: cannot go on: %s\n", reason);
  std::abort();
}

[[noreturn]] void end_by_exception() noexcept {
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

}  // namespace

#ifdef _LIBCPP_VERSION

// The library's names: all that its object has, else it is linked too. No threads: nothing is atomic.
extern "C" {
extern std::terminate_handler __cxa_terminate_handler;   // NOLINT
extern std::terminate_handler __cxa_unexpected_handler;  // NOLINT
extern std::new_handler __cxa_new_handler;               // NOLINT
}
constinit std::terminate_handler __cxa_terminate_handler = end_by_exception;   // NOLINT
constinit std::terminate_handler __cxa_unexpected_handler = end_by_exception;  // NOLINT
constinit std::new_handler __cxa_new_handler = nullptr;                        // NOLINT

std::new_handler std::set_new_handler(std::new_handler handler) noexcept {
  return std::exchange(__cxa_new_handler, handler);
}

#else

namespace __gnu_cxx {  // NOLINT: the library's names

void __verbose_terminate_handler();  // NOLINT

void __verbose_terminate_handler() {  // NOLINT
  end_by_exception();
}

}  // namespace __gnu_cxx

#endif
