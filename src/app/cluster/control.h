#pragma once

// PID 1's side of `nodeinit ctl`: requests from the control socket become events for the
// supervisor, and reports for whoever asked. Allowed in are root and our own user, and only
// processes that our PID namespace shows: with host networking the abstract name is visible to
// others.

#include <uv.h>

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/environment.h"
#include "core/report/status.h"
#include "core/supervision/event.h"
#include "loop/local_server.h"
#include "wire/control_protocol.h"

namespace ni::app {

// Where PID 1 listens, as the setting `control` says: "auto" is "@nodeinit/" and the number of the
// PID namespace (without /proc: "@nodeinit/0"; then host networking allows for one nodeinit only).
// Who is not PID 1 shares that namespace with other containers, which may have a nodeinit of their
// own (a pod with shareProcessNamespace): the number of the mount namespace is added. Whoever shares
// the network may take a name first; then nodeinit adds "-" and a number that nobody can guess.
std::string control_address(const std::string& setting, bool is_pid_1);

// Where `nodeinit ctl` looks, best first: a nodeinit of this container, then the namespace's PID 1;
// where names were taken, those that were added to.
std::vector<std::string> control_addresses(const std::string& setting);

class Control {
 public:
  // What the runtime lends.
  struct Hooks {
    std::function<StatusReport()> status;
    std::function<void(Event)> post;
    // Begins a rolling reload; the end is told by rollout_ended(), with this text added. Error: refused.
    std::function<Result<std::string>()> reload;
    std::function<void(Pid, Signal)> send_signal;
    std::function<bool(bool live)> is_healthy;
    std::function<void()> all_have_left = [] {};  // of those who waited for the end of a stop
  };

  // At an abstract address that somebody has taken already: at another one, see control_address().
  // Error: nobody can listen there; the container runs without.
  static Result<std::unique_ptr<Control>> open(uv_loop_t* loop, const std::string& address,
                                               Hooks hooks);
  ~Control();
  Control(const Control&) = delete;
  Control& operator=(const Control&) = delete;

  // One life event, for those who follow.
  void tell(std::string_view level, std::string_view event, std::string_view message);
  void rollout_ended(ProgramId program, bool succeeded, std::string_view reason);
  // The container stops, and its last worker has ended.
  void drained(Instant now);
  // Somebody who waited for that has yet to read it: with our end, PID 1's, the kernel kills whoever
  // is in the namespace. Not for longer than kLeaveTime.
  bool is_being_read(Instant now) const;

  const loop::LocalServer& server() const { return *server_; }

 private:
  static constexpr Duration kLeaveTime = 400ms;
  using ClientId = loop::LocalServer::ClientId;
  struct Waiting {
    std::set<std::uint32_t> programs;  // whose rollout has not ended
    std::string besides;               // told with the end, whatever that is
    std::string failure;
    std::string loss;  // every worker is a new one, but something was cut off
  };

  Control(std::string address, Hooks hooks)
      : address_(std::move(address)), hooks_(std::move(hooks)) {}
  void answer(ClientId client, std::string_view line);
  void dispatch(ClientId client, const wire::ControlRequest& request);
  void reload(ClientId client);
  void signal(ClientId client, const wire::ControlRequest& request, const StatusReport& report,
              ProgramId program);
  void done(ClientId client, std::string message);
  void more(ClientId client, std::string message, wire::Json data);
  void refuse(ClientId client, std::string message);

  std::string address_;
  Hooks hooks_;
  std::unique_ptr<loop::LocalServer> server_;
  std::set<ClientId> followers_;
  std::map<ClientId, Waiting> waiting_;  // for the end of a reload
  std::set<ClientId> stopping_;          // wait for the end of a stop
  std::set<ClientId> leaving_;           // have been told of it
  Instant told_at_;
};

}  // namespace ni::app
