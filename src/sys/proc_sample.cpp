#include "sys/proc_sample.h"

#include <dirent.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <memory>
#include <string>
#include <string_view>

#include "sys/proc_text.h"
#include "sys/read_file.h"

namespace ni::sys {
namespace {

std::string path_of(Pid pid, std::string_view file) {
  return "/proc/" + std::to_string(pid.value()) + "/" + std::string(file);
}

Error malformed(const std::string& path) {
  return Error{.operation = "parse", .subject = path, .code = 0, .reason = "malformed"};
}

Result<ProcSample> sample_at(const std::string& path) {
  NI_TRY(const std::string text, read_file(path));
  const auto stat = parse_proc_stat(text);
  if (!stat) return malformed(path);
  static const auto page = static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE));
  return ProcSample{.cpu_user = from_ticks(stat->field(14)),
                    .cpu_system = from_ticks(stat->field(15)),
                    .resident = Bytes{stat->field(24) * page},
                    .virtual_size = Bytes{stat->field(23)},
                    .threads = static_cast<std::uint32_t>(stat->field(20))};
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
  const auto found = parse_kilobytes(text, name);
  return found ? Result<Bytes>(*found) : malformed(path);
}

}  // namespace

Result<Bytes> proportional_memory(Pid pid) {
  return kilobytes_in(path_of(pid, "smaps_rollup"), "Pss:");
}

Result<Bytes> peak_memory(Pid pid) {
  return kilobytes_in(path_of(pid, "status"), "VmHWM:");
}

}  // namespace ni::sys
