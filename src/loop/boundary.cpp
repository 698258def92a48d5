#include "loop/boundary.h"

namespace ni::loop {
namespace {

std::uint64_t drops = 0;

}  // namespace

std::uint64_t drops_for_memory() {
  return drops;
}

void count_drop_for_memory() {
  ++drops;
}

}  // namespace ni::loop
