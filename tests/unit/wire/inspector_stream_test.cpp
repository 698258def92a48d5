#include "wire/inspector_stream.h"

#include <string>
#include <vector>

#include "support/catch.h"

using namespace ni;
using namespace ni::wire;
using namespace std::string_literals;

namespace {

std::string head_101(const std::string& accept = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=") {
  return "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nSEC-WebSocket-Accept: " +
         accept + "\r\n\r\n";
}

// As Node's server writes it.
std::string frame(unsigned first, const std::string& text) {
  std::string out(1, static_cast<char>(first));
  if (text.size() < 126) return out + static_cast<char>(text.size()) + text;
  const bool two = text.size() <= 0xFFFF;
  out += static_cast<char>(two ? 126 : 127);
  for (int i = two ? 1 : 7; i >= 0; --i) {
    out += static_cast<char>(text.size() >> (8 * i));
  }
  return out + text;
}

std::string why(const std::string& bytes, std::size_t longest = 1000) {
  InspectorStream stream(longest);
  stream.feed(bytes);
  for (;;) {
    const auto message = stream.message();
    if (!message) return message.error().reason;
    if (!*message) return "more";
  }
}

}  // namespace

TEST_CASE("an answer, an upgrade and messages are read in whatever pieces they come") {
  const std::string long_text(70'000, 'x');
  const std::string bytes = "HTTP/1.0 200 OK\r\ncontent-length: 4\r\nX: y\r\n\r\n[{}]" +
                            head_101() + frame(0x81, "one") + frame(0x89, "ping") +
                            frame(0x01, "t") + frame(0x8A, "") + frame(0x00, "w") +
                            frame(0x80, "o") + frame(0x81, long_text);
  for (const std::size_t step : {1U, 2U, 3U, 7U, 1000U, 100'000U}) {
    InspectorStream stream;
    std::vector<std::string> found;
    bool has_body = false;
    bool is_upgraded = false;
    for (std::size_t at = 0; at < bytes.size(); at += step) {
      stream.feed(std::string_view(bytes).substr(at, step));
      if (!has_body) {
        const auto body = stream.body();
        REQUIRE(body);
        has_body = body->has_value();
        if (has_body) CHECK(**body == "[{}]");
      }
      if (has_body && !is_upgraded) {
        const auto upgraded = stream.upgraded();
        REQUIRE(upgraded);
        is_upgraded = *upgraded;
      }
      while (is_upgraded) {
        const auto message = stream.message();
        REQUIRE(message);
        if (!*message) break;
        found.push_back(**message);
      }
    }
    CHECK(found == std::vector<std::string>{"one", "two", long_text});
  }
}

TEST_CASE("what no inspector answers is an error") {
  for (const std::string& bytes :
       {"HTTP/1.0 404 Not Found\r\nContent-Length: 0\r\n\r\n"s, "HTTP/1.0 200 OK\r\n\r\n"s,
        "HTTP/1.0 200 OK\r\nContent-Length: 9999999\r\n\r\n"s,
        "HTTP/1.0 200 OK\r\nContent-Length: -1\r\n\r\n"s, "SSH-2.0\r\n\r\n"s,
        std::string(9000, 'x')}) {
    InspectorStream stream;
    stream.feed(bytes);
    CHECK_FALSE(stream.body());
    CHECK_FALSE(stream.upgraded());
  }
  InspectorStream other_accept;
  other_accept.feed(head_101("AAAA"));
  CHECK_FALSE(other_accept.upgraded());
}

TEST_CASE("frames that were not agreed upon are refused, before they are waited for") {
  CHECK(why(frame(0x88, "\x03\xE8")) == "it has ended the connection");
  CHECK(why(frame(0xC1, "x")) == "an odd frame");                    // a reserved bit
  CHECK(why("\x81\x81"s) == "an odd frame");                         // masked
  CHECK(why(frame(0x09, "x")) == "an odd frame");                    // a control frame in pieces
  CHECK(why(frame(0x89, std::string(126, 'x'))) == "an odd frame");  // too long for one
  CHECK(why(frame(0x8B, "")) == "an odd frame");
  CHECK(why(frame(0x82, "x")) == "a frame out of its order");  // binary
  CHECK(why(frame(0x80, "x")) == "a frame out of its order");  // continues nothing
  CHECK(why(frame(0x01, "x") + frame(0x81, "x")) == "a frame out of its order");
  CHECK(why("\x81\x7E\x03\xE9"s) == "a message that is too long");  // 1001 bytes
  CHECK(why("\x81\x7F\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF"s) == "a message that is too long");
  CHECK(why(frame(0x01, std::string(600, 'x')) + frame(0x80, std::string(401, 'x'))) ==
        "a message that is too long");
  CHECK(why("\x81\x7E\x03\xE8"s) == "more");
}

TEST_CASE("a client's frame is masked and says its length") {
  CHECK(inspector_frame("ab") == "\x81\x82\0\0\0\0ab"s);
  CHECK(inspector_frame(std::string(300, 'x')).substr(0, 8) == "\x81\xFE\x01\x2C\0\0\0\0"s);
  CHECK(inspector_frame(std::string(70'000, 'x')).substr(0, 14) ==
        "\x81\xFF\0\0\0\0\0\x01\x11\x70\0\0\0\0"s);
}

TEST_CASE("a request names the port, as Node's check of its host wants it") {
  CHECK(inspector_get(9229, "/json/list") ==
        "GET /json/list HTTP/1.1\r\nHost: 127.0.0.1:9229\r\n\r\n");
  CHECK(inspector_upgrade(1, "/a").find("\r\nUpgrade: websocket\r\n") != std::string::npos);
}
