#pragma once

// Processes between clone and exec. PID 1 waits for none of them: each tells by its pipe what
// became of it. One that is stopped there is continued again and again, one that has not got to its
// program when sys::kStartPatience is over (a file system that hangs) is killed; when the container
// stops, that comes sooner, as nothing of the program runs yet.

#include <uv.h>

#include <functional>
#include <map>
#include <memory>
#include <optional>

#include "base/types.h"
#include "loop/poll.h"
#include "sys/process.h"

namespace ni::app {

class StartsUnderWay {
 public:
  using Decided = std::function<void(Incarnation, const sys::SpawnResult&)>;

  StartsUnderWay(uv_loop_t* loop, Decided decided) : loop_(loop), decided_(std::move(decided)) {}

  void add(Incarnation worker, sys::Starting starting, Instant now);
  // Tells of all that are decided by now.
  void look();
  // Continues and kills those whose time has come. `stopping`: the container is.
  void hurry(bool stopping, Instant now);
  std::optional<Instant> next_deadline() const;

 private:
  struct Start {
    sys::Starting starting;
    std::unique_ptr<loop::Poll> poll;
    Instant begun;
    Instant next_look;
    bool killed = false;
  };

  uv_loop_t* loop_;
  Decided decided_;
  std::map<Incarnation, Start> starts_;
};

}  // namespace ni::app
