#include <unistd.h>

#include <cstdio>
#include <cstdlib>

#include "app/ctl/ctl.h"
#include "app/invocation/evaluating_files.h"
#include "app/invocation/options.h"
#include "app/start.h"
#include "sys/fd.h"
#include "sys/signals.h"

using namespace ni;

namespace {

void print(const std::string& text, std::FILE* stream) {
  if (!text.empty()) {
    (void)std::fwrite(text.data(), 1, text.size(), stream);  // nobody is left to hear of a failure
    (void)std::fflush(stream);
  }
}

// Nothing that exit(3) would do is left to do, and its way through the libraries' destructors reads
// pages of the program that a short command needs for nothing else.
[[noreturn]] void end_process(int code) {
#ifdef NI_ASSERT_ABORTS
  std::exit(code);  // a build for tests: sanitizers look for leaks now
#else
  ::_exit(code);
#endif
}

}  // namespace

int main(int argc, char** argv, char** environment) {
  sys::block_all_signals();
  sys::occupy_standard_descriptors();
  const app::Invocation invocation = app::read_invocation(
      app::words_of(argc, argv), app::environment_of_process(), app::EvaluatingFiles());
  print(invocation.output, stdout);
  print(invocation.complaints, stderr);
  switch (invocation.does) {
    case app::Invocation::Does::leave:
      return invocation.exit_code;
    case app::Invocation::Does::run:
      end_process(app::start(invocation, argv, environment));
    case app::Invocation::Does::explain:
      return app::explain(invocation);
    case app::Invocation::Does::ctl:
      return app::run_ctl(invocation.words, invocation.config.control.value_or(""));
  }
  return app::kExitUsage;  // not reached: every case returns
}
