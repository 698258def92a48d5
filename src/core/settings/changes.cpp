#include "core/settings/changes.h"

#include "core/settings/settings.h"

namespace ni {
namespace {

struct Side {
  const Config& container;
  const ProgramConfig& program;
};

void compare(const Setting& setting, Side before, Config& container, ProgramConfig& program,
             std::string_view prefix, Changes& changes) {
  const std::string text = setting.show(before.container, before.program);
  if (setting.show(container, program) == text) {
    return;
  }
  const std::string name = std::string(prefix) + std::string(setting.key);
  if (setting.reload == Setting::Reload::applies) {
    changes.applied.push_back(name);
    return;
  }
  changes.not_applied.push_back(name);
  (void)setting.read(text, container, program);  // it was shown to be read
}

}  // namespace

void keep_what_stays(const Config& in_force, Config& again, Changes& changes) {
  ProgramConfig unused;
  for (const Setting& setting : settings()) {
    if (setting.scope == Setting::Scope::container) {
      compare(setting, {in_force, unused}, again, unused, {}, changes);
    }
  }
}

void keep_what_stays(const ProgramConfig& in_force, ProgramConfig& again, std::string_view prefix,
                     Changes& changes) {
  Config unused;
  for (const Setting& setting : settings()) {
    if (setting.scope != Setting::Scope::container) {
      compare(setting, {unused, in_force}, unused, again, prefix, changes);
    }
  }
}

}  // namespace ni
