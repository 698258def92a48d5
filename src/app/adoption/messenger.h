#pragma once

// `nodeinit ctl adopt NAME WISH …`: started by the module inside, within a Node process that is about
// to listen, as its child. Tells PID 1 of its parent, and gives it the parent's end of a channel.

#include <span>
#include <string>

namespace ni::app {

// ask, cannot REASON, or take DIRECTORY ARGV…; the answer goes to standard output. Exit code: 0 yes,
// 1 no or nobody there.
int run_messenger(std::span<const std::string> words);

}  // namespace ni::app
