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

TEST_CASE("of several requests in one packet the first is answered, and the others are not read") {
  const std::string first = "GET /livez?a HTTP/1.1\r\nHost: a\r\nAccept: b\r\n\r\n";
  for (const std::string& next : {first, std::string("POST /x HTTP/1.1\r\nHost: a\r\n\r\n"),
                                  std::string("\x16\x03\x01"), std::string(20'000, 'x')}) {
    HttpRequestReader reader;
    CHECK(reader.feed(first + next) == Progress::done);
    CHECK(reader.request().path == "/livez");
    CHECK(reader.request().query == "a");
    CHECK(reader.request().accept == "b");
  }
  CHECK(refusal_of("POST / HTTP/1.1\r\nHost: a\r\n\r\n" + first) == 405);
  CHECK(refusal_of("GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc" + first) == 413);
}

TEST_CASE("a target may be in absolute form") {
  const auto target_of = [](const std::string& target) {
    HttpRequestReader reader;
    return reader.feed("GET " + target + " HTTP/1.1\r\nHost: a\r\n\r\n") == Progress::done
               ? reader.request().path + "|" + reader.request().query
               : std::to_string(reader.refusal());
  };
  CHECK(target_of("http://a/livez") == "/livez|");
  CHECK(target_of("HTTP://a:9464/livez?x=1") == "/livez|x=1");
  CHECK(target_of("https://[::1]:1/a/b") == "/a/b|");
  CHECK(target_of("http://a") == "/|");
  CHECK(target_of("http://a?x") == "/|x");
  CHECK(target_of("/http://a/b") == "/http://a/b|");
  CHECK(target_of("/livez?http://a") == "/livez|http://a");
  CHECK(target_of("/livez?a?b") == "/livez|a?b");
  CHECK(target_of("http://") == "400");
  CHECK(target_of("http:///livez") == "400");
  CHECK(target_of("ftp://a/livez") == "400");
  CHECK(target_of("/livez#x") == "400");
  CHECK(target_of("*") == "400");
}

TEST_CASE("a request names its host once, from HTTP/1.1 on") {
  CHECK(refusal_of("GET / HTTP/1.1\r\n\r\n") == 400);
  CHECK(refusal_of("GET / HTTP/1.1\r\nHost: a\r\nhost: a\r\n\r\n") == 400);
  CHECK(refusal_of("GET / HTTP/1.1\r\nHost: a b\r\n\r\n") == 400);
  CHECK(refusal_of("GET http://a/ HTTP/1.1\r\n\r\n") == 400);
  CHECK(refusal_of("GET / HTTP/1.1\r\nHost:\r\n\r\n") == 0);
  CHECK(refusal_of("GET / HTTP/1.1\r\nHost: [::1]:9464\r\n\r\n") == 0);
  CHECK(refusal_of("GET / HTTP/1.0\r\n\r\n") == 0);
}

TEST_CASE("what is not a plain GET or HEAD is refused") {
  HttpRequestReader head;
  CHECK(head.feed("HEAD / HTTP/1.0\n\n") == Progress::done);
  CHECK(head.request().head);
  CHECK(refusal_of("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n") == 405);
  CHECK(refusal_of("GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nabcde") == 413);
  CHECK(refusal_of("GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n") == 413);
  CHECK(refusal_of("CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n") == 405);
  CHECK(refusal_of("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n") == 405);
  CHECK(refusal_of("GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n") == 501);
  CHECK(refusal_of("GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n") == 413);
  CHECK(refusal_of("GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n"
                   "Content-Length: 5\r\n\r\n") == 400);
  CHECK(refusal_of("GET / HTTP/2.0\r\nHost: a\r\n\r\n") == 505);
  CHECK(refusal_of("GET /livez\r\n\r\n") == 505);  // HTTP/0.9
  CHECK(refusal_of("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n") == 400);
  CHECK(refusal_of("GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n") ==
        0);
  CHECK(refusal_of("nonsense\r\n\r\n") == 400);
  CHECK(refusal_of("GET  HTTP/1.1\r\n\r\n") == 400);
  CHECK(refusal_of(std::string("\x16\x03\x01\x02\x00", 5)) == 400);  // TLS
  CHECK(refusal_of("GET /" + std::string(9000, 'a')) == 431);
  // In whatever pieces: one that ends behind the bound is too long, one that ends within it is not.
  const std::string long_one =
      "GET / HTTP/1.1\r\nHost: a\r\nX: " + std::string(HttpRequestReader::kMostBytes, 'x') +
      "\r\n\r\n";
  CHECK(refusal_of(long_one) == 431);
  HttpRequestReader in_two;
  CHECK(in_two.feed(long_one.substr(0, HttpRequestReader::kMostBytes)) == Progress::more);
  CHECK(in_two.feed(long_one.substr(HttpRequestReader::kMostBytes)) == Progress::refused);
  CHECK(in_two.refusal() == 431);
}

TEST_CASE("a response says its length and that the connection ends") {
  const std::string text = http_response_text({.status = 503, .body = "no\n"}, false);
  CHECK(text.starts_with("HTTP/1.1 503 Service Unavailable\r\n"));
  CHECK(text.find("Content-Length: 3\r\n") != text.npos);
  CHECK(text.find("Connection: close\r\n") != text.npos);
  CHECK(text.ends_with("\r\n\r\nno\n"));
  CHECK(http_response_text({.status = 503, .body = "", .retry_after = 2}, false)
            .find("Retry-After: 2\r\n") != text.npos);
  CHECK(http_response_text({.body = "no\n"}, true).ends_with("\r\n\r\n"));
}
