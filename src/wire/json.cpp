#include "wire/json.h"

#include <fmt/format.h>
#include <jansson.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <memory>

namespace ni::wire {
namespace {

// jansson otherwise reads /dev/urandom, the time and the pid at its first object. What we parse is
// bounded in size, so that keys made to collide cost little. Only the first call has an effect.
void seed() {
  json_object_seed(0x6E696E69);
}

struct Free {
  void operator()(char* text) const {
    std::free(text);  // NOLINT(cppcoreguidelines-no-malloc): json_dumps gives memory of malloc
  }
};

std::string dump(const json_t* value, std::size_t flags) {
  if (value == nullptr) return {};
  const std::unique_ptr<char, Free> text(json_dumps(value, flags | JSON_ENCODE_ANY));
  return text ? std::string(text.get()) : std::string();
}

// jansson recurses; its own bound (2048) is ours only after it has used the stack. Brackets in
// strings do not count.
bool deeper_than(std::string_view text, unsigned limit) {
  unsigned depth = 0;
  bool in_string = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (in_string) {
      if (c == '\\') ++i;
      if (c == '"') in_string = false;
    } else if (c == '"') {
      in_string = true;
    } else if (c == '[' || c == '{') {
      if (++depth > limit) return true;
    } else if ((c == ']' || c == '}') && depth > 0) {
      --depth;
    }
  }
  return false;
}

Error parse_error(std::string reason) {
  return {.operation = "parse", .subject = "JSON", .code = 0, .reason = std::move(reason)};
}

// The length of the UTF-8 sequence at `at`, 0 when it is not one (RFC 3629).
std::size_t sequence_length(std::string_view text, std::size_t at) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char first = byte(at);
  if (first < 0x80) return 1;
  const std::size_t length = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2;
  if (first < 0xC2 || first > 0xF4 || at + length > text.size()) return 0;
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(at + i) & 0xC0U) != 0x80) return 0;
  }
  const unsigned char second = byte(at + 1);
  const bool overlong = (first == 0xE0 && second < 0xA0) || (first == 0xF0 && second < 0x90);
  const bool surrogate = first == 0xED && second > 0x9F;
  const bool beyond = first == 0xF4 && second > 0x8F;
  return overlong || surrogate || beyond ? 0 : length;
}

std::string repaired(std::string_view text) {
  std::string result;
  result.reserve(text.size());
  for (std::size_t i = 0; i < text.size();) {
    const std::size_t length = sequence_length(text, i);
    result += length == 0 ? std::string_view("\xEF\xBF\xBD") : text.substr(i, length);
    i += std::max<std::size_t>(length, 1);
  }
  return result;
}

json_t* make_string(std::string_view text) {
  if (json_t* value = json_stringn(text.data(), text.size())) return value;
  const std::string good = repaired(text);
  return json_stringn(good.data(), good.size());
}

}  // namespace

Json::Json(std::nullptr_t) : value_(json_null()) {}
Json::Json(BooleanTag, bool value) : value_(json_boolean(value)) {}
Json::Json(IntegerTag, std::int64_t value) : value_(json_integer(value)) {}
Json::Json(double value) : value_(std::isfinite(value) ? json_real(value) : json_null()) {}
Json::Json(std::string_view value) : value_(make_string(value)) {}

Json Json::object(std::initializer_list<std::pair<std::string_view, Json>> members) {
  seed();
  Json json(Adopt{}, json_object());
  for (const auto& [key, value] : members) json.set(key, value);
  return json;
}

Json Json::array(std::initializer_list<Json> elements) {
  Json json(Adopt{}, json_array());
  for (const Json& element : elements) json.push(element);
  return json;
}

Json::Json(const Json& other) noexcept : value_(json_incref(other.value_)) {}
Json::Json(Json&& other) noexcept : value_(std::exchange(other.value_, nullptr)) {}

Json& Json::operator=(const Json& other) noexcept {
  Json copy(other);
  std::swap(value_, copy.value_);
  return *this;
}

Json& Json::operator=(Json&& other) noexcept {
  std::swap(value_, other.value_);
  return *this;
}

