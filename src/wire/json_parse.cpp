#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <numeric>
#include <optional>

#include "base/text.h"
#include "wire/json_node.h"
#include "wire/json_text.h"

namespace ni::wire {
namespace {

bool is_digit(char byte) {
  return byte >= '0' && byte <= '9';
}

Error parse_error(std::string reason) {
  return {.operation = "parse", .subject = "JSON", .code = 0, .reason = std::move(reason)};
}

void append_utf8(std::string& out, unsigned code) {
  const auto byte = [&out](unsigned value) { out += static_cast<char>(value); };
  if (code < 0x80) {
    byte(code);
  } else if (code < 0x800) {
    byte(0xC0U | code >> 6U);
  } else if (code < 0x10000) {
    byte(0xE0U | code >> 12U);
  } else {
    byte(0xF0U | code >> 18U);
    byte(0x80U | (code >> 12U & 0x3FU));
  }
  if (code >= 0x800) byte(0x80U | (code >> 6U & 0x3FU));
  if (code >= 0x80) byte(0x80U | (code & 0x3FU));
}

// Of members with one name the last counts, at the place of the first. By the order of the names, so
// that names made to be many cost little.
void keep_last_of_each_name(Members& members) {
  std::vector<std::uint32_t> order(members.size());
  std::iota(order.begin(), order.end(), 0U);
  std::sort(order.begin(), order.end(), [&](std::uint32_t a, std::uint32_t b) {
    const int names = members[a].first.compare(members[b].first);
    return names != 0 ? names < 0 : a < b;
  });
  bool any = false;
  for (std::size_t first = 0, i = 1; i < order.size(); ++i) {
    if (members[order[i]].first != members[order[first]].first) {
      first = i;
      continue;
    }
    members[order[first]].second = std::move(members[order[i]].second);
    members[order[i]].second = Json();
    any = true;
  }
  if (any) std::erase_if(members, [](const auto& member) { return !member.second; });
}

}  // namespace

// Walks over the text. A step returns false, or an absent value, when something was amiss: `fault_`
// then says what, `at_` where.
class JsonReader {
 public:
  JsonReader(std::string_view text, unsigned most_depth) : text_(text), most_depth_(most_depth) {}

  Result<Json> run() {
    Json json = value(0);
    if (json && (blanks(), at_ < text_.size())) {
      json = fail("the end of the text was expected");
    }
    if (!json) return parse_error(place() + fault_);
    return json;
  }

 private:
  // As deep as most_depth_ at most.
  Json value(unsigned depth) {
    blanks();
    if (at_ == text_.size()) return fail("the text ends early");
    switch (text_[at_]) {
      case '{':
        return depth < most_depth_ ? object(depth + 1) : too_deep();
      case '[':
        return depth < most_depth_ ? array(depth + 1) : too_deep();
      case '"': {
        std::string text;
        return string(text) ? Json(new Json::Node{.value = std::move(text)}) : Json();
      }
      case 't':
        return word("true") ? Json(true) : Json();
      case 'f':
        return word("false") ? Json(false) : Json();
      case 'n':
        return word("null") ? Json(nullptr) : Json();
      default:
        return number();
    }
  }

  Json object(unsigned depth) {
    ++at_;
    Members members;
    if (blanks(), !take('}')) {
      do {
        blanks();
        std::string name;
        if (!string(name)) return {};
        if (blanks(), !take(':')) return fail("':' was expected");
        Json member = value(depth);
        if (!member) return {};
        members.emplace_back(std::move(name), std::move(member));
        blanks();
      } while (take(','));
      if (!take('}')) return fail("',' or '}' was expected");
    }
    keep_last_of_each_name(members);
    return Json(new Json::Node{.value = std::move(members)});
  }

  Json array(unsigned depth) {
    ++at_;
    Elements elements;
    if (blanks(), !take(']')) {
      do {
        Json element = value(depth);
        if (!element) return {};
        elements.push_back(std::move(element));
        blanks();
      } while (take(','));
      if (!take(']')) return fail("',' or ']' was expected");
    }
    return Json(new Json::Node{.value = std::move(elements)});
  }

  bool string(std::string& out) {
    if (!take('"')) return wrong("a string was expected");
    while (true) {
      const std::size_t plain = plain_json_prefix(text_.substr(at_));
      out += text_.substr(at_, plain);
      at_ += plain;
      if (at_ == text_.size()) return wrong("a string does not end");
      if (take('"')) return true;
      if (take('\\')) {
        if (!escape(out)) return false;
        continue;
      }
      if (static_cast<unsigned char>(text_[at_]) < 0x20) {
        return wrong("a control byte in a string");
      }
      const std::size_t length = utf8_sequence(text_.substr(at_));
      if (length == 0) return wrong("a byte that is not UTF-8");
      out += text_.substr(at_, length);
      at_ += length;
    }
  }

