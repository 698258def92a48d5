#include "wire/json_scan.h"

#include <optional>

#include "wire/json_text.h"

namespace ni::wire {
namespace {

bool is_digit(char byte) {
  return byte >= '0' && byte <= '9';
}

// Walks over the text; every step says whether what it expects was there.
class Scanner {
 public:
  Scanner(std::string_view text, std::span<const std::string_view> keys)
      : text_(text), keys_(keys) {}

  ObjectScan run() {
    ObjectScan result;
    blanks();
    if (!open('{')) return result;
    blanks();
    result.empty = next_is('}');
    while (depth_ > 0) {
      if (!step(result)) return result;
    }
    result.close = at_ - 1;
    blanks();
    result.is_object = at_ == text_.size();
    return result;
  }

 private:
  // One member or element, with what stands before it and the closings after it.
  bool step(ObjectScan& result) {
    blanks();
    if (fresh_ && close()) return after_value();
    fresh_ = false;
    if (in_object() && !member_name(result)) return false;
    blanks();
    if (next_is('{') || next_is('[')) return open(text_[at_]);
    return scalar() && after_value();
  }

  // A value has ended: a comma leads to the next, closings end what is open.
  bool after_value() {
    while (depth_ > 0) {
      blanks();
      if (take(',')) return true;
      if (!close()) return false;
    }
    return true;
  }

  bool open(char bracket) {
    if (!take(bracket) || depth_ == kDeepestScan) return false;
    objects_ = objects_ << 1U | (bracket == '{' ? 1U : 0U);
    ++depth_;
    fresh_ = true;
    return true;
  }

  bool close() {
    if (!take(in_object() ? '}' : ']')) return false;
    objects_ >>= 1U;
    --depth_;
    fresh_ = false;
    return true;
  }

  bool member_name(ObjectScan& result) {
    const std::size_t start = at_ + 1;
    if (!string()) return false;
    if (depth_ == 1) {
      const std::string_view name = text_.substr(start, at_ - 1 - start);
      for (std::size_t i = 0; i < keys_.size(); ++i) {
        if (keys_[i] == name) result.known |= 1U << i;
      }
    }
    blanks();
    return take(':');
  }

  bool scalar() {
    if (at_ == text_.size()) return false;
    switch (text_[at_]) {
      case '"':
        return string();
      case 't':
        return word("true");
      case 'f':
        return word("false");
      case 'n':
        return word("null");
      default:
        return number();
    }
  }

  bool word(std::string_view expected) {
    if (text_.substr(at_, expected.size()) != expected) return false;
    at_ += expected.size();
    return true;
  }

  bool digits() {
    const std::size_t start = at_;
    while (at_ < text_.size() && is_digit(text_[at_])) {
      ++at_;
    }
    return at_ > start;
  }

  bool number() {
    (void)take('-');
    if (!take('0') && !digits()) return false;
    if (take('.') && !digits()) return false;
    if (take('e') || take('E')) {
      if (!take('+')) (void)take('-');
      return digits();
    }
    return true;
  }

  bool string() {
    if (!take('"')) return false;
    while (true) {
      at_ += plain_json_prefix(text_.substr(at_));
      if (at_ == text_.size()) return false;
      if (take('"')) return true;
      if (take('\\')) {
        if (!escape()) return false;
        continue;
      }
      const std::size_t length =
          static_cast<unsigned char>(text_[at_]) < 0x80 ? 0 : utf8_sequence(text_.substr(at_));
      if (length == 0) return false;
      at_ += length;
    }
  }

  // What follows a backslash. A surrogate stands only with its other half: parsers refuse a lone
  // one.
  bool escape() {
    if (at_ == text_.size()) return false;
    const char kind = text_[at_++];
    if (kind != 'u') return std::string_view("\"\\/bfnrt").find(kind) != std::string_view::npos;
    const auto unit = four_hex();
    if (!unit || (*unit >= 0xDC00 && *unit <= 0xDFFF)) return false;
    if (*unit < 0xD800 || *unit > 0xDBFF) return true;
    if (!take('\\') || !take('u')) return false;
    const auto low = four_hex();
    return low && *low >= 0xDC00 && *low <= 0xDFFF;
  }

  std::optional<unsigned> four_hex() {
    if (text_.size() - at_ < 4) return std::nullopt;
    unsigned value = 0;
    for (int i = 0; i < 4; ++i) {
      const char digit = text_[at_++];
      const char lower = static_cast<char>(digit | 0x20);
      if (is_digit(digit)) {
        value = value * 16 + static_cast<unsigned>(digit - '0');
      } else if (lower >= 'a' && lower <= 'f') {
        value = value * 16 + static_cast<unsigned>(lower - 'a' + 10);
      } else {
        return std::nullopt;
      }
    }
    return value;
  }

  void blanks() {
    while (at_ < text_.size() &&
           (text_[at_] == ' ' || text_[at_] == '\t' || text_[at_] == '\n' || text_[at_] == '\r')) {
      ++at_;
    }
  }

  bool next_is(char byte) const { return at_ < text_.size() && text_[at_] == byte; }
  bool take(char byte) {
    if (!next_is(byte)) return false;
    ++at_;
    return true;
  }
  bool in_object() const { return (objects_ & 1U) != 0; }

  std::string_view text_;
  std::span<const std::string_view> keys_;
  std::size_t at_ = 0;
  std::uint64_t objects_ = 0;  // a bit for each open bracket, the innermost lowest: 1 for '{'
  unsigned depth_ = 0;
  bool fresh_ = false;  // the innermost bracket has nothing in it yet
};

static_assert(kDeepestScan <= 64, "objects_ has a bit for each");

}  // namespace

ObjectScan scan_json_object(std::string_view text, std::span<const std::string_view> keys) {
  return Scanner(text, keys).run();
}

}  // namespace ni::wire
