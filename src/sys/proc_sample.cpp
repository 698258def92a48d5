#include "sys/proc_sample.h"

#include <dirent.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/text.h"
#include "sys/read_file.h"

namespace ni::sys {
namespace {

std::string path_of(Pid pid, std::string_view file) {
  return "/proc/" + std::to_string(pid.value()) + "/" + std::string(file);
}

Duration from_ticks(std::uint64_t ticks) {
  static const auto per_second = static_cast<std::uint64_t>(sysconf(_SC_CLK_TCK));
  return Duration(static_cast<Duration::rep>(ticks * (1'000'000'000 / per_second)));
}

Error malformed(const std::string& path) {
  return Error{.operation = "parse", .subject = path, .code = 0, .reason = "malformed"};
}

Result<ProcSample> sample_at(const std::string& path) {
  NI_TRY(const std::string text, read_file(path));
  // proc(5): the second field is a name in parentheses that may hold anything, blanks and ')' too.
  const std::size_t name_end = text.rfind(')');
  if (name_end == std::string::npos) return malformed(path);
  const std::vector<std::string_view> fields =
      split_words(trim(std::string_view(text).substr(name_end + 1)));
  const auto field = [&](std::size_t number) -> std::uint64_t {  // as proc(5) counts them
    return number - 3 < fields.size() ? parse_number<std::uint64_t>(fields[number - 3]).value_or(0)
                                      : 0;
  };
  if (fields.size() < 22) return malformed(path);
  static const auto page = static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE));
  return ProcSample{.cpu_user = from_ticks(field(14)),
                    .cpu_system = from_ticks(field(15)),
                    .resident = Bytes{field(24) * page},
                    .virtual_size = Bytes{field(23)},
                    .threads = static_cast<std::uint32_t>(field(20))};
}

Result<std::uint32_t> count_at(const std::string& path) {
  struct stat about {};
  // Linux 6.2, proc: "report open files as size in stat() for /proc/pid/fd". Older ones say 0.
  if (stat(path.c_str(), &about) == 0 && about.st_size > 0) {
    return static_cast<std::uint32_t>(about.st_size);
  }
  const std::unique_ptr<DIR, int (*)(DIR*)> directory(opendir(path.c_str()), closedir);
  if (!directory) {
    return Error{.operation = "read", .subject = path, .code = errno, .reason = {}};
  }
  std::uint32_t count = 0;
  while (const dirent* const entry = readdir(directory.get())) {
    count += entry->d_name[0] == '.' ? 0 : 1;
  }
  return count;
}

}  // namespace

Result<ProcSample> sample_process(Pid pid) {
  return sample_at(path_of(pid, "stat"));
}

Result<ProcSample> sample_self() {
  return sample_at("/proc/self/stat");
}

Result<std::uint32_t> count_descriptors(Pid pid) {
  return count_at(path_of(pid, "fd"));
}

Result<std::uint32_t> count_own_descriptors() {
  return count_at("/proc/self/fd");
}

namespace {

// Of a line such as "Pss:   1234 kB".
Result<Bytes> kilobytes_in(const std::string& path, std::string_view name) {
  NI_TRY(const std::string text, read_file(path));
  for (const std::string_view line : split(text, '\n')) {
    if (!line.starts_with(name)) continue;
    const auto words = split_words(line);
    const auto kilobytes = words.size() > 1 ? parse_number<std::uint64_t>(words[1]) : std::nullopt;
    if (kilobytes) return Bytes{*kilobytes * kKiB};
  }
  return malformed(path);
}

}  // namespace

Result<Bytes> proportional_memory(Pid pid) {
  return kilobytes_in(path_of(pid, "smaps_rollup"), "Pss:");
}

Result<Bytes> peak_memory(Pid pid) {
  return kilobytes_in(path_of(pid, "status"), "VmHWM:");
}

}  // namespace ni::sys
