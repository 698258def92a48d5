#pragma once

// Where processes below a command ask to become the program (adopted.h). An abstract name that
// nobody can guess; who asks is proved by the kernel: the messenger's parent, a descendant of a
// command of ours. Nothing blocks, messages have a longest length, the oldest of too many goes.

#include <uv.h>

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "app/adoption/adopted.h"
#include "app/adoption/rights.h"
#include "loop/poll.h"
#include "loop/timer.h"

namespace ni::app {

class AdoptionServer {
 public:
  struct Hooks {
    // The worker whose command the process is, or is below of, if it waits to be adopted; a text:
    // why not, for the log. Empty text: it is none of ours, which is nothing to tell.
    std::function<std::variant<Incarnation, std::string>(Pid)> whose;
    std::function<sys::DescriptorLimit()> limit_of_workers;
    std::function<void(Incarnation, AdoptedProcess, sys::UniqueFd channel)> adopt;
    // A process below that worker stays as it is, because …
    std::function<void(Pid, const std::string& why)> refused;
  };

  // Error: there can be no such socket.
  static Result<std::unique_ptr<AdoptionServer>> open(uv_loop_t* loop, Hooks hooks);
  AdoptionServer(const AdoptionServer&) = delete;
  AdoptionServer& operator=(const AdoptionServer&) = delete;

  // What the processes get, see kAdoptVariable.
  const std::string& address() const { return address_; }

  static constexpr std::size_t kMostClients = 16;
  static constexpr std::size_t kLongestMessage = std::size_t{4} << 20U;

 private:
  struct Client {
    sys::UniqueFd fd;
    std::unique_ptr<loop::Poll> poll;
    std::string input;
    std::vector<sys::UniqueFd> descriptors;
  };
  AdoptionServer(uv_loop_t* loop, sys::UniqueFd listener, std::string address, Hooks hooks);
  void accept();
  void read(std::uint64_t id);
  std::string answer(Client& client);
  std::string take(Client& client, AdoptMessage message, Incarnation worker, Pid process,
                   Rights rights);

  uv_loop_t* loop_;
  sys::UniqueFd listener_;
  std::string address_;
  Hooks hooks_;
  loop::Poll accepting_;
  loop::Timer rest_;  // until the next try, when there was no descriptor left
  std::map<std::uint64_t, Client> clients_;  // in the order of their coming
  std::uint64_t last_id_ = 0;
};

}  // namespace ni::app
