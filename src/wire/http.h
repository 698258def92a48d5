#pragma once

// One HTTP/1 request read, one response written: GET and HEAD, no body, the connection ends after
// it; what a client has sent behind its first request (pipelining) is not read. Parsed by
// http_parser, Node's own until version 12.
//
//   HttpRequestReader reader;
//   switch (reader.feed(bytes)) {
//     case more: …wait…   case done: reader.request() …   case refused: reader.refusal() …
//   }

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace ni::wire {

struct HttpRequest {
  bool head = false;   // HEAD: the same response without its body
  std::string path;    // "/metrics", as it was sent; also of "http://host/metrics"
  std::string query;   // without '?'
  std::string accept;  // the Accept header, "" when there was none
};

class HttpRequestReader {
 public:
  enum class Progress : std::uint8_t { more, done, refused };

  HttpRequestReader();
  HttpRequestReader(HttpRequestReader&&) noexcept;
  HttpRequestReader& operator=(HttpRequestReader&&) noexcept;
  ~HttpRequestReader();

  // After `done` or `refused` nothing is read any more.
  Progress feed(std::string_view bytes);
  const HttpRequest& request() const;
  // Why it was refused, as a status: 400 malformed or without its Host, 405 another method, 413 a
  // body, 431 longer than kMostBytes, 501 a transfer coding that is not chunked, 505 not HTTP/1.
  int refusal() const;

  static constexpr std::size_t kMostBytes = 8192;  // request line and headers

 private:
  struct State;
  std::unique_ptr<State> state_;
};

struct HttpResponse {
  int status = 200;
  std::string content_type = "text/plain; charset=utf-8";
  std::string body;
  std::optional<unsigned> retry_after{};  // seconds; of a 503 that will pass
};

// The whole response as it goes over the wire, "Connection: close" in it.
std::string http_response_text(const HttpResponse& response, bool head);

}  // namespace ni::wire
