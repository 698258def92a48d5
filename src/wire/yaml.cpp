#include "wire/yaml.h"

#include <yaml.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <optional>
#include <string>

#include "base/text.h"

namespace ni::wire {
namespace {

Error malformed(std::string reason, const yaml_mark_t& mark) {
  return Error{.operation = "parse",
               .subject = "YAML",
               .code = 0,
               .reason = std::to_string(mark.line + 1) + ":" + std::to_string(mark.column + 1) +
                         ": " + std::move(reason)};
}

bool is_one_of(std::string_view text, std::initializer_list<std::string_view> words) {
  return std::ranges::find(words, text) != words.end();
}

std::optional<Json> as_integer(std::string_view text) {
  const bool negative = text.starts_with('-');
  std::string_view digits = negative || text.starts_with('+') ? text.substr(1) : text;
  const int base = digits.starts_with("0x") ? 16 : digits.starts_with("0o") ? 8 : 10;
  if (base != 10) {
    digits.remove_prefix(2);
  }
  if (digits.empty()) {
    return std::nullopt;
  }
  std::int64_t value = 0;
  for (const char c : digits) {
    const int digit = c >= '0' && c <= '9'   ? c - '0'
                      : c >= 'a' && c <= 'f' ? c - 'a' + 10
                      : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                             : base;
    if (digit >= base || value > (std::numeric_limits<std::int64_t>::max() - digit) / base) {
      return std::nullopt;
    }
    value = value * base + digit;
  }
  return Json(negative ? -value : value);
}

// A number with a fraction or an exponent, in the form that JSON has it too.
std::optional<Json> as_real(std::string_view text) {
  const std::string_view unsigned_part =
      text.starts_with('-') || text.starts_with('+') ? text.substr(1) : text;
  if (unsigned_part.empty() || unsigned_part.front() < '0' || unsigned_part.front() > '9') {
    return std::nullopt;
  }
  const auto number = Json::parse(text.starts_with('+') ? unsigned_part : text);
  return number && number->number() ? std::optional(*number) : std::nullopt;
}

// YAML 1.2, 10.3.2: what a plain scalar stands for.
Json resolve(std::string_view text) {
  if (text.empty() || is_one_of(text, {"~", "null", "Null", "NULL"})) {
    return Json(nullptr);
  }
  if (is_one_of(text, {"true", "True", "TRUE"})) {
    return Json(true);
  }
  if (is_one_of(text, {"false", "False", "FALSE"})) {
    return Json(false);
  }
  if (auto integer = as_integer(text)) {
    return *integer;
  }
  if (auto real = as_real(text)) {
    return *real;
  }
  return Json(text);
}

class Document {
 public:
  Document(yaml_document_t& document, unsigned depth) : document_(document), most_depth_(depth) {}

  Result<Json> convert() {
    yaml_node_t* const root = yaml_document_get_root_node(&document_);
    return root == nullptr ? Result<Json>(Json(nullptr)) : convert(*root, 0);
  }

 private:
  static std::string_view text_of(const yaml_node_t& node) {
    return {reinterpret_cast<const char*>(node.data.scalar.value), node.data.scalar.length};
  }
  static bool is_plain(const yaml_node_t& node) {
    return node.type == YAML_SCALAR_NODE && node.data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
  }

  Result<Json> convert(const yaml_node_t& node, unsigned depth) {
    if (depth > most_depth_) {
      return malformed("too deep, or an alias inside itself", node.start_mark);
    }
    if (++nodes_ > kMostYamlNodes) {
      return malformed("too much is repeated by aliases", node.start_mark);
    }
    switch (node.type) {
      case YAML_SCALAR_NODE:
        return is_plain(node) ? resolve(text_of(node)) : Json(text_of(node));
      case YAML_SEQUENCE_NODE:
        return sequence(node, depth);
      case YAML_MAPPING_NODE:
        return mapping(node, depth);
      case YAML_NO_NODE:
        break;
    }
    return Json(nullptr);
  }

  Result<Json> sequence(const yaml_node_t& node, unsigned depth) {
    Json result = Json::array();
    for (const auto* item = node.data.sequence.items.start; item < node.data.sequence.items.top;
         ++item) {
      NI_TRY(const Json element, convert(*yaml_document_get_node(&document_, *item), depth + 1));
      result.push(element);
    }
    return result;
  }

  Result<Json> mapping(const yaml_node_t& node, unsigned depth) {
    Json result = Json::object();
    std::optional<Json> merged;
    for (const auto* pair = node.data.mapping.pairs.start; pair < node.data.mapping.pairs.top;
         ++pair) {
      const yaml_node_t& key = *yaml_document_get_node(&document_, pair->key);
      if (key.type != YAML_SCALAR_NODE) {
        return malformed("a key must be a plain word or a text", key.start_mark);
      }
      NI_TRY(const Json value,
             convert(*yaml_document_get_node(&document_, pair->value), depth + 1));
      if (is_plain(key) && text_of(key) == "<<") {
        merged = value;
      } else {
        result.set(text_of(key), value);
      }
    }
    if (merged) {
      merge(*merged, result);
    }
    return result;
  }

  // yaml.org/type/merge: one mapping, or several of which the first that has a key counts. What
  // the mapping says itself is stronger.
  static void merge(const Json& from, Json& into) {
    for (std::size_t i = 0; from.is_array() && i < from.size(); ++i) {
      merge(from.at(i), into);
    }
    if (from.is_object()) {
      for (const auto& [key, value] : from.members()) {
        if (!into.at(key)) {
          into.set(key, value);
        }
      }
    }
  }

  yaml_document_t& document_;
  unsigned most_depth_;
  std::size_t nodes_ = 0;
};

// libyaml's objects, deleted as it wants.
struct Parser {
  yaml_parser_t parser{};
  bool valid = yaml_parser_initialize(&parser) == 1;
  Parser() = default;
  Parser(const Parser&) = delete;
  Parser& operator=(const Parser&) = delete;
  ~Parser() {
    if (valid) yaml_parser_delete(&parser);
  }
  Error trouble() const {
    return malformed(parser.problem != nullptr ? parser.problem : "out of memory",
                     parser.problem_mark);
  }
};
struct Loaded {
  yaml_document_t document{};
  bool valid;
  explicit Loaded(Parser& parser) : valid(yaml_parser_load(&parser.parser, &document) == 1) {}
  Loaded(const Loaded&) = delete;
  Loaded& operator=(const Loaded&) = delete;
  ~Loaded() {
    if (valid) yaml_document_delete(&document);
  }
};

}  // namespace

Result<Json> parse_yaml(std::string_view text, JsonLimits limits) {
  Parser parser;
  if (text.size() > limits.bytes || !parser.valid) {
    return Error{.operation = "parse", .subject = "YAML", .code = 0, .reason = "too long"};
  }
  if (text.empty()) {
    text = "";  // libyaml asserts that there is a place to read from
  }
  yaml_parser_set_input_string(&parser.parser, reinterpret_cast<const unsigned char*>(text.data()),
                               text.size());
  Loaded loaded(parser);
  if (!loaded.valid) {
    return parser.trouble();
  }
  NI_TRY(Json result, Document(loaded.document, limits.depth).convert());
  Loaded next(parser);
  if (!next.valid) {
    return parser.trouble();
  }
  if (const yaml_node_t* more = yaml_document_get_root_node(&next.document)) {
    return malformed("a second document follows", more->start_mark);
  }
  return result;
}

}  // namespace ni::wire