  // What follows a backslash.
  bool escape(std::string& out) {
    constexpr std::string_view kNames = "\"\\/bfnrt";
    constexpr std::string_view kBytes = "\"\\/\b\f\n\r\t";
    const char kind = at_ < text_.size() ? text_[at_++] : '\0';
    if (kind != 'u') {
      const std::size_t which = kNames.find(kind);
      if (which == kNames.npos) return wrong("no escape is named so");
      out += kBytes[which];
      return true;
    }
    unsigned code = 0;
    if (!four_hex(code)) return wrong("four hexadecimal digits were expected");
    if (code >= 0xD800 && code <= 0xDFFF) {
      // JSON.stringify writes half of a pair so. Alone it is no character (Unicode, 3.9 C10), and
      // no reason to lose the rest.
      const std::size_t before = at_;
      unsigned low = 0;
      const bool pair = code < 0xDC00 && take('\\') && take('u') && four_hex(low) &&
                        low >= 0xDC00 && low <= 0xDFFF;
      if (!pair) at_ = before;
      code = pair ? 0x10000U + ((code - 0xD800U) << 10U) + (low - 0xDC00U) : 0xFFFDU;
    }
    append_utf8(out, code);
    return true;
  }

  bool four_hex(unsigned& value) {
    if (text_.size() - at_ < 4) return false;
    const char* const start = text_.data() + at_;
    if (std::from_chars(start, start + 4, value, 16).ptr != start + 4) return false;
    at_ += 4;
    return true;
  }

  Json number() {
    const std::size_t start = at_;
    (void)take('-');
    if (!take('0') && !digits()) return fail("a value was expected");
    bool whole = true;
    if (take('.')) {
      whole = false;
      if (!digits()) return fail("a digit was expected");
    }
    if (take('e') || take('E')) {
      whole = false;
      if (!take('+')) (void)take('-');
      if (!digits()) return fail("a digit was expected");
    }
    const std::string_view text = text_.substr(start, at_ - start);
    if (const auto integer = whole ? parse_number<std::int64_t>(text) : std::nullopt) {
      return Json(*integer);
    }
    const double real = std::strtod(std::string(text).c_str(), nullptr);
    return std::isfinite(real) ? Json(real) : fail("a number that is too large");
  }

  bool digits() {
    const std::size_t start = at_;
    while (at_ < text_.size() && is_digit(text_[at_])) ++at_;
    return at_ > start;
  }

  bool word(std::string_view expected) {
    if (!text_.substr(at_).starts_with(expected)) return wrong("a value was expected");
    at_ += expected.size();
    return true;
  }

  void blanks() {
    while (at_ < text_.size() &&
           std::string_view(" \t\n\r").find(text_[at_]) != std::string_view::npos) {
      ++at_;
    }
  }

  bool take(char byte) {
    if (at_ == text_.size() || text_[at_] != byte) return false;
    ++at_;
    return true;
  }

  bool wrong(std::string what) {
    fault_ = std::move(what);
    return false;
  }
  Json fail(std::string what) {
    (void)wrong(std::move(what));
    return {};
  }
  Json too_deep() { return fail("more than " + std::to_string(most_depth_) + " levels deep"); }

  // "line 2, column 7: "
  std::string place() const {
    const std::string_view before = text_.substr(0, at_);
    const auto line = std::count(before.begin(), before.end(), '\n') + 1;
    const std::size_t column = at_ - (before.rfind('\n') + 1) + 1;
    return "line " + std::to_string(line) + ", column " + std::to_string(column) + ": ";
  }

  std::string_view text_;
  unsigned most_depth_;
  std::size_t at_ = 0;
  std::string fault_;
};

Result<Json> Json::parse(std::string_view text, JsonLimits limits) {
  if (text.size() > limits.bytes) {
    return parse_error(std::to_string(text.size()) + " bytes, at most " +
                       std::to_string(limits.bytes) + " allowed");
  }
  return JsonReader(text, limits.depth).run();
}

std::string valid_utf8(std::string_view text) {
  std::string result;
  result.reserve(text.size());
  while (!text.empty()) {
    const std::size_t valid = valid_utf8_prefix(text);
    result += text.substr(0, valid);
    text.remove_prefix(valid);
    if (text.empty()) break;
    result += "\xEF\xBF\xBD";
    text.remove_prefix(1);
  }
  return result;
}

void append_real(std::string& out, double value) {
  const std::string written = fmt::format("{}", value);
  out += written;
  if (written.find_first_of(".e") == written.npos) out += ".0";
}

}  // namespace ni::wire