Json::~Json() {
  json_decref(value_);
}

void Json::make_own() {
  if (value_ == nullptr || value_->refcount == 1) return;
  json_t* copy = json_copy(value_);
  json_decref(value_);
  value_ = copy;
}

Json& Json::set(std::string_view key, const Json& value) {
  if (!is_object() || !value) return *this;
  const Json kept = value;  // the value may be this very object, which make_own() is about to leave
  make_own();
  json_object_setn_nocheck(value_, key.data(), key.size(), kept.value_);
  return *this;
}

Json& Json::push(const Json& value) {
  if (!is_array() || !value) return *this;
  const Json kept = value;
  make_own();
  json_array_append(value_, kept.value_);
  return *this;
}

Result<Json> Json::parse(std::string_view text, JsonLimits limits) {
  if (text.size() > limits.bytes) {
    return parse_error(fmt::format("{} bytes, at most {} allowed", text.size(), limits.bytes));
  }
  if (deeper_than(text, limits.depth)) {
    return parse_error(fmt::format("more than {} levels deep", limits.depth));
  }
  seed();
  json_error_t error{};
  json_t* value = json_loadb(text.data(), text.size(), JSON_DECODE_ANY | JSON_ALLOW_NUL, &error);
  if (value == nullptr) {
    return parse_error(fmt::format("line {}, column {}: {}", error.line, error.column,
                                   static_cast<const char*>(error.text)));
  }
  return Json(Adopt{}, value);
}

Json::Kind Json::kind() const noexcept {
  if (value_ == nullptr) return Kind::absent;
  switch (json_typeof(value_)) {
    case JSON_OBJECT:
      return Kind::object;
    case JSON_ARRAY:
      return Kind::array;
    case JSON_STRING:
      return Kind::string;
    case JSON_INTEGER:
      return Kind::integer;
    case JSON_REAL:
      return Kind::real;
    case JSON_TRUE:
    case JSON_FALSE:
      return Kind::boolean;
    case JSON_NULL:
      return Kind::null;
  }
  return Kind::absent;
}

std::optional<bool> Json::boolean() const noexcept {
  return kind() == Kind::boolean ? std::optional<bool>(json_is_true(value_)) : std::nullopt;
}

std::optional<std::int64_t> Json::integer() const noexcept {
  return kind() == Kind::integer ? std::optional<std::int64_t>(json_integer_value(value_))
                                 : std::nullopt;
}

std::optional<double> Json::number() const noexcept {
  const bool numeric = kind() == Kind::integer || kind() == Kind::real;
  return numeric ? std::optional<double>(json_number_value(value_)) : std::nullopt;
}

std::optional<std::string> Json::string() const {
  if (kind() != Kind::string) return std::nullopt;
  return std::string(json_string_value(value_), json_string_length(value_));
}

bool Json::equals(std::string_view text) const noexcept {
  return kind() == Kind::string &&
         std::string_view(json_string_value(value_), json_string_length(value_)) == text;
}

std::size_t Json::size() const noexcept {
  return is_object() ? json_object_size(value_) : is_array() ? json_array_size(value_) : 0;
}

Json Json::at(std::string_view key) const {
  return is_object() ? Json(Adopt{}, json_incref(json_object_getn(value_, key.data(), key.size())))
                     : Json();
}

Json Json::at(std::size_t index) const {
  return is_array() ? Json(Adopt{}, json_incref(json_array_get(value_, index))) : Json();
}

std::vector<std::pair<std::string, Json>> Json::members() const {
  std::vector<std::pair<std::string, Json>> result;
  if (!is_object()) return result;
  const char* key = nullptr;
  std::size_t length = 0;
  json_t* value = nullptr;
  json_object_keylen_foreach(value_, key, length, value) {
    result.emplace_back(std::string(key, length), Json(Adopt{}, json_incref(value)));
  }
  return result;
}

std::string Json::text() const {
  return dump(value_, JSON_COMPACT);
}

std::string Json::indented_text() const {
  return dump(value_, JSON_INDENT(2));
}

}  // namespace ni::wire
