#include "app/cluster/inherited_descriptors.h"

#include <algorithm>

#include "base/text.h"
#include "sys/fd.h"

namespace ni::app {
namespace {

constexpr int kFirst = 3;  // SD_LISTEN_FDS_START
constexpr int kMost = 1000;

int listen_count(const Environment& environment) {
  const auto text = find_variable(environment, "LISTEN_FDS");
  const auto count = text ? parse_number<int>(*text) : std::nullopt;
  return std::clamp(count.value_or(0), 0, kMost);
}

}  // namespace

std::vector<int> listen_descriptors(const Environment& environment) {
  std::vector<int> result;
  const int end = kFirst + listen_count(environment);
  for (int fd = kFirst; fd < end; ++fd) {
    if (sys::is_inheritable(fd)) {
      result.push_back(fd);
    }
  }
  return result;
}

int channel_number(const Environment& environment) {
  int number = kFirst + listen_count(environment);
  while (sys::is_inheritable(number)) {  // ours are all close-on-exec
    ++number;
  }
  return number;
}

}  // namespace ni::app
