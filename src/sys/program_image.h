#pragma once

namespace ni::sys {

// Maps all of our own program text at once. A start touches most of it, 64 KiB by a page fault;
// in one call that is some 5 % of what a start costs. Best effort: it needs Linux 5.14.
void map_program_text() noexcept;

}  // namespace ni::sys
