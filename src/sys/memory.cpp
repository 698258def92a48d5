#include "sys/memory.h"

#include <sys/resource.h>

#include <array>
#include <cstdlib>
#include <new>

namespace ni::sys {
// NOLINTBEGIN(cppcoreguidelines-no-malloc): what stands below the library's own ways to memory.
namespace {

// Below malloc's threshold for mappings of their own (M_MMAP_THRESHOLD, mallopt(3)): a mapping that
// is given back would not help a process that may map no more.
constexpr std::size_t kPiece = std::size_t{120} << 10U;

std::array<void*, 8> reserve{};

bool lift(decltype(RLIMIT_AS) resource) {
  ::rlimit limit{};
  if (::getrlimit(resource, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) {
    return false;
  }
  const ::rlimit none{RLIM_INFINITY, RLIM_INFINITY};
  const ::rlimit all_of_it{limit.rlim_max, limit.rlim_max};
  return ::setrlimit(resource, &none) == 0 ||  // CAP_SYS_RESOURCE
         (limit.rlim_cur < limit.rlim_max && ::setrlimit(resource, &all_of_it) == 0);
}

bool find_memory() {
  const bool lifted_space = lift(RLIMIT_AS);
  const bool lifted_data = lift(RLIMIT_DATA);
  if (lifted_space || lifted_data) {
    return true;
  }
  for (void*& piece : reserve) {
    if (piece != nullptr) {
      std::free(piece);
      piece = nullptr;
      return true;
    }
  }
  return false;
}

template <class Try>
void* until_found(Try attempt) {
  void* block = attempt();
  while (block == nullptr && find_memory()) {
    block = attempt();
  }
  return block;
}

}  // namespace

void keep_memory_reserve() {
  for (void*& piece : reserve) {
    piece = std::malloc(kPiece);
  }
  std::set_new_handler([] {
    if (!find_memory()) {
      throw std::bad_alloc();
    }
  });
}

void* allocate(std::size_t size) {
  return until_found([size] { return std::malloc(size); });
}

void* allocate_zeroed(std::size_t count, std::size_t size) {
  return until_found([count, size] { return std::calloc(count, size); });
}

void* reallocate(void* block, std::size_t size) {
  return size == 0 ? std::realloc(block, size)
                   : until_found([block, size] { return std::realloc(block, size); });
}

// NOLINTEND(cppcoreguidelines-no-malloc)
}  // namespace ni::sys
