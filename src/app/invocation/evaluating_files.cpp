#include "app/invocation/evaluating_files.h"

#include <fmt/format.h>
#include <poll.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <variant>

#include "app/invocation/options.h"
#include "core/pm2/pm2_compat.h"
#include "sys/clock.h"
#include "sys/fd.h"
#include "sys/process.h"
#include "sys/reap.h"
#include "sys/signals.h"

namespace ni::app {
namespace {

constexpr Duration kLongest = 30s;
constexpr std::size_t kMostBytes = std::size_t{1} << 20U;
constexpr std::size_t kReadSize = 16384;

// The file may print: only what follows the mark is its value. import() takes CommonJS too.
constexpr std::string_view kMark = "\x01nodeinit\x01";
constexpr std::string_view kProgram =
    "import(require('url').pathToFileURL(require('path').resolve(process.argv[1])))"
    ".then(m=>process.stdout.write('\\x01nodeinit\\x01'+JSON.stringify(m.default??m),()=>process."
    "exit(0)))"
    ".catch(e=>{console.error(e);process.exit(1)})";

// All that comes before the end of the pipe, or the part that came in time.
Result<std::string> read_until_end(int fd, const Error& late) {
  std::string text;
  const Instant until = sys::now() + kLongest;
  for (;;) {
    const auto left = (until - sys::now()) / 1ms;
    ::pollfd poll{.fd = fd, .events = POLLIN, .revents = 0};
    if (left <= 0 || text.size() > kMostBytes) {
      return late;
    }
    if (::poll(&poll, 1, static_cast<int>(left)) <= 0) {
      continue;
    }
    const std::size_t before = text.size();
    text.resize(before + kReadSize);
    const ssize_t got = ::read(fd, text.data() + before, kReadSize);
    text.resize(before + static_cast<std::size_t>(got > 0 ? got : 0));
    if (got == 0 || (got < 0 && errno != EINTR)) {
      return text;
    }
  }
}

// How node ended. We wait here because nothing else runs yet.
std::optional<ExitStatus> wait_for(Pid pid) {
  const Instant until = sys::now() + 5s;
  while (sys::now() < until) {
    const sys::Reaped reaped = sys::reap();
    if (reaped.ended && reaped.ended->pid == pid) {
      return reaped.ended->status;
    }
    if (!reaped.ended) {
      (void)::poll(nullptr, 0, 5);
    }
  }
  return std::nullopt;
}

}  // namespace

Result<std::string> EvaluatingFiles::read(std::string_view path) const {
  NI_TRY(std::string source, ConfigFiles().read(path));
  if (!is_javascript(path)) {
    return source;
  }
  const auto failed = [&](std::string reason) {
    return Error{.operation = "evaluate",
                 .subject = std::string(path),
                 .code = 0,
                 .reason = std::move(reason)};
  };
  NI_TRY(sys::Pipe pipe, sys::make_pipe());
  const sys::StringArray argv({"node", "-e", std::string(kProgram), std::string(path)});
  std::vector<std::string> variables;
  for (const auto& [name, value] : environment_of_process()) {
    variables.push_back(fmt::format("{}={}", name, value));
  }
  const sys::StringArray environment(std::move(variables));
  const std::array descriptors = {sys::DescriptorMapping{.from = pipe.write_end.get(), .to = 1}};
  const sys::SpawnResult started = sys::spawn(
      {.argv = argv.get(), .environment = environment.get(), .descriptors = descriptors});
  pipe.write_end.reset();
  if (const auto* failure = std::get_if<sys::SpawnFailure>(&started)) {
    return failed(failure->message);
  }
  const Pid pid = std::get<Pid>(started);
  auto text = read_until_end(pipe.read_end.get(), failed("node has not finished in 30s"));
  (void)sys::send_signal_to_group(pid, signals::kill);  // ESRCH when it has ended, as it should
  const auto status = wait_for(pid);
  if (!text) {
    return std::move(text).error();
  }
  const auto mark = text->rfind(kMark);
  if (mark == std::string::npos) {
    return failed("node ended without a value, " +
                  (status ? to_string(*status) : std::string("and was not seen again")));
  }
  return text->substr(mark + kMark.size());
}

}  // namespace ni::app
