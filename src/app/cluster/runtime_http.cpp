// What the runtime answers over HTTP (NODEINIT_HTTP): probes, status, recent events, metrics and
// the page.

#include <unistd.h>

#include <algorithm>

#include "app/cluster/cannot_listen.h"
#include "app/cluster/runtime.h"
#include "app/invocation/container_files.h"
#include "base/assert.h"
#include "core/report/status_page.h"
#include "core/settings/setting_values.h"
#include "sys/clock.h"
#include "sys/proc_sample.h"
#include "wire/prom_client.h"

namespace ni::app {
namespace {

// smaps_rollup costs milliseconds for a large worker: so much time an answer may take for it, the
// rest is from before.
constexpr Duration kProportionalTime = 2ms;

// A crowd that asks for metrics again and again gets them for a tenth of our time at most: so many
// times as long as the last round took us there is none. In quick succession even a cheap one costs
// the workers time.
constexpr int kRestAfterWork = 9;
constexpr Duration kShortestRest = 20ms;
constexpr Duration kLongestRest = 1s;

// One in so many may be a client's here: workers need theirs.
constexpr std::uint64_t kShareOfDescriptors = 5;

wire::HttpResponse yes_or_no(bool yes, std::string_view yes_word, std::string_view no_word) {
  return {.status = yes ? 200 : 503, .body = std::string(yes ? yes_word : no_word) + "\n"};
}

template <class T>
std::optional<T> known(Result<T> result) {
  return result ? std::optional<T>(*std::move(result)) : std::nullopt;
}

}  // namespace

Result<void> Runtime::open_http() {
  if (!deployment_.container.http) {
    return {};
  }
  const std::string& address = *deployment_.container.http;
  auto server = loop::HttpServer::listen(
      loop_, address, [this](const wire::HttpRequest& request) { return answer(request); });
  if (!server) {
    return cannot_listen("NODEINIT_HTTP", address, server.error());
  }
  http_ = std::move(*server);
  http_->allow(descriptor_limit_.hard / kShareOfDescriptors);
  log_.info("http", "probes, status and metrics at http://" + http_->address());
  return {};
}

std::optional<wire::HttpResponse> Runtime::answer(const wire::HttpRequest& request) {
  if (request.path == "/metrics") {
    metrics_wanted_ = true;
    return std::nullopt;
  }
  return answer_at_once(request);
}

wire::HttpResponse Runtime::answer_at_once(const wire::HttpRequest& request) {
  const Phase phase = supervisor_.phase();
  if (request.path == "/livez") {
    return yes_or_no(phase != Phase::stopped, "live", "stopped");
  }
  if (request.path == "/readyz") {
    return yes_or_no(supervisor_.is_ready(), "ready", why_not_ready(supervisor_));
  }
  if (request.path == "/startupz") {
    return yes_or_no(was_ready_, "started", to_string(phase));
  }
  if (request.path == "/status") {
    return {.content_type = "application/json",
            .body = status_text_.get(sys::now, [this] { return to_json(status()).text() + "\n"; })};
  }
  if (request.path == "/events") {
    return {.content_type = "application/json",
            .body = events_text_.get(sys::now, [this] { return recent_events().text() + "\n"; })};
  }
  if (request.path == "/") {
    return {.content_type = "text/html; charset=utf-8", .body = std::string(kStatusPage)};
  }
  return {.status = 404,
          .body = "not found: there are / /livez /readyz /startupz /status /events /metrics\n"};
}

// One round is for all who want metrics at the time, and for those who come while it is under way.
void Runtime::ask_for_metrics() {
  if (!metrics_wanted_ || metrics_rounds_.is_under_way() || sys::now() < metrics_not_before_) {
    return;
  }
  std::vector<MetricsRounds::Asked> workers;
  std::set<Incarnation> counting;
  for (const auto& [incarnation, worker] : supervisor_.workers()) {
    if (worker.state > WorkerState::ready) {
      continue;  // it is about to end
    }
    if (data_plane_.ask_connections(incarnation)) {
      counting.insert(incarnation);
    }
    const ProgramConfig& program = deployment_.of(worker.program).config;
    if (program.worker_metrics && !worker.spare) {
      workers.push_back({.worker = incarnation,
                         .program = worker.program,
                         .label = deployment_.programs.size() > 1 ? program.name : std::string()});
    }
  }
  const auto to_ask = metrics_rounds_.begin(workers, sys::now(), std::move(counting));
  const std::string request = wire::prom_client_request(metrics_rounds_.request());
  for (const Incarnation worker : to_ask) {
    data_plane_.ask_for_metrics(worker, request);
  }
}

void Runtime::hear_figures(const primary_action::Counted& figures) {
  const Instant begun = sys::now();
  server_signals_.told(figures.program, figures.worker, figures.says.signals);
  const bool is_limited = deployment_.of(figures.program).config.max_requests.has_value();
  if (const auto requests = server_signals_.requests(figures.worker); requests && is_limited) {
    post(event::Served{.worker = figures.worker, .requests = *requests});
  }
  if (const auto& loop = figures.says.signals.loop) {
    saturation_.told(figures.worker, *loop);
    load_scaler_.told(figures.program, figures.worker, *loop, begun);
  }
  if (metrics_rounds_.counted(figures.worker, figures.says.asked, figures.says.hears)) {
    data_plane_.ask_for_metrics(figures.worker,
                                wire::prom_client_request(metrics_rounds_.request()));
  }
  metrics_parsing_ += sys::now() - begun;
}

void Runtime::answer_metrics() {
  const Instant begun = sys::now();
  if (!metrics_rounds_.is_complete(begun)) {
    return;
  }
  metrics_wanted_ = false;
  const WorkerMetrics of_workers = metrics_rounds_.finish();
  std::map<wire::MetricsFormat, wire::HttpResponse> made;
  http_->answer_waiting([&](const wire::HttpRequest& request) -> const wire::HttpResponse& {
    const wire::MetricsFormat format = wire::choose_format(request.accept);
    const auto [found, is_new] = made.try_emplace(format);
    if (is_new) {
      found->second = {.content_type = std::string(wire::content_type(format)),
                       .body = metrics(format, of_workers)};
    }
    return found->second;
  });
  const Instant now = sys::now();
  const Duration cost = now - begun + std::exchange(metrics_parsing_, 0ns);
  metrics_not_before_ = now + std::clamp(cost * kRestAfterWork, kShortestRest, kLongestRest);
}

std::optional<Instant> Runtime::metrics_deadline() const {
  if (metrics_wanted_ && !metrics_rounds_.is_under_way()) {
    return metrics_not_before_;
  }
  return metrics_rounds_.deadline();
}

void Runtime::remember(const action::Report& report) {
  recent_.push_back({.at = sys::now() - started_at_,
                     .level = report.level,
                     .event = report.event,
                     .message = deployment_.container.http_detail == HttpDetail::full
                                    ? report.message
                                    : report.plain.value_or(report.message)});
  if (recent_.size() > kMostRecent) {
    recent_.pop_front();
  }
}

wire::Json Runtime::recent_events() const {
  wire::Json events = wire::Json::array();
  for (const RecentEvent& event : recent_) {
    events.push(wire::Json::object({{"uptime_ms", event.at / 1ms},
                                    {"level", show_value(event.level)},
                                    {"event", event.event},
                                    {"message", event.message}}));
  }
  return events;
}

std::map<Incarnation, WorkerUsage> Runtime::worker_usage() {
  std::map<Incarnation, WorkerUsage> usage;
  const Instant start = sys::now();
  for (const auto& [incarnation, worker] : supervisor_.workers()) {
    if (!worker.pid) {
      continue;
    }
    WorkerUsage& of = usage[incarnation];
    if (const auto sample = sys::sample_process(*worker.pid)) {
      of.cpu_user = sample->cpu_user;
      of.cpu_system = sample->cpu_system;
      of.resident = sample->resident;
    }
    of.peak = known(sys::peak_memory(*worker.pid));
    of.descriptors = known(sys::count_descriptors(*worker.pid));
    of.loop_delay = data_plane_.loop_delay(incarnation);
    of.loop_time = server_signals_.loop(incarnation);
  }
  // The worker after the one that was last measured goes first: each has its turn.
  auto next = usage.upper_bound(last_measured_);
  for (std::size_t i = 0; i < usage.size() && sys::now() - start < kProportionalTime; ++i) {
    if (next == usage.end()) {
      next = usage.begin();
    }
    last_measured_ = next->first;
    const auto memory = known(sys::proportional_memory(*supervisor_.workers().at(next->first).pid));
    if (memory) {
      proportional_[next->first] = *memory;
    }
    ++next;
  }
  for (const auto& [incarnation, memory] : proportional_) {
    usage[incarnation].proportional = memory;
  }
  return usage;
}

OwnFigures Runtime::own_figures() const {
  OwnFigures own{.version = NODEINIT_VERSION,
                 .uptime = sys::now() - started_at_,
                 .wake_ups = wake_ups_,
                 .assertion_failures = assertion_failures(),
                 .http_requests = http_->counters().requests,
                 .http_refused = http_->counters().refused,
                 .http_evicted = http_->counters().evicted,
                 .user_messages = data_plane_.channel_counters().user_messages,
                 .channel_lines_dropped = data_plane_.channel_counters().dropped_lines};
  // As PID 1 we are below what Pid can name; "self" serves as well.
  if (const auto sample = sys::sample_self()) {
    own.cpu = sample->cpu_user + sample->cpu_system;
    own.resident = sample->resident;
  }
  own.descriptors = known(sys::count_own_descriptors());
  return own;
}

LogFigures Runtime::log_figures() const {
  const loop::LogCounters counters = pump_.counters();
  LogFigures figures{.lines_split = counters.lines_split,
                     .lines_dropped = counters.lines_dropped,
                     .bytes_dropped = counters.bytes_dropped,
                     .bytes_lost = counters.bytes_lost,
                     .waits = counters.waits,
                     .own_messages_lost = log_.lost()};
  if (!pump_.inherits()) {
    figures.streams = {{"stdout", counters.streams[0].lines, counters.streams[0].bytes},
                       {"stderr", counters.streams[1].lines, counters.streams[1].bytes}};
  }
  return figures;
}

ContainerFigures Runtime::container_figures() const {
  return {.cpus = resources_.cpus.value,
          .memory_limit =
              resources_.memory_limit ? std::optional(resources_.memory->value) : std::nullopt,
          .usage = read_usage(ContainerFiles(), resources_)};
}

std::string Runtime::metrics(wire::MetricsFormat format, const WorkerMetrics& of_workers) {
  MetricsInput input{.supervisor = supervisor_,
                     .now = sys::now(),
                     .workers = worker_usage(),
                     .programs = {},
                     .signals = server_signals_,
                     .container = container_figures(),
                     .logs = log_figures(),
                     .own = own_figures(),
                     .of_workers = of_workers,
                     .worker_answers = metrics_rounds_.answers()};
  if (input.container.usage.cpu) {
    saturation_.look(input.now, *input.container.usage.cpu);
  }
  for (const DeployedProgram& program : deployment_.programs) {
    ProgramFigures figures{.heap = {},
                           .rollouts_succeeded = program.rollouts_succeeded,
                           .rollouts_failed = program.rollouts_failed,
                           .connections = data_plane_.connections(program.id)};
    if (program.plan.heap) {
      figures.heap = Bytes{program.plan.heap->old_space_mib * kMiB};
    }
    input.programs.push_back(figures);
  }
  return render_metrics(input, format);
}

}  // namespace ni::app
