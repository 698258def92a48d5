#include "app/cluster/control.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <iterator>
#include <utility>

#include "base/text.h"
#include "sys/entropy.h"
#include "sys/local_sockets.h"

namespace ni::app {
namespace {

bool allows(const sys::Peer& peer) {
  return peer.pid > 0 && (peer.user == 0 || peer.user == sys::effective_user());
}

// The program that a request means; nullopt: none of that name, or several and none named.
std::optional<ProgramId> named_program(const StatusReport& report, const std::string& name) {
  if (name.empty()) {
    return report.programs.size() == 1 ? std::optional(ProgramId{}) : std::nullopt;
  }
  const auto found = std::ranges::find(report.programs, name, &ProgramStatus::name);
  if (found == report.programs.end()) {
    return std::nullopt;
  }
  return ProgramId{static_cast<std::uint32_t>(found - report.programs.begin())};
}

std::string names_of(const StatusReport& report) {
  std::string names;
  for (const ProgramStatus& program : report.programs) {
    names += (names.empty() ? "" : ", ") + program.name;
  }
  return names;
}

const SlotStatus* find_slot(const ProgramStatus& program, unsigned slot) {
  const auto found = std::ranges::find(program.slots, slot, &SlotStatus::slot);
  return found == program.slots.end() ? nullptr : &*found;
}

}  // namespace

std::string control_address(const std::string& setting, bool is_pid_1) {
  if (setting != "auto") return setting;
  std::string address = "@nodeinit/" + std::to_string(sys::pid_namespace().value_or(0));
  if (!is_pid_1) address += "/" + std::to_string(sys::mount_namespace().value_or(0));
  return address;
}

std::vector<std::string> control_addresses(const std::string& setting) {
  std::vector<std::string> found;
  for (const bool is_pid_1 : {false, true}) {
    const std::string address = control_address(setting, is_pid_1);
    if (std::ranges::find(found, address) != found.end()) continue;
    found.push_back(address);
    if (setting == "auto") {
      std::ranges::copy(sys::abstract_names(address + "-"), std::back_inserter(found));
    }
  }
  return found;
}

Result<std::unique_ptr<Control>> Control::open(uv_loop_t* loop, const std::string& wanted,
                                               Hooks hooks) {
  std::string address = wanted;
  auto listening = sys::listen_local(address);
  const bool is_taken = !listening && listening.error().code == EADDRINUSE;
  if (const auto number = sys::random_number(); is_taken && number && address.starts_with('@')) {
    address = fmt::format("{}-{:016x}", wanted, *number);
    listening = sys::listen_local(address);
  }
  NI_TRY(sys::UniqueFd listener, std::move(listening));
  std::unique_ptr<Control> control(new Control(address, std::move(hooks)));  // NOLINT: private
  Control* const self = control.get();
  control->server_ = std::make_unique<loop::LocalServer>(
      loop, std::move(listener), wire::kLongestRequest,
      loop::LocalServer::Callbacks{
          .allows = allows,
          .refusal = to_line(wire::ControlReply{
              .ok = false,
              .message = "not allowed: only root and the user of nodeinit itself are let in",
              .data = {}}),
          .line = [self](ClientId client, std::string_view line) { self->answer(client, line); },
          .gone =
              [self](ClientId client) {
                self->followers_.erase(client);
                self->waiting_.erase(client);
                self->stopping_.erase(client);
                if (self->leaving_.erase(client) > 0 && self->leaving_.empty()) {
                  self->hooks_.all_have_left();
                }
              }});
  if (!control->server_->valid()) {
    return Error{.operation = "watch", .subject = address, .code = 0, .reason = "libuv refused it"};
  }
  return control;
}

Control::~Control() {
  if (address_.starts_with('/')) {
    (void)::unlink(address_.c_str());  // ours; a leftover is replaced by the next one anyway
  }
}

void Control::done(ClientId client, std::string message) {
  server_->send(client, wire::to_line(wire::ControlReply{
                            .more = false, .ok = true, .message = std::move(message), .data = {}}));
}

void Control::more(ClientId client, std::string message, wire::Json data) {
  server_->send(
      client,
      wire::to_line(wire::ControlReply{
          .more = true, .ok = true, .message = std::move(message), .data = std::move(data)}));
}

void Control::refuse(ClientId client, std::string message) {
  server_->send(client,
                wire::to_line(wire::ControlReply{
                    .more = false, .ok = false, .message = std::move(message), .data = {}}));
}

void Control::answer(ClientId client, std::string_view line) {
  const auto request = wire::parse_control_request(line);
  if (!request) {
    refuse(client, to_string(request.error()));
    return;
  }
  dispatch(client, *request);
}

void Control::dispatch(ClientId client, const wire::ControlRequest& request) {
  using Verb = wire::ControlVerb;
  switch (request.verb) {
    case Verb::status:
      server_->send(client, wire::to_line(wire::ControlReply{.data = to_json(hooks_.status())}));
      return;
    case Verb::health: {
      const bool healthy = hooks_.is_healthy(request.live);
      const std::string what = request.live ? "live" : "ready";
      healthy ? done(client, what) : refuse(client, "not " + what);
      return;
    }
    case Verb::events:
      followers_.insert(client);
      return;
    case Verb::reload:
      reload(client);
      return;
    case Verb::stop:
      hooks_.post(event::StopAsked{.quick = request.quick, .why = "nodeinit ctl stop"});
      more(client, request.quick ? "stopping at once" : "stopping", {});
      stopping_.insert(client);
      return;
    case Verb::scale:
    case Verb::restart:
    case Verb::signal:
      break;
  }
  const StatusReport report = hooks_.status();
  const auto program = named_program(report, request.program);
  if (!program) {
    refuse(client, (request.program.empty()
                        ? std::string("several programs run here, name one with --program")
                        : "there is no program \"" + printable(request.program, 64) + "\"") +
                       ": " + names_of(report));
    return;
  }
  const ProgramStatus& status = report.programs[program->value];
  if (request.slot && find_slot(status, *request.slot) == nullptr) {
    refuse(client, status.name + " has no slot " + std::to_string(*request.slot));
    return;
  }
  if (request.verb == Verb::signal) {
    signal(client, request, report, *program);
  } else if (request.verb == Verb::restart) {
    hooks_.post(event::RestartAsked{.program = *program, .slot = SlotId{*request.slot}});
    done(client, status.name + ": slot " + std::to_string(*request.slot) + " gets a new worker");
  } else {
    const int wanted =
        request.relative ? static_cast<int>(status.workers) + request.amount : request.amount;
    const auto workers = static_cast<unsigned>(std::max(1, wanted));
    if (workers > kMostWorkers) {
      refuse(client, status.name + ": at most " + std::to_string(kMostWorkers) + " workers");
      return;
    }
    hooks_.post(event::TargetChanged{.program = *program, .workers = workers});
    done(client, status.name + ": " + std::to_string(workers) +
                     (workers == 1 ? " worker wanted" : " workers wanted"));
  }
}

void Control::signal(ClientId client, const wire::ControlRequest& request,
                     const StatusReport& report, ProgramId program) {
  const ProgramStatus& status = report.programs[program.value];
  unsigned sent = 0;
  for (const SlotStatus& slot : status.slots) {
    if (slot.pid && (!request.slot || slot.slot == *request.slot)) {
      hooks_.send_signal(*slot.pid, *request.signal);
      ++sent;
    }
  }
  if (sent == 0) {
    refuse(client, status.name + ": no worker is there to get it");
    return;
  }
  done(client, to_string(*request.signal) + " sent to " + std::to_string(sent) +
                   (sent == 1 ? " worker" : " workers"));
}

void Control::reload(ClientId client) {
  const StatusReport report = hooks_.status();
  const auto begun = hooks_.reload();
  if (!begun) {
    refuse(client, to_string(begun.error()));
    return;
  }
  Waiting waiting{
      .programs = {}, .besides = begun->empty() ? "" : "; " + *begun, .failure = {}, .loss = {}};
  for (std::uint32_t i = 0; i < report.programs.size(); ++i) {
    if (report.programs[i].stage != "finished") {
      waiting.programs.insert(i);
    }
  }
  if (waiting.programs.empty()) {
    done(client, "nothing runs that could be reloaded" + waiting.besides);
    return;
  }
  waiting_[client] = std::move(waiting);
}

void Control::rollout_ended(ProgramId program, bool succeeded, std::string_view reason) {
  std::vector<std::pair<ClientId, Waiting>> ended;
  for (auto& [client, waiting] : waiting_) {
    waiting.programs.erase(program.value);
    if (succeeded) {
      waiting.loss = waiting.loss.empty() ? reason : waiting.loss;
    } else if (waiting.failure.empty()) {
      waiting.failure = reason.empty() ? "the new workers did not get ready" : reason;
    }
    if (waiting.programs.empty()) {
      ended.emplace_back(client, waiting);
    }
  }
  for (const auto& [client, waiting] : ended) {
    waiting_.erase(client);
    if (!waiting.failure.empty()) {
      refuse(client, "reload failed: " + waiting.failure + waiting.besides);
    } else if (!waiting.loss.empty()) {
      refuse(client, "reloaded, but " + waiting.loss + waiting.besides);
    } else {
      done(client, "reloaded" + waiting.besides);
    }
  }
}

void Control::tell(std::string_view level, std::string_view event, std::string_view message) {
  if (followers_.empty() && waiting_.empty() && stopping_.empty()) {
    return;
  }
  // Copies: a client that is dropped while it is told takes itself out of these.
  std::set<ClientId> listeners = followers_;
  listeners.insert(stopping_.begin(), stopping_.end());
  for (const auto& [client, waiting] : waiting_) {
    listeners.insert(client);
  }
  for (const ClientId client : listeners) {
    more(client, std::string(message), wire::Json::object({{"level", level}, {"event", event}}));
  }
}

void Control::drained(Instant now) {
  told_at_ = now;
  leaving_ = std::exchange(stopping_, {});
  for (const ClientId client : std::set(leaving_)) {
    done(client, "stopped: every worker has ended");
  }
}

bool Control::is_being_read(Instant now) const {
  return !leaving_.empty() && now < told_at_ + kLeaveTime;
}

}  // namespace ni::app
