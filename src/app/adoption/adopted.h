#pragma once

// A Node process somewhere below the command of a program (a script, a wrapper, a launcher) that is
// about to listen, as it was when it started: its siblings start the same way.

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/environment.h"
#include "base/types.h"
#include "base/user_ids.h"
#include "sys/fd.h"

namespace ni::app {

struct AdoptedProcess {
  Pid pid;
  std::vector<std::string> argv;
  Environment environment;  // without what was added for the module's sake
  std::string directory;
  std::optional<UserIds> user;  // nullopt: ours
  // Its standard output and error; shared by the programs that are planned again.
  std::shared_ptr<const sys::UniqueFd> out;
  std::shared_ptr<const sys::UniqueFd> err;
};

// What the processes below a command are given, so that whoever listens first can be adopted: added
// to NODE_OPTIONS, and the variable kAdoptVariable: the socket's name, a colon, and our own path.
inline constexpr std::string_view kAdoptVariable = "NODEINIT_ADOPT_BY";

// The word after `nodeinit ctl` by which the module inside starts us as its messenger.
inline constexpr std::string_view kAdoptVerb = "adopt";

// One message of the messenger: a line with the wish and how many strings of each kind follow, then
// the strings, each with a NUL behind it; the end is the end of the stream. With the first byte come
// three descriptors in the case of `take`: the channel, standard output, standard error.
//   ask                      may this process be adopted?
//   take ARGV ENVIRONMENT    directory, argv, environ(7)
//   cannot                   why not, for people
// The answer is a line: "yes INCARNATION", or "no REASON".
struct AdoptMessage {
  std::string wish;
  std::vector<std::string> argv;
  std::vector<std::string> environment;
  std::string text;  // the directory, or why not
};
std::string to_bytes(const AdoptMessage& message);
// nullopt: it is none.
std::optional<AdoptMessage> parse_adopt_message(std::string_view bytes);

}  // namespace ni::app
