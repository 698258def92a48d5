#include "wire/inspector_stream.h"

#include <algorithm>
#include <cstdint>
#include <utility>

#include "base/text.h"

namespace ni::wire {
namespace {

// RFC 6455, 1.3: a key and what the server makes of it. A key is to show that the server is one, not
// to keep a secret: always the same spares SHA-1.
constexpr std::string_view kKey = "dGhlIHNhbXBsZSBub25jZQ==";
constexpr std::string_view kAccept = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";
constexpr std::string_view kBlankLine = "\r\n\r\n";

// RFC 6455, 5.2
constexpr unsigned kFinal = 0x80;
constexpr unsigned kMasked = 0x80;
constexpr unsigned kContinuation = 0;
constexpr unsigned kText = 1;
constexpr unsigned kClose = 8;
constexpr unsigned kPong = 10;
constexpr std::size_t kLongestControl = 125;
constexpr unsigned kTwoBytes = 126;
constexpr unsigned kEightBytes = 127;

Error wrong(std::string reason) {
  return Error{.operation = "understand",
               .subject = "the inspector",
               .code = 0,
               .reason = std::move(reason)};
}

std::string request(int port, std::string_view path, std::string_view more) {
  return "GET " + std::string(path) + " HTTP/1.1\r\nHost: 127.0.0.1:" + std::to_string(port) +
         "\r\n" + std::string(more) + "\r\n";
}

// "HTTP/1.1 101 Switching Protocols"
bool has_status(std::string_view head, std::string_view status) {
  return head.starts_with("HTTP/1.") &&
         head.substr(std::min<std::size_t>(head.size(), 8), 5) == " " + std::string(status) + " ";
}

std::string_view header(std::string_view head, std::string_view name) {
  for (const std::string_view line : split(head, '\n')) {
    const std::size_t colon = line.find(':');
    if (colon != std::string_view::npos && to_lower(line.substr(0, colon)) == name) {
      std::string_view value = line.substr(colon + 1);
      if (value.ends_with('\r')) value.remove_suffix(1);
      return trim(value);
    }
  }
  return {};
}

}  // namespace

std::string inspector_get(int port, std::string_view path) {
  return request(port, path, "");
}

std::string inspector_upgrade(int port, std::string_view path) {
  return request(port, path,
                 "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
                 "Sec-WebSocket-Key: " +
                     std::string(kKey) + "\r\n");
}

// A client masks what it sends, lest proxies take it for something else (5.3, 10.3); on the way to
// our own loopback a mask of zeros does.
std::string inspector_frame(std::string_view text) {
  std::string frame;
  frame += static_cast<char>(kFinal | kText);
  const std::size_t size = text.size();
  const unsigned bytes = size <= kLongestControl ? 0 : size <= 0xFFFF ? 2 : 8;
  const std::size_t length = bytes == 0 ? size : bytes == 2 ? kTwoBytes : kEightBytes;
  frame += static_cast<char>(kMasked | length);
  for (unsigned i = bytes; i > 0; --i) {
    frame += static_cast<char>(static_cast<std::uint64_t>(size) >> (8 * (i - 1)) & 0xFFU);
  }
  frame.append(4, '\0');
  frame += text;
  return frame;
}

Result<std::optional<std::string_view>> InspectorStream::head() const {
  const std::string_view beginning = std::string_view(input_).substr(0, kLongestHead);
  const std::size_t end = beginning.find(kBlankLine);
  if (end != std::string_view::npos) return std::optional(beginning.substr(0, end));
  if (input_.size() >= kLongestHead) return wrong("a head without an end");
  return std::optional<std::string_view>();
}

Result<std::optional<std::string>> InspectorStream::body() {
  NI_TRY(const auto found, head());
  if (!found) return std::optional<std::string>();
  const auto length = parse_number<std::size_t>(header(*found, "content-length"));
  if (!has_status(*found, "200") || !length || *length > kLongestBody) {
    return wrong("no inspector answers there");
  }
  const std::size_t begin = found->size() + kBlankLine.size();
  if (input_.size() - begin < *length) return std::optional<std::string>();
  std::string body = input_.substr(begin, *length);
  input_.erase(0, begin + *length);
  return std::optional(std::move(body));
}

Result<bool> InspectorStream::upgraded() {
  NI_TRY(const auto found, head());
  if (!found) return false;
  if (!has_status(*found, "101") || header(*found, "sec-websocket-accept") != kAccept) {
    return wrong("no WebSocket");
  }
  input_.erase(0, found->size() + kBlankLine.size());
  return true;
}

struct InspectorStream::Frame {
  unsigned opcode = 0;
  bool final = false;
  std::size_t begin = 0;
  std::size_t length = 0;
};

// The first one, once it is whole.
Result<std::optional<InspectorStream::Frame>> InspectorStream::frame() const {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(input_[i]); };
  if (input_.size() < 2) return std::optional<Frame>();
  Frame frame{.opcode = byte(0) & 0x0FU, .final = (byte(0) & kFinal) != 0, .begin = 2};
  const unsigned short_length = byte(1);
  // Reserved bits, a mask: neither is agreed upon.
  if ((byte(0) & 0x70U) != 0 || (short_length & kMasked) != 0) return wrong("an odd frame");
  const bool is_control = frame.opcode >= kClose;
  if (is_control && (!frame.final || short_length > kLongestControl || frame.opcode > kPong)) {
    return wrong("an odd frame");
  }
  if (!is_control && frame.opcode != (is_begun_ ? kContinuation : kText)) {
    return wrong("a frame out of its order");
  }
  const std::size_t bytes = short_length == kTwoBytes ? 2 : short_length == kEightBytes ? 8 : 0;
  if (input_.size() < 2 + bytes) return std::optional<Frame>();
  std::uint64_t length = bytes == 0 ? short_length : 0;
  for (std::size_t i = 0; i < bytes; ++i) {
    length = length << 8U | byte(2 + i);
  }
  if (length > longest_message_ - begun_.size()) return wrong("a message that is too long");
  frame.begin += bytes;
  frame.length = static_cast<std::size_t>(length);
  if (input_.size() - frame.begin < frame.length) return std::optional<Frame>();
  return std::optional(frame);
}

Result<std::optional<std::string>> InspectorStream::message() {
  for (;;) {
    NI_TRY(const auto found, frame());
    if (!found) return std::optional<std::string>();
    if (found->opcode == kClose) return wrong("it has ended the connection");
    // A pong is a courtesy of RFC 6455 that Node never asks for: pings are passed over.
    const bool is_data = found->opcode <= kText;
    if (is_data) begun_.append(input_, found->begin, found->length);
    input_.erase(0, found->begin + found->length);
    if (!is_data) continue;
    is_begun_ = !found->final;
    if (found->final) return std::optional(std::exchange(begun_, {}));
  }
}

}  // namespace ni::wire
