#include "wire/http.h"

#include <fmt/format.h>
#include <http_parser.h>

#include <utility>

#include "base/text.h"

namespace ni::wire {

struct HttpRequestReader::State {
  http_parser parser{};
  HttpRequest request;
  std::string url;
  std::string header;  // the name of the header that is being read
  bool in_value = false;
  std::size_t bytes = 0;
  int refusal = 0;
  Progress progress = Progress::more;

  // A callback's answer: not 0 stops the parser.
  int refuse(int status) {
    refusal = status;
    return 1;
  }
  bool is_accept() const { return to_lower(header) == "accept"; }
};

namespace {

std::string_view reason_of(int status) {
  switch (status) {
    case 200:
      return "OK";
    case 400:
      return "Bad Request";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 408:
      return "Request Timeout";
    case 413:
      return "Payload Too Large";
    case 431:
      return "Request Header Fields Too Large";
    case 503:
      return "Service Unavailable";
    default:
      return "Error";
  }
}

}  // namespace

HttpRequestReader::HttpRequestReader() : state_(std::make_unique<State>()) {
  http_parser_init(&state_->parser, HTTP_REQUEST);
  state_->parser.data = state_.get();
}
HttpRequestReader::HttpRequestReader(HttpRequestReader&&) noexcept = default;
HttpRequestReader& HttpRequestReader::operator=(HttpRequestReader&&) noexcept = default;
HttpRequestReader::~HttpRequestReader() = default;

HttpRequestReader::Progress HttpRequestReader::feed(std::string_view bytes) {
  State& state = *state_;
  if (state.progress != Progress::more) return state.progress;
  static constexpr auto of = [](http_parser* parser) -> State& {
    return *static_cast<State*>(parser->data);
  };
  http_parser_settings settings;
  http_parser_settings_init(&settings);
  settings.on_url = [](http_parser* parser, const char* at, std::size_t size) {
    of(parser).url.append(at, size);
    return 0;
  };
  settings.on_header_field = [](http_parser* parser, const char* at, std::size_t size) {
    State& s = of(parser);
    if (std::exchange(s.in_value, false)) s.header.clear();
    s.header.append(at, size);
    return 0;
  };
  settings.on_header_value = [](http_parser* parser, const char* at, std::size_t size) {
    State& s = of(parser);
    const bool first = !std::exchange(s.in_value, true);
    if (!s.is_accept()) return 0;
    if (first && !s.request.accept.empty()) s.request.accept += ',';  // RFC 9110, 5.3: one list
    s.request.accept.append(at, size);
    return 0;
  };
  settings.on_headers_complete = [](http_parser* parser) {
    State& s = of(parser);
    if (parser->method != HTTP_GET && parser->method != HTTP_HEAD) return s.refuse(405);
    const bool length_given = (parser->flags & F_CONTENTLENGTH) != 0 && parser->content_length > 0;
    if (length_given || (parser->flags & F_CHUNKED) != 0) return s.refuse(413);
    s.request.head = parser->method == HTTP_HEAD;
    s.progress = Progress::done;
    return 1;  // stops here: what follows is not for us
  };
  const bool too_long = state.bytes + bytes.size() > kMostBytes;
  state.bytes += bytes.size();
  const std::size_t read =
      http_parser_execute(&state.parser, &settings, bytes.data(), bytes.size());
  if (state.progress == Progress::done) {
    const std::size_t question = state.url.find('?');
    state.request.path = state.url.substr(0, question);
    if (question != std::string::npos) state.request.query = state.url.substr(question + 1);
  } else if (state.refusal != 0 || read != bytes.size() || state.parser.upgrade != 0) {
    if (state.refusal == 0) state.refusal = 400;
    state.progress = Progress::refused;
  } else if (too_long) {
    state.refusal = 431;
    state.progress = Progress::refused;
  }
  return state.progress;
}

const HttpRequest& HttpRequestReader::request() const {
  return state_->request;
}

int HttpRequestReader::refusal() const {
  return state_->refusal;
}

std::string http_response_text(const HttpResponse& response, bool head) {
  std::string text = fmt::format(
      "HTTP/1.1 {} {}\r\nContent-Type: {}\r\nContent-Length: {}\r\nCache-Control: no-store\r\n"
      "X-Content-Type-Options: nosniff\r\n{}Connection: close\r\n\r\n",
      response.status, reason_of(response.status), response.content_type, response.body.size(),
      response.status == 405 ? "Allow: GET, HEAD\r\n" : "");
  if (!head) text += response.body;
  return text;
}

}  // namespace ni::wire
