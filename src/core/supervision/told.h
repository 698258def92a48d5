#pragma once

// What is told of an event, for two kinds of listeners: `full` for the logs and for those whom the
// control socket lets in, `plain` for everybody else. Plain is without whatever a program has said
// itself: its last words are often the text of an exception, and that may hold a password.

#include <string>
#include <string_view>
#include <utility>

namespace ni {

struct Told {
  Told(std::string both) : plain(both), full(std::move(both)) {}  // says nothing of a program's own
  Told(const char* both) : Told(std::string(both)) {}
  Told(std::string for_all, std::string for_some)
      : plain(std::move(for_all)), full(std::move(for_some)) {}

  std::string plain;
  std::string full;
};

inline Told operator+(Told told, std::string_view more) {
  told.plain += more;
  told.full += more;
  return told;
}
inline Told operator+(std::string_view before, const Told& told) {
  return {std::string(before) + told.plain, std::string(before) + told.full};
}

}  // namespace ni
