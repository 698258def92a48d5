#include "wire/json.h"

#include <cmath>
#include <utility>
#include <variant>

#include "wire/json_node.h"
#include "wire/json_text.h"

namespace ni::wire {

Json::Json(std::nullptr_t) : node_(new Node{.value = nullptr}) {}
Json::Json(BooleanTag, bool value) : node_(new Node{.value = value}) {}
Json::Json(IntegerTag, std::int64_t value) : node_(new Node{.value = value}) {}
Json::Json(double value)
    : node_(std::isfinite(value) ? new Node{.value = value} : new Node{.value = nullptr}) {}
Json::Json(std::string_view value) : node_(new Node{.value = valid_utf8(value)}) {}

Json Json::object(std::initializer_list<std::pair<std::string_view, Json>> members) {
  Json json(new Node{.value = Members()});
  for (const auto& [key, value] : members) json.set(key, value);
  return json;
}

Json Json::array(std::initializer_list<Json> elements) {
  Json json(new Node{.value = Elements()});
  for (const Json& element : elements) json.push(element);
  return json;
}

Json::Json(const Json& other) noexcept : node_(other.node_) {
  if (node_ != nullptr) ++node_->owners;
}
Json::Json(Json&& other) noexcept : node_(std::exchange(other.node_, nullptr)) {}

Json& Json::operator=(const Json& other) noexcept {
  Json copy(other);
  std::swap(node_, copy.node_);
  return *this;
}

Json& Json::operator=(Json&& other) noexcept {
  std::swap(node_, other.node_);
  return *this;
}

Json::~Json() {
  if (node_ != nullptr && --node_->owners == 0) delete node_;
}

void Json::make_own() {
  if (node_ == nullptr || node_->owners == 1) return;
  *this = Json(new Node{.value = node_->value});
}

Json& Json::set(std::string_view key, const Json& value) {
  if (!is_object() || !value) return *this;
  Json kept = value;  // the value may be this very object, which make_own() is about to leave
  make_own();
  auto& members = std::get<Members>(node_->value);
  for (auto& [name, old] : members) {
    if (name == key) {
      old = std::move(kept);
      return *this;
    }
  }
  members.emplace_back(valid_utf8(key), std::move(kept));
  return *this;
}

Json& Json::push(const Json& value) {
  if (!is_array() || !value) return *this;
  Json kept = value;
  make_own();
  std::get<Elements>(node_->value).push_back(std::move(kept));
  return *this;
}

Json::Kind Json::kind() const noexcept {
  return node_ == nullptr ? Kind::absent : static_cast<Kind>(node_->value.index() + 1);
}

std::optional<bool> Json::boolean() const noexcept {
  const bool* value = node_ == nullptr ? nullptr : std::get_if<bool>(&node_->value);
  return value == nullptr ? std::nullopt : std::optional(*value);
}

std::optional<std::int64_t> Json::integer() const noexcept {
  const auto* value = node_ == nullptr ? nullptr : std::get_if<std::int64_t>(&node_->value);
  return value == nullptr ? std::nullopt : std::optional(*value);
}

std::optional<double> Json::number() const noexcept {
  if (const auto whole = integer()) return static_cast<double>(*whole);
  const auto* value = node_ == nullptr ? nullptr : std::get_if<double>(&node_->value);
  return value == nullptr ? std::nullopt : std::optional(*value);
}

std::optional<std::string> Json::string() const {
  const auto* value = node_ == nullptr ? nullptr : std::get_if<std::string>(&node_->value);
  return value == nullptr ? std::nullopt : std::optional(*value);
}

bool Json::equals(std::string_view text) const noexcept {
  const auto* value = node_ == nullptr ? nullptr : std::get_if<std::string>(&node_->value);
  return value != nullptr && *value == text;
}

std::size_t Json::size() const noexcept {
  return is_object()  ? std::get<Members>(node_->value).size()
         : is_array() ? std::get<Elements>(node_->value).size()
                      : 0;
}

Json Json::at(std::string_view key) const {
  if (!is_object()) return {};
  for (const auto& [name, value] : std::get<Members>(node_->value)) {
    if (name == key) return value;
  }
  return {};
}

Json Json::at(std::size_t index) const {
  return is_array() && index < size() ? std::get<Elements>(node_->value)[index] : Json();
}

std::vector<std::pair<std::string, Json>> Json::members() const {
  return is_object() ? std::get<Members>(node_->value) : Members();
}

// level: how deep in a text for people; nothing: one line.
void Json::append_to(std::string& out, std::optional<unsigned> level) const {
  const auto inner = level ? std::optional(*level + 1) : std::nullopt;
  const auto new_line = [&out](std::optional<unsigned> at) {
    if (at) out.append(1, '\n').append(std::size_t{2} * *at, ' ');
  };
  switch (kind()) {
    case Kind::absent:
      return;
    case Kind::null:
      out += "null";
      return;
    case Kind::boolean:
      out += std::get<bool>(node_->value) ? "true" : "false";
      return;
    case Kind::integer:
      out += std::to_string(std::get<std::int64_t>(node_->value));
      return;
    case Kind::real:
      append_real(out, std::get<double>(node_->value));
      return;
    case Kind::string:
      (void)append_json_string(out, std::get<std::string>(node_->value));
      return;
    case Kind::array:
    case Kind::object:
      break;
  }
  out += is_object() ? '{' : '[';
  bool first = true;
  const auto begin_piece = [&] {
    if (!std::exchange(first, false)) out += ',';
    new_line(inner);
  };
  if (is_object()) {
    for (const auto& [key, value] : std::get<Members>(node_->value)) {
      begin_piece();
      (void)append_json_string(out, key);
      out += level ? ": " : ":";
      value.append_to(out, inner);
    }
  } else {
    for (const Json& element : std::get<Elements>(node_->value)) {
      begin_piece();
      element.append_to(out, inner);
    }
  }
  if (!first) new_line(level);
  out += is_object() ? '}' : ']';
}

std::string Json::text() const {
  std::string out;
  append_to(out, std::nullopt);
  return out;
}

std::string Json::indented_text() const {
  std::string out;
  append_to(out, 0);
  return out;
}

}  // namespace ni::wire
