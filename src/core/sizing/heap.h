#pragma once

// The V8 heap of one worker. Node derives its default from the whole container and knows nothing of
// the other workers, so that several of them together overcommit and the kernel kills. Sized by
// this formula, a worker that leaks ends in V8's own heap OOM (exit 134, with a message) before the
// container's limit is reached:
//
//   semi space = 1, 2, 4, 8 or 16 MiB by what the worker has
//   old space  = share - 40 MiB - 3 x semi space
//
// 40 MiB: what Node needs besides the JavaScript heap (measured at heap OOM, Node 20 to 26). The
// young generation is three semi spaces. Buffers and native memory lie outside every heap option;
// no formula can bound them.

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/types.h"
#include "core/command/node_command.h"

namespace ni {

struct HeapSize {
  unsigned old_space_mib = 0;
  unsigned semi_space_mib = 0;
  bool operator==(const HeapSize&) const = default;
};

// Below this much a worker does not get through its start.
inline constexpr unsigned kLeastOldSpaceMib = 16;
inline constexpr unsigned kOutsideHeapMib = 40;

// For a worker that may use `share` in all. `cramped`: the formula gives less than
// kLeastOldSpaceMib, which is then used.
struct SizedHeap {
  HeapSize size;
  bool cramped = false;
};
SizedHeap size_heap(Bytes share);

// "--max-old-space-size=194", "--max-semi-space-size=2"
std::vector<std::string> heap_flags(const HeapSize& heap);

// The option by which the user sizes the heap already, as it is written in the command's own
// options (argv[0] is node; what follows the script belongs to the script); nullopt: none.
std::optional<std::string> heap_option_in_argv(std::span<const std::string> argv);

// The same in a NODE_OPTIONS value.
std::optional<std::string> heap_option_in_node_options(std::string_view value);

// Node's percentage is one of the whole container, and each worker would take it: whether that is the
// option, and what is written there with the number divided.
bool is_heap_percentage(std::string_view option);
std::vector<std::string> with_divided_percentage(std::span<const std::string> argv, unsigned among);
std::string node_options_with_divided_percentage(std::string_view value, unsigned among);

// argv with the flags as Node's first options, before those of the user, which therefore win.
std::vector<std::string> with_heap_flags(std::span<const std::string> argv, const HeapSize& heap);

// NODE_OPTIONS with the flags appended. Node accepts both of them there since 16.18 and 18.10
// (nodejs/node#44436).
std::string node_options_with_heap_flags(std::string_view value, const HeapSize& heap);

}  // namespace ni
