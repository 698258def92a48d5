#pragma once

// What a wire::Json points to; for json.cpp and json_parse.cpp alone.

#include <cstdint>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "wire/json.h"

namespace ni::wire {

using Elements = std::vector<Json>;
using Members = std::vector<std::pair<std::string, Json>>;  // no name twice

struct Json::Node {
  std::size_t owners = 1;
  // In the order of Kind, without `absent`.
  std::variant<std::nullptr_t, bool, std::int64_t, double, std::string, Elements, Members> value;
};

// The text, or, where that is not UTF-8, the text with U+FFFD in place of each bad byte.
std::string valid_utf8(std::string_view text);

// The shortest digits that are read as this very number; with a fraction or an exponent, so that it
// is read as a real.
void append_real(std::string& out, double value);

}  // namespace ni::wire
