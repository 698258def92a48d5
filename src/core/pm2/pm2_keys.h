#pragma once

// The keys of PM2's ecosystem files.

#include <span>
#include <string_view>

namespace ni {

// Options that a container has no use for, each with what to do in its place. A value of false or
// null says nothing and gets no remark.
struct Pm2Dropped {
  std::string_view key;
  std::string_view reason;
};
std::span<const Pm2Dropped> pm2_dropped_keys();

// Those with a counterpart of ours (core/pm2/pm2.cpp).
std::span<const std::string_view> pm2_mapped_keys();

}  // namespace ni
