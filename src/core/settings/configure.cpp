#include "core/settings/configure.h"

#include <algorithm>

#include "base/text.h"

namespace ni {
namespace {

constexpr std::string_view kPrefix = "NODEINIT_";

// Variables that are ours without being settings: the file's name, and what a worker sees (a
// nodeinit may be started by a worker of another).
constexpr std::string_view kOtherVariables[] = {"NODEINIT_CONFIG", "NODEINIT_SLOT",
                                                "NODEINIT_SLOTS", "NODEINIT_ADOPT_BY"};

// Kubernetes gives every container variables named after each Service of its namespace: a Service
// called `nodeinit…` must not make noise.
bool is_service_link(std::string_view name) {
  return name.find("_SERVICE_HOST") != std::string_view::npos ||
         name.find("_SERVICE_PORT") != std::string_view::npos || name.ends_with("_PORT") ||
         name.find("_PORT_") != std::string_view::npos;
}

bool is_allowed(const Written& written) {
  Config container;
  ProgramConfig program;
  return written.setting->read(written.text, container, program);
}

// A number alone, where a unit is wanted: "; did you mean 30s?".
std::string with_unit(const Written& written) {
  if (!parse_number<std::uint32_t>(written.text)) return "";
  for (const char* const unit : {"s", "M"}) {
    const std::string text = written.text + unit;
    if (is_allowed({written.setting, text, written.origin})) return "; did you mean " + text + "?";
  }
  return "";
}

void judge(const std::vector<Written>& layer, std::vector<Problem>& problems) {
  for (const Written& written : layer) {
    if (!is_allowed(written)) {
      problems.push_back(
          {written.origin.where, "cannot use \"" + printable(written.text, 80) + "\" for " +
                                     std::string(written.setting->key) + "; allowed: " +
                                     std::string(written.setting->allowed) + with_unit(written)});
    }
  }
}

// The last one written of the strongest layer.
const Written* strongest(const std::vector<Written>& all, const Setting& setting) {
  const Written* best = nullptr;
  for (const Written& written : all) {
    if (written.setting == &setting &&
        (best == nullptr || written.origin.from >= best->origin.from)) {
      best = &written;
    }
  }
  return best;
}

std::string base_name(std::string_view path) {
  const auto slash = path.find_last_not_of('/');
  path = path.substr(0, slash == std::string_view::npos ? 0 : slash + 1);
  return std::string(path.substr(path.rfind('/') + 1));
}

// A program of its own, or the top level's: applies what it sets itself over what it has inherited.
std::vector<Chosen> apply(const std::vector<Written>& written, Config& config,
                          ProgramConfig& program) {
  std::vector<Chosen> chosen;
  for (const Setting& setting : settings()) {
    if (const Written* best = strongest(written, setting); best != nullptr && is_allowed(*best)) {
      (void)setting.read(best->text, config, program);  // has just been found allowed
      chosen.push_back({&setting, best->origin});
    }
  }
  return chosen;
}

void check_together(const Configured& result, std::vector<Problem>& problems) {
  const Config& config = result.config;
  const auto chosen = [&result](std::string_view key) -> const Chosen& {
    return *std::ranges::find(result.top, key, [](const Chosen& row) { return row.setting->key; });
  };
  if (config.stop_delay > 0s && config.stop_delay >= config.grace) {
    const Chosen& delay = chosen("stop_delay");
    const Chosen& grace = chosen("grace");
    const auto shown = [&config](const Chosen& row) {
      return row.setting->show(config, config.top_level);
    };
    problems.push_back({delay.origin.where, "stop_delay (" + shown(delay) +
                                                ") must be shorter than grace (" + shown(grace) +
                                                ", " + grace.origin.where + ")"});
  }
  unsigned shares = 0;
  for (const ProgramConfig& program : config.programs) {
    shares += program.share.value_or(0);
  }
  if (shares > 100) {
    problems.push_back({"share", "the programs' shares sum up to " + std::to_string(shares) +
                                     "%, more than the container has"});
  }
}

void add_programs(const WrittenFile& file, const ProgramConfig& defaults, Configured& result) {
  for (const WrittenProgram& written : file.programs) {
    ProgramConfig program = defaults;
    program.name = written.name;
    program.command = written.command;
    for (const auto& [name, value] : written.environment) {
      set_variable(program.environment, name, value);
    }
    if (written.command.empty()) {
      result.problems.push_back({written.where, "a [[program]] needs a command"});
    }
    if (written.name.empty()) {
      result.problems.push_back({written.where, "a [[program]] needs a name"});
    } else if (std::ranges::find(result.config.programs, written.name, &ProgramConfig::name) !=
               result.config.programs.end()) {
      result.problems.push_back(
          {written.where, "two programs are called \"" + printable(written.name, 80) + "\""});
    }
    judge(written.settings, result.problems);
    result.programs.push_back(apply(written.settings, result.config, program));
    result.config.programs.push_back(std::move(program));
  }
}

}  // namespace

std::string to_string(const Problem& problem) {
  return problem.where + ": " + problem.what;
}

std::string hint_for_key(std::string_view written) {
  std::vector<std::string_view> keys;
  for (const Setting& setting : settings()) {
    keys.push_back(setting.key);
  }
  const auto nearest = did_you_mean(as_key(written), keys);
  return nearest ? std::string(*nearest) : std::string();
}

void read_environment(const Environment& environment, std::vector<Written>& written,
                      std::vector<Problem>& warnings) {
  for (const auto& [name, value] : environment) {
    if (name == "WEB_CONCURRENCY" && !value.empty()) {
      Written workers{find_setting("workers"), value, {Origin::From::web_concurrency, name}};
      // Not our variable: what others put there must not keep the container from starting.
      if (is_allowed(workers)) {
        written.push_back(std::move(workers));
      } else {
        warnings.push_back(
            {name, "\"" + printable(value, 80) + "\" is not a number of workers, ignored"});
      }
    }
    if (!name.starts_with(kPrefix)) {
      continue;
    }
    const std::string_view rest = std::string_view(name).substr(kPrefix.size());
    const Setting* const setting = find_setting(to_lower(rest));
    if (setting != nullptr && setting->scope != Setting::Scope::program_only &&
        variable_name(*setting) == name) {
      // Compose and Kubernetes templates write an empty value for "not given".
      if (!value.empty()) {
        written.push_back({setting, value, {Origin::From::environment, name}});
      }
    } else if (std::ranges::find(kOtherVariables, name) == std::ranges::end(kOtherVariables) &&
               !is_service_link(name)) {
      const std::string hint = hint_for_key(rest);
      warnings.push_back(
          {printable(name, 80),
           "unknown variable, ignored" +
               (hint.empty() ? ""
                             : "; did you mean " + std::string(kPrefix) + to_upper(hint) + "?")});
    }
  }
}

Configured configure(const std::vector<Written>& options, const Environment& environment,
                     const WrittenFile& file, const std::vector<std::string>& command) {
  Configured result;
  result.problems = file.problems;
  std::vector<Written> written = options;
  written.insert(written.end(), file.top.settings.begin(), file.top.settings.end());
  read_environment(environment, written, result.warnings);
  judge(written, result.problems);

  // A platform's default and not a choice: Kubernetes gives 30 s before SIGKILL, Docker 10 s.
  const bool kubernetes = find_variable(environment, "KUBERNETES_SERVICE_HOST").has_value();
  result.config.grace = kubernetes ? 28s : result.config.grace;
  ProgramConfig program;
  const std::vector<Chosen> set = apply(written, result.config, program);
  result.top.reserve(settings().size());
  for (const Setting& setting : settings()) {
    if (setting.scope != Setting::Scope::program_only) {
      const auto found = std::ranges::find(set, &setting, &Chosen::setting);
      const bool by_platform = kubernetes && setting.key == "grace";
      result.top.push_back(found != set.end()
                               ? *found
                               : Chosen{&setting,
                                        {Origin::From::fallback,
                                         by_platform ? "default in Kubernetes" : "default"}});
    }
  }

  program.environment = file.top.environment;
  result.config.top_level = program;
  if (!file.programs.empty()) {
    if (!command.empty()) {
      result.problems.push_back({"command line", "a command here and [[program]] in " +
                                                     file.programs.front().where +
                                                     ": only one of them can say what runs"});
    }
    add_programs(file, program, result);
  } else if (const auto& chosen = command.empty() ? file.top.command : command; !chosen.empty()) {
    program.command = chosen;
    program.name = file.top.name.empty() ? base_name(chosen.front()) : file.top.name;
    result.config.programs.push_back(std::move(program));
  }
  check_together(result, result.problems);
  return result;
}

}  // namespace ni
