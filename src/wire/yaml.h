#pragma once

// YAML for what people write by hand: a text with one document becomes the Json it stands for, by
// the core schema of YAML 1.2 as js-yaml reads it (true, ~, 0x1f, .inf; "yes" is a text), with
// anchors, aliases and merge keys (<<). Over libyaml.

#include <string_view>

#include "base/result.h"
#include "wire/json.h"

namespace ni::wire {

// Errors (code 0): too long, too deep, malformed, more than one document; with the place. Aliases
// may repeat a part at most kMostYamlNodes times in all.
Result<Json> parse_yaml(std::string_view text, JsonLimits limits = {});

inline constexpr std::size_t kMostYamlNodes = 100'000;

}  // namespace ni::wire
