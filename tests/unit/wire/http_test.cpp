#include "wire/http.h"

#include <string>

#include "support/catch.h"

using namespace ni::wire;
using Progress = HttpRequestReader::Progress;

namespace {

int refusal_of(std::string_view text) {
  HttpRequestReader reader;
  return reader.feed(text) == Progress::refused ? reader.refusal() : 0;
}

}  // namespace

TEST_CASE("a request is read in whatever pieces it comes") {
  const std::string text =
      "GET /metrics?name=x&y HTTP/1.1\r\nHost: a\r\nACCEPT: text/plain\r\nX: y\r\naccept: "
      "b/c;q=0.5\r\n\r\n";
  for (std::size_t step = 1; step <= text.size(); ++step) {
    HttpRequestReader reader;
    Progress progress = Progress::more;
    for (std::size_t at = 0; at < text.size(); at += step) {
      REQUIRE(progress == Progress::more);
      progress = reader.feed(std::string_view(text).substr(at, step));
    }
    REQUIRE(progress == Progress::done);
    CHECK(reader.request().path == "/metrics");
    CHECK(reader.request().query == "name=x&y");
    CHECK(reader.request().accept == "text/plain,b/c;q=0.5");
    CHECK_FALSE(reader.request().head);
  }
}

TEST_CASE("what is not a plain GET or HEAD is refused") {
  HttpRequestReader head;
  CHECK(head.feed("HEAD / HTTP/1.0\n\n") == Progress::done);
  CHECK(head.request().head);
  CHECK(refusal_of("POST / HTTP/1.1\r\nContent-Length: 0\r\n\r\n") == 405);
  CHECK(refusal_of("GET / HTTP/1.1\r\nContent-Length: 5\r\n\r\nabcde") == 413);
  CHECK(refusal_of("GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n") == 413);
  CHECK(refusal_of("CONNECT a:1 HTTP/1.1\r\n\r\n") == 405);
  CHECK(refusal_of("nonsense\r\n\r\n") == 400);
  CHECK(refusal_of("GET  HTTP/1.1\r\n\r\n") == 400);
  CHECK(refusal_of(std::string("\x16\x03\x01\x02\x00", 5)) == 400);  // TLS
  CHECK(refusal_of("GET /" + std::string(9000, 'a')) == 431);
}

TEST_CASE("a response says its length and that the connection ends") {
  const std::string text = http_response_text({.status = 503, .body = "no\n"}, false);
  CHECK(text.starts_with("HTTP/1.1 503 Service Unavailable\r\n"));
  CHECK(text.find("Content-Length: 3\r\n") != text.npos);
  CHECK(text.find("Connection: close\r\n") != text.npos);
  CHECK(text.ends_with("\r\n\r\nno\n"));
  CHECK(http_response_text({.body = "no\n"}, true).ends_with("\r\n\r\n"));
}
