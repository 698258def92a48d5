#pragma once

// What a dead worker has left behind. The kernel gives its children to us, and does not tell whose they
// were: a living worker's daemon (double fork) is ours in the same way. What does tell:
//
//   the environment   a worker's children inherit NODEINIT_SLOT, unless they were given another one;
//                     Node takes NODE_UNIQUE_ID out, so that the number is all there is. Who has none
//                     belongs to no worker as far as can be told (a hook's, `docker exec`'s): left alone
//   the group         a child that was not detached is in the group of its worker, which leads one
//   the birth         the kernel's clock tick: nobody is older than his parent
//
// It is left by the dead when it was born in its life, has its number or its group, and no living worker
// of that number was there at its birth. Where two could be its parent (another program's worker of the
// same number, a successor that was there already) the living one keeps it until its own end.

#include <cstdint>
#include <optional>
#include <span>

namespace ni {

// A worker, as far as its children show it.
struct Parentage {
  unsigned number = 0;     // NODEINIT_SLOT
  int group = 0;           // its pid; 0: it was reaped long ago, and the number may be another's
  std::uint64_t born = 0;  // in ticks since the machine's start
};

// A child of ours that is no worker and no hook.
struct Orphan {
  std::optional<unsigned> number;  // NODEINIT_SLOT of its environment, where that can be read
  int group = 0;
  std::uint64_t born = 0;
};

bool was_left_by(const Parentage& dead, const Orphan& orphan, std::span<const Parentage> living);

}  // namespace ni
