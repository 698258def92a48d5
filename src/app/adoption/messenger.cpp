#include "app/adoption/messenger.h"

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <string_view>

#include "app/adoption/adopted.h"
#include "base/text.h"
#include "sys/local_sockets.h"
#include "sys/read_file.h"
#include "sys/sockets.h"

namespace ni::app {
namespace {

constexpr int kPatienceMs = 2000;
constexpr std::size_t kMostEnvironment = std::size_t{4} << 20U;

bool wait(int fd, short events) {
  ::pollfd poll{.fd = fd, .events = events, .revents = 0};
  return ::poll(&poll, 1, kPatienceMs) > 0;
}

std::vector<std::string> environment_of_parent() {
  std::vector<std::string> entries;
  const auto text =
      sys::read_file("/proc/" + std::to_string(::getppid()) + "/environ", kMostEnvironment);
  if (!text) return entries;
  for (const std::string_view entry : split(*text, '\0')) {
    if (!entry.empty()) entries.emplace_back(entry);
  }
  return entries;
}

bool send_all(int fd, std::string_view bytes, std::span<const int> descriptors) {
  // A byte for each descriptor: one goes along with each message.
  for (const int descriptor : descriptors) {
    if (!wait(fd, POLLOUT)) return false;
    const auto sent = sys::send(fd, bytes.substr(0, 1), descriptor);
    if (!sent || *sent != 1) return false;
    bytes.remove_prefix(1);
  }
  while (!bytes.empty()) {
    if (!wait(fd, POLLOUT)) return false;
    const auto sent = sys::send(fd, bytes);
    if (!sent) return false;
    bytes.remove_prefix(*sent);
  }
  return ::shutdown(fd, SHUT_WR) == 0;
}

std::string answer_from(int fd) {
  std::string answer;
  while (answer.find('\n') == std::string::npos && wait(fd, POLLIN)) {
    std::array<char, 512> buffer{};
    const auto received = sys::receive(fd, buffer);
    if (!received || received->end) break;
    answer.append(buffer.data(), received->bytes);
  }
  return answer;
}

}  // namespace

int run_messenger(std::span<const std::string> words) {
  constexpr int kNo = 1;
  if (words.size() < 2) return kNo;
  AdoptMessage message{.wish = words[1], .argv = {}, .environment = {}, .text = {}};
  std::vector<int> descriptors;
  if (words.size() > 2) message.text = words[2];
  if (message.wish == "take") {
    // Node has told its child where the channel is (node lib/internal/child_process.js).
    const char* const channel = std::getenv("NODE_CHANNEL_FD");
    const auto number = parse_number<int>(channel != nullptr ? channel : "");
    if (!number || words.size() < 4) return kNo;
    message.argv.assign(words.begin() + 3, words.end());
    message.environment = environment_of_parent();
    descriptors = {*number, STDOUT_FILENO, STDERR_FILENO};
  }
  const auto fd = sys::connect_local("@" + words[0]);
  if (!fd || !send_all(fd->get(), to_bytes(message), descriptors)) return kNo;
  const std::string answer = answer_from(fd->get());
  if (message.wish == "ask") {
    (void)std::fwrite(answer.data(), 1, answer.size(), stdout);
    (void)std::fflush(stdout);  // nobody reads: the process stays as it is
  }
  return answer.starts_with("yes ") ? 0 : kNo;
}

}  // namespace ni::app
