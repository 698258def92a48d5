#pragma once

// What a client of Node's inspector reads and writes: one answer of HTTP, then a WebSocket (RFC 6455)
// of text messages, as far as node src/inspector_socket.cc speaks them. The bytes are read in
// whatever pieces they come; each kind of answer has a bound, and what passes it is an error.
//
//   → inspector_get(9229, "/json/list")   ← body(): [{"id": "…", …}]
//   → inspector_upgrade(9229, "/…id…")    ← upgraded()
//   → inspector_frame(R"({"id":1,…})")    ← message(), message(), …

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace ni::wire {

std::string inspector_get(int port, std::string_view path);
std::string inspector_upgrade(int port, std::string_view path);
std::string inspector_frame(std::string_view text);

class InspectorStream {
 public:
  static constexpr std::size_t kLongestHead = 8192;
  static constexpr std::size_t kLongestBody = std::size_t{1} << 20U;
  static constexpr std::size_t kLongestMessage = std::size_t{64} << 20U;

  explicit InspectorStream(std::size_t longest_message = kLongestMessage)
      : longest_message_(longest_message) {}

  void feed(std::string_view bytes) { input_.append(bytes); }

  // Each: nothing yet; what there is; an Error (code 0), after which nothing is right any more.
  Result<std::optional<std::string>> body();  // of an answer 200
  Result<bool> upgraded();
  Result<std::optional<std::string>> message();  // Error also: the other side has ended it

 private:
  struct Frame;
  Result<std::optional<std::string_view>> head() const;
  Result<std::optional<Frame>> frame() const;

  std::size_t longest_message_;
  std::string input_;
  std::string begun_;  // a message of several frames, as far as it has come
  bool is_begun_ = false;
};

}  // namespace ni::wire
