#include "app/connections/data_plane.h"

#include <fmt/format.h>

#include <utility>

#include "base/assert.h"
#include "loop/boundary.h"
#include "sys/clock.h"

namespace ni::app {
DataPlane::DataPlane(uv_loop_t* loop, DataPlaneSettings settings, Sink sink)
    : loop_(loop),
      settings_(std::move(settings)),
      sink_(std::move(sink)),
      retry_(loop, [this] { retry_watches(); }),
      timer_(loop, [this] {
        timer_set_to_.reset();
        primary_.on_deadline(sys::now());
        perform();
      }) {
  for (std::uint32_t i = 0; i < settings_.programs.size(); ++i) {
    primary_.set_program({i}, settings_.programs[i]);
  }
}

DataPlane::~DataPlane() {
  watches_.clear();
  const auto there = visit();
  for (auto& [id, group] : listeners_) close_listen_sockets(group);
}

Result<sys::UniqueFd> DataPlane::open_channel(Incarnation worker, Place place) {
  NI_TRY(sys::SocketPair pair, sys::make_socket_pair());
  attach_channel(worker, place, std::move(pair.first));
  return std::move(pair.second);
}

void DataPlane::attach_channel(Incarnation worker, Place place, sys::UniqueFd ours) {
  channels_[worker] = std::make_unique<loop::Channel>(
      loop_, std::move(ours),
      [this, worker](std::span<const wire::IpcLine> lines) {
        for (const wire::IpcLine& line : lines) {
          if (const auto* const metrics = std::get_if<wire::MetricsLine>(&line)) {
            settings_.metrics_answered(worker, metrics->text);
          }
          primary_.said(worker, line, sys::now());
        }
        perform();
      },
      [this, worker] {
        const bool speaks_bun = channels_.at(worker)->speaks_bun();
        close_channel(worker);
        primary_.channel_ended(worker, speaks_bun);
        perform();
      });
  primary_.open_channel(worker, place);
}

void DataPlane::close_channel(Incarnation worker) {
  const auto found = channels_.find(worker);
  if (found == channels_.end()) return;
  of_ended_channels_.user_messages += found->second->user_messages();
  of_ended_channels_.dropped_lines += found->second->dropped_lines();
  channels_.erase(found);
}

ChannelCounters DataPlane::channel_counters() const {
  ChannelCounters sum = of_ended_channels_;
  for (const auto& [worker, channel] : channels_) {
    sum.user_messages += channel->user_messages();
    sum.dropped_lines += channel->dropped_lines();
  }
  return sum;
}

void DataPlane::ask_for_metrics(Incarnation worker, std::string_view request) {
  const auto found = channels_.find(worker);
  if (found == channels_.end() || !settings_.metrics_answered) return;
  found->second->expect_metrics(true);
  found->second->send(request);
}

bool DataPlane::ask_connections(Incarnation worker) {
  const bool answers = primary_.ask_connections(worker);
  perform();
  return answers;
}

void DataPlane::promote(Incarnation worker, SlotId slot) {
  primary_.promote(worker, slot);
  perform();
}

void DataPlane::retire(Incarnation worker, const action::Retire& wish) {
  primary_.retire(worker, wish, sys::now());
  perform();
}

void DataPlane::disconnect(Incarnation worker) {
  primary_.disconnect(worker);
  perform();
}

void DataPlane::set_serving(ProgramId program, std::span<const Incarnation> workers) {
  primary_.tick(sys::now());
  primary_.set_serving(program, {workers.begin(), workers.end()});
  perform();
}

void DataPlane::set_slots(ProgramId program, unsigned slots) {
  if (program.value >= settings_.programs.size()) return;
  settings_.programs[program.value].slots = slots;
  primary_.set_program(program, settings_.programs[program.value]);
  perform();
}

void DataPlane::excuse(Incarnation worker) {
  primary_.excuse(worker, sys::now());
  perform();
}

void DataPlane::set_guards(ProgramId program, Primary::Program guards) {
  if (program.value >= settings_.programs.size()) return;
  Primary::Program& settings = settings_.programs[program.value];
  guards.balance = settings.balance;
  guards.slots = settings.slots;
  settings = guards;
  primary_.set_program(program, settings);
  perform();
}

void DataPlane::forget(Incarnation worker) {
  close_channel(worker);
  primary_.tick(sys::now());
  primary_.forget(worker);
  perform();
}

void DataPlane::set_user(ProgramId program, std::optional<UserIds> user) {
  settings_.users[program.value] = std::move(user);
}

void DataPlane::stop_accepting() {
  primary_.stop_accepting(sys::now());
  perform();
}

void DataPlane::close_listeners() {
  primary_.close_listeners();
  perform();
}

void DataPlane::close_listeners_of(ProgramId program) {
  primary_.close_listeners_of(program);
  perform();
}

void DataPlane::perform() {
  if (!NI_ASSERT(!performing_)) return;
  performing_ = true;
  for (auto actions = primary_.take_actions(); !actions.empty();
       actions = primary_.take_actions()) {
    for (const PrimaryAction& action : actions) {
      loop::within_boundary([&] { std::visit([this](const auto& one) { perform(one); }, action); });
    }
  }
  performing_ = false;
  set_timer();
}

void DataPlane::set_timer() {
  const std::optional<Instant> next = primary_.next_deadline();
  if (next == timer_set_to_) return;
  timer_set_to_ = next;
  next ? timer_.start(*next - sys::now()) : timer_.stop();
}

void DataPlane::warn(const Error& error, std::string_view consequence) const {
  if (settings_.warn) settings_.warn(fmt::format("{}; {}", to_string(error), consequence));
}

}  // namespace ni::app
