#include "loop/limit_watch.h"

#include <utility>

namespace ni::loop {
namespace {

constexpr std::uint64_t kTickMs = 1000;
constexpr unsigned kTicksPerCheck = 2;
constexpr unsigned kTicksPerCertainty = 30;
constexpr std::uint64_t kLeastBetweenChecksMs = 1000;
constexpr std::size_t kMostFiles = 256;

}  // namespace

LimitWatch::LimitWatch(uv_loop_t* loop, std::span<const std::string> paths, OnChange on_change,
                       OnChange on_look)
    : loop_(loop),
      on_change_(std::move(on_change)),
      on_look_(std::move(on_look)),
      timer_(new Timer) {
  timer_->owner = this;
  uv_timer_init(loop_, &timer_->handle);
  timer_->handle.data = timer_;
  checked_at_ms_ = uv_now(loop_);
  (void)watch(paths);  // with none that can be opened, the certain check is what is left
  uv_timer_start(
      &timer_->handle,
      [](uv_timer_t* handle) { static_cast<Timer*>(handle->data)->owner->on_tick(); },
      kTickMs * kTicksPerCheck, kTickMs * kTicksPerCheck);
  uv_unref(reinterpret_cast<uv_handle_t*>(&timer_->handle));
}

LimitWatch::~LimitWatch() {
  uv_close(reinterpret_cast<uv_handle_t*>(&timer_->handle), [](uv_handle_t* handle) {
    const std::unique_ptr<Timer> last(static_cast<Timer*>(handle->data));
  });
}

std::size_t LimitWatch::watch(std::span<const std::string> paths) {
  kept_.clear();
  hinted_ = false;
  hints_.reset();
  inotify_.reset();
  if (auto inotify = sys::FileHints::open()) {
    inotify_ = *std::move(inotify);
  }
  for (const auto& path : paths) {
    auto file = sys::KeptFile::open(path);
    if (!file || kept_.size() >= kMostFiles) {
      continue;
    }
    auto text = file->read();
    kept_.push_back({*std::move(file), std::move(text).value_or({})});
    if (inotify_) {
      (void)inotify_->watch(path);  // the reads find out
    }
  }
  if (inotify_) {
    hints_ = std::make_unique<Poll>(loop_, inotify_->fd(), [this](int) { on_hint(); });
    hints_->watch(UV_READABLE);
  }
  return kept_.size();
}

void LimitWatch::on_hint() {
  (void)inotify_->drain();
  if (uv_now(loop_) - checked_at_ms_ >= kLeastBetweenChecksMs) {
    check(false);
    return;
  }
  // Too many: deaf until the next tick.
  hinted_ = true;
  hints_->watch(0);
}

void LimitWatch::on_tick() {
  ticks_ += kTicksPerCheck;
  if (hinted_) {
    hinted_ = false;
    hints_->watch(UV_READABLE);
  }
  check(ticks_ % kTicksPerCertainty == 0);
}

bool LimitWatch::texts_changed() {
  bool changed = false;
  for (Kept& kept : kept_) {
    // A file that cannot be read any more is a change too, once.
    auto text = kept.file.read().value_or({});
    if (text != kept.text) {
      kept.text = std::move(text);
      changed = true;
    }
  }
  return changed;
}

void LimitWatch::check(bool certainly) {
  checked_at_ms_ = uv_now(loop_);
  if (on_look_) {
    on_look_();
  }
  const bool changed = texts_changed();
  if (changed || certainly) {
    // The callback may call watch(), or destroy this: nothing is touched after it.
    const OnChange on_change = on_change_;
    on_change();
  }
}

}  // namespace ni::loop
