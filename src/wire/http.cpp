#include "wire/http.h"

#include <fmt/format.h>
#include <http_parser.h>

#include <algorithm>
#include <utility>

#include "base/text.h"

namespace ni::wire {

struct HttpRequestReader::State {
  http_parser parser{};
  HttpRequest request;
  std::string url;
  std::string header;  // the name of the header that is being read
  std::string value;
  std::string host;
  unsigned hosts = 0;
  bool in_value = false;
  bool coded = false;  // a Transfer-Encoding
  std::size_t bytes = 0;
  int refusal = 0;
  Progress progress = Progress::more;

  void refuse(int status) {
    refusal = status;
    progress = Progress::refused;
  }
  void end_header();
  void judge();
  int fault() const;
  bool take_target();
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
    case 501:
      return "Not Implemented";
    case 503:
      return "Service Unavailable";
    case 505:
      return "HTTP Version Not Supported";
    default:
      return "Error";
  }
}

// A callback's answer: stops the parser. 1 would not, in on_headers_complete: it means "no body", and
// the next request would be read into this one.
constexpr int kStop = -1;

// RFC 9110, 7.2: a host with or without a port, or nothing. What no host has tells of a request that
// another server would read in another way.
bool may_be_host(std::string_view text) {
  return text.find_first_of(" \t,/?#@\\\"<>") == std::string_view::npos;
}

bool is_web(std::string_view scheme) {
  const std::string lower = to_lower(scheme);
  return lower == "http" || lower == "https";
}

}  // namespace

void HttpRequestReader::State::end_header() {
  const std::string name = to_lower(std::exchange(header, {}));
  const std::string_view text = trim(value);
  if (name == "host") {
    ++hosts;
    host = text;
  } else if (name == "accept") {
    request.accept += request.accept.empty() ? "" : ",";  // RFC 9110, 5.3: one list
    request.accept += text;
  } else if (name == "transfer-encoding") {
    coded = true;
  }
  value.clear();
  in_value = false;
}

// The request line and all headers are there.
void HttpRequestReader::State::judge() {
  end_header();
  const int status = fault();
  if (status != 0) {
    refuse(status);
    return;
  }
  request.head = parser.method == HTTP_HEAD;
  progress = Progress::done;
}

// As a status; 0: none.
int HttpRequestReader::State::fault() const {
  if (parser.http_major != 1) return 505;
  // RFC 9112, 3.2: HTTP/1.1 has exactly one Host, which may be empty; HTTP/1.0 need not have one.
  if (hosts > 1 || (hosts == 0 && parser.http_minor > 0) || !may_be_host(host)) return 400;
  if (parser.method != HTTP_GET && parser.method != HTTP_HEAD) return 405;
  if (coded && (parser.flags & F_CHUNKED) == 0) return 501;  // RFC 9112, 6.1
  if (coded || ((parser.flags & F_CONTENTLENGTH) != 0 && parser.content_length > 0)) return 413;
  return 0;
}

// Path and query of "/path?query" or, RFC 9112, 3.2.2, of "http://host/path?query".
bool HttpRequestReader::State::take_target() {
  std::string_view rest = url;
  if (const std::size_t colon = rest.find("://"); colon != rest.npos && !rest.starts_with('/')) {
    if (!is_web(rest.substr(0, colon))) return false;
    rest.remove_prefix(colon + 3);
    const std::size_t end = std::min(rest.find_first_of("/?#"), rest.size());
    if (end == 0) return false;
    rest.remove_prefix(end);
  } else if (!rest.starts_with('/')) {
    return false;  // "*" is for OPTIONS alone
  }
  if (rest.find('#') != rest.npos) return false;
  const std::size_t question = rest.find('?');
  const std::string_view path = rest.substr(0, question);
  request.path = path.empty() ? "/" : path;
  request.query = question == rest.npos ? "" : rest.substr(question + 1);
  return true;
}

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
    if (s.in_value) s.end_header();
    s.header.append(at, size);
    return 0;
  };
  settings.on_header_value = [](http_parser* parser, const char* at, std::size_t size) {
    State& s = of(parser);
    s.in_value = true;
    s.value.append(at, size);
    return 0;
  };
  settings.on_headers_complete = [](http_parser* parser) {
    of(parser).judge();
    return kStop;  // what follows is not for us
  };
  // Never more than the bound, so that it does not matter in what pieces the bytes come.
  const std::string_view part = bytes.substr(0, kMostBytes - state.bytes);
  if (part.empty() && !bytes.empty()) {
    state.refuse(431);
    return state.progress;
  }
  state.bytes += part.size();
  const std::size_t read = http_parser_execute(&state.parser, &settings, part.data(), part.size());
  if (state.progress == Progress::more) {
    if (read != part.size() || state.parser.upgrade != 0) {
      state.refuse(400);
    } else if (part.size() < bytes.size()) {
      state.refuse(431);
    }
  } else if (state.progress == Progress::done && !state.take_target()) {
    state.refuse(400);
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
      "X-Content-Type-Options: nosniff\r\n{}{}Connection: close\r\n\r\n",
      response.status, reason_of(response.status), response.content_type, response.body.size(),
      response.status == 405 ? "Allow: GET, HEAD\r\n" : "",
      response.retry_after ? fmt::format("Retry-After: {}\r\n", *response.retry_after) : "");
  if (!head) text += response.body;
  return text;
}

}  // namespace ni::wire
