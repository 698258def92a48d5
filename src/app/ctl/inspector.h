#pragma once

// A client of Node's inspector, in the process of `nodeinit ctl`: it opens the inspector of a worker by
// SIGUSR1, as Node's own `process._debugProcess` does, asks, and closes it again. Node listens on
// loopback as soon as its main thread has taken an interrupt of V8's, which it does wherever it runs
// JavaScript, loops and regular expressions included; a native call ends first (node
// src/inspector_agent.cc, StartIoThreadInterrupt()). What is asked is answered in such an interrupt,
// too, with the interrupted code below it.
//
// No signal is sent to a process that would die of it or take it for something else: one without a
// handler (--disable-sigusr1, --permission, no Node), or with one of the program's own.

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "base/result.h"
#include "base/types.h"
#include "sys/fd.h"
#include "wire/inspector_stream.h"

namespace ni::app {

// What PID 1 tells of the worker.
struct InspectedWorker {
  enum class Usr1 : std::uint8_t { node, program, unknown };  // whose handler it has
  Pid pid;
  int port = 0;  // where its inspector listens if it is open; 0: wherever there was room
  Usr1 usr1 = Usr1::unknown;
};

class Inspector {
 public:
  static constexpr Duration kPatience = 30s;
  static constexpr Duration kLongSilence = 600s;  // a worker makes a snapshot of its heap

  // main() has blocked all signals; they are read here, so that none of them leaves an inspector
  // open: each is an Error, here and below. `note` hears why it takes long.
  static Result<Inspector> open(InspectedWorker worker,
                                const std::function<void(std::string)>& note);

  // What the body of a function returns there, a string; `require` knows builtin modules.
  Result<std::string> evaluate(std::string_view body);

  // The result of a method, as JSON. `hear`: the parameters of each `event` until then; false: that
  // is enough.
  Result<std::string> call(std::string_view method, std::string_view parameters = "{}",
                           Duration silence = kPatience, std::string_view event = {},
                           const std::function<bool(std::string_view)>& hear = {});

  Result<void> wait(Duration duration);

  // It was open before, and somebody has closed it.
  bool was_lost() const { return ended_ && !opened_by_us_; }

  // It is as it was before. False: only once the worker's main thread gets to it.
  bool close();

 private:
  Inspector(InspectedWorker worker, sys::UniqueFd signals)
      : worker_(worker), signals_(std::move(signals)) {}
  Result<void> pause(Duration duration, int fd);
  bool connect(int port);
  Result<void> attach(int port);
  std::optional<int> port() const;
  Result<void> ask_to_open() const;
  Result<void> send(std::string_view bytes);
  Result<void> receive(Duration silence);
  Result<std::string> next_message(Duration silence);
  Result<int> begin_call(std::string_view method, std::string_view parameters);
  Result<std::string> end_call(int id, Duration silence, std::string_view event = {},
                               const std::function<bool(std::string_view)>& hear = {});
  std::string guarded(std::string_view body, bool awaits = false) const;

  InspectedWorker worker_;
  sys::UniqueFd signals_;
  sys::UniqueFd socket_;
  wire::InspectorStream stream_;
  bool opened_by_us_ = false;
  bool ended_ = false;
  int last_id_ = 0;
};

}  // namespace ni::app
