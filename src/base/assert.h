#pragma once

// NI_ASSERT(condition) is for our own mistakes only, never for what the world does. Test builds
// abort. In the shipped program PID 1 must live: the failure is counted (assertion_failures()) and
// the macro yields false, so that the caller takes the safe branch:
//
//   if (!NI_ASSERT(slot < slots.size())) return;

#include <cstdint>

namespace ni {

bool report_assertion(bool held, const char* condition, const char* file, int line) noexcept;

// How many assertions have failed since the start.
std::uint64_t assertion_failures() noexcept;

}  // namespace ni

#define NI_ASSERT(condition) (::ni::report_assertion((condition), #condition, __FILE__, __LINE__))
