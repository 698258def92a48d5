#include <cstdio>

#include "app/config_files.h"
#include "app/container_files.h"
#include "app/explain.h"
#include "app/options.h"
#include "app/sizing.h"
#include "app/start_cluster.h"
#include "app/start_single.h"
#include "sys/fd.h"
#include "sys/signals.h"

using namespace ni;

namespace {

void print(const std::string& text, std::FILE* stream) {
  (void)std::fwrite(text.data(), 1, text.size(), stream);  // nobody is left to hear of a failure
}

int explain(const app::Invocation& invocation) {
  const Resources resources = app::resources_below(invocation.root);
  const auto plans = app::plan_programs(resources, invocation.config, invocation.environment);
  print(invocation.json
            ? app::explain_json(resources, invocation.config, plans).indented_text() + "\n"
            : app::explain_text(resources, invocation.config, plans),
        stdout);
  return 0;
}

}  // namespace

int main(int argc, char** argv, char** environment) {
  sys::block_all_signals();
  sys::occupy_standard_descriptors();
  const app::Invocation invocation = app::read_invocation(
      app::words_of(argc, argv), app::environment_of_process(), app::ConfigFiles());
  print(invocation.output, stdout);
  print(invocation.complaints, stderr);
  switch (invocation.does) {
    case app::Invocation::Does::leave:
      return invocation.exit_code;
    case app::Invocation::Does::run:
      return app::wants_cluster(invocation.config)
                 ? app::start_cluster(invocation)
                 : app::start_single(invocation, argv, environment);
    case app::Invocation::Does::explain:
      return explain(invocation);
    case app::Invocation::Does::ctl:
      break;
  }
  print("nodeinit: not built in yet\n", stderr);
  return app::kExitUsage;
}
