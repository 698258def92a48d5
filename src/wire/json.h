#pragma once

// A JSON value: parsed from text, looked into, or built and written as one line of text. Copying is
// cheap (the tree is shared, and copied when one of the copies is changed). Nothing throws but for
// memory; what is not there is `absent`, and absent answers every question with nothing, so a path
// can be followed without checks:
//
//   const Result<Json> json = Json::parse(text);
//   json->at("msg").at("ack").integer()          // std::optional<std::int64_t>
//   Json::object({{"cmd", "NODE_CLUSTER"}, {"seq", 7}}).text()

#include <concepts>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"

namespace ni::wire {

struct JsonLimits {
  std::size_t bytes = std::size_t{1} << 20U;
  unsigned depth = 32;  // objects and arrays inside each other
};

class Json {
 public:
  enum class Kind : std::uint8_t { absent, null, boolean, integer, real, string, array, object };

  // Building. Text that is not UTF-8 has its bad bytes replaced by U+FFFD; a real that is not
  // finite becomes null.
  Json() noexcept = default;  // absent
  Json(std::nullptr_t);
  Json(std::same_as<bool> auto value) : Json(BooleanTag{}, value) {}
  Json(std::integral auto value) requires(!std::same_as<decltype(value), bool>)
      : Json(IntegerTag{}, static_cast<std::int64_t>(value)) {}
  Json(double value);
  Json(std::string_view value);
  Json(const std::string& value) : Json(std::string_view(value)) {}
  Json(const char* value) : Json(std::string_view(value)) {}
  static Json object(std::initializer_list<std::pair<std::string_view, Json>> members = {});
  static Json array(std::initializer_list<Json> elements = {});

  Json(const Json& other) noexcept;
  Json(Json&& other) noexcept;
  Json& operator=(const Json& other) noexcept;
  Json& operator=(Json&& other) noexcept;
  ~Json();

  // Adds or replaces a member; no effect when this is not an object, or the value is absent.
  Json& set(std::string_view key, const Json& value);
  // Appends an element; no effect when this is not an array, or the value is absent.
  Json& push(const Json& value);

  // Exactly one JSON value (RFC 8259, UTF-8), blanks around it allowed; of members with one name the
  // last counts. Errors (code 0): too long, too deep, malformed, a number that does not fit, with the
  // place.
  static Result<Json> parse(std::string_view text, JsonLimits limits = {});

  Kind kind() const noexcept;
  bool is_object() const noexcept { return kind() == Kind::object; }
  bool is_array() const noexcept { return kind() == Kind::array; }
  bool is_null() const noexcept { return kind() == Kind::null; }
  explicit operator bool() const noexcept { return node_ != nullptr; }  // not absent

  std::optional<bool> boolean() const noexcept;
  std::optional<std::int64_t> integer() const noexcept;  // a whole number that fits
  std::optional<double> number() const noexcept;         // an integer or a real
  std::optional<std::string> string() const;
  bool equals(std::string_view text) const noexcept;  // is a string, and this one

  std::size_t size() const noexcept;  // members or elements; 0 for anything else
  Json at(std::string_view key) const;
  Json at(std::size_t index) const;
  // In the order they were written or set.
  std::vector<std::pair<std::string, Json>> members() const;

  // One line without blanks, keys in the order of insertion; "" when absent.
  std::string text() const;
  // For people: two blanks per level, no newline at the end.
  std::string indented_text() const;

 private:
  struct BooleanTag {};
  struct IntegerTag {};
  struct Node;
  friend class JsonReader;
  Json(BooleanTag, bool value);
  Json(IntegerTag, std::int64_t value);
  explicit Json(Node* node) noexcept : node_(node) {}
  void make_own();
  void append_to(std::string& out, std::optional<unsigned> level) const;

  Node* node_ = nullptr;
};

}  // namespace ni::wire
