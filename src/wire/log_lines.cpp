#include "wire/log_lines.h"

#include <fmt/format.h>

#include <array>
#include <cstring>
#include <iterator>

#include "wire/json_scan.h"
#include "wire/json_text.h"

namespace ni::wire {
namespace {

using namespace std::string_view_literals;

constexpr std::array<std::string_view, 5> kJsonFields = {"program", "slot", "pid", "stream",
                                                         "time"};
constexpr unsigned kTimeField = 4;

std::string_view short_name(LogStream stream) {
  return stream == LogStream::out ? "out" : "err";
}
std::string_view full_name(LogStream stream) {
  return stream == LogStream::out ? "stdout" : "stderr";
}

// Cyan, green, magenta, blue, yellow for slots; red is stderr's.
constexpr std::array<int, 5> kSlotColours = {36, 32, 35, 34, 33};

// Where to cut a line that is too long: at `most`, or before the UTF-8 sequence that would be torn
// there.
std::size_t piece_length(std::string_view line, std::size_t most) {
  for (std::size_t back = 0; back < 4 && back < most; ++back) {
    const auto byte = static_cast<unsigned char>(line[most - back]);
    if ((byte & 0xC0U) != 0x80U) return most - back;  // a sequence begins here
  }
  return most;  // not UTF-8 anyway
}

bool is_blank(char c) {
  return c == ' ' || c == '\t';
}

// A line of a stack trace: "    at f (file:1:2)".
bool is_frame(std::string_view line) {
  const std::size_t word = line.find_first_not_of(" \t");
  return word != 0 && word != std::string_view::npos && line.substr(word).starts_with("at ");
}

// Behind a first frame: more of them, "[cause]: …", "code: 'X'" and the brace behind these.
bool belongs_to_trace(std::string_view line) {
  return !line.empty() && (is_blank(line.front()) || line.front() == '}');
}

// The line that begins `text` is so long, without its newline. How long it is together with the
// stack trace behind it, as far as that is there as whole lines: node writes it in one piece.
std::size_t with_trace(std::string_view text, std::size_t length, std::size_t most) {
  const std::size_t line = length;
  while (true) {
    const std::string_view rest = text.substr(length + 1);
    const std::size_t end = rest.find('\n');
    const bool more =
        end != std::string_view::npos && length + 1 + end <= most &&
        (length == line ? is_frame(rest.substr(0, end)) : belongs_to_trace(rest.substr(0, end)));
    if (!more) return length;
    length += 1 + end;
  }
}

}  // namespace

std::uint64_t count_lines(std::string_view text) noexcept {
  // So many fit into a byte's count, and a vector of such counts adds many bytes of text at once
  // (-O3). A multiple of every vector's length in use.
  constexpr std::size_t kPiece = 192;
  std::uint64_t lines = 0;
  while (!text.empty()) {
    const std::string_view piece = text.substr(0, kPiece);
    std::uint8_t in_piece = 0;
    for (const char byte : piece) {
      in_piece = static_cast<std::uint8_t>(in_piece + (byte == '\n' ? 1 : 0));
    }
    lines += in_piece;
    text.remove_prefix(piece.size());
  }
  return lines;
}

LineCutter::LineCutter(const LogRendering& rendering, const LogOrigin& origin)
    : rendering_(rendering) {
  describe(origin);
}

void LineCutter::describe(const LogOrigin& origin) {
  const std::string_view name = full_name(origin.stream);
  mark_continues_ = fmt::format("[nodeinit: slot {} {}, line continues]\n", origin.slot, name);
  mark_continued_ = fmt::format("[nodeinit: slot {} {}, continued]", origin.slot, name);

  prefix_ = rendering_.show_program ? fmt::format("{}/{}", origin.program, origin.slot)
                                    : fmt::format("{}", origin.slot);
  if (rendering_.colour) {
    const int colour = kSlotColours[origin.slot % kSlotColours.size()];
    const int bar = origin.stream == LogStream::out ? colour : 31;
    prefix_ = fmt::format("\x1b[{}m{} \x1b[{}m{} |\x1b[0m ", colour, prefix_, bar,
                          short_name(origin.stream));
  } else {
    prefix_ += fmt::format(" {} | ", short_name(origin.stream));
  }

  json_origin_[0] = ",\"program\":";
  (void)append_json_string(json_origin_[0], origin.program);
  json_origin_[1] = fmt::format(",\"slot\":{}", origin.slot);
  json_origin_[2] = fmt::format(",\"pid\":{}", origin.pid);
  json_origin_[3] = fmt::format(",\"stream\":\"{}\"", name);
  json_level_ = origin.stream == LogStream::out ? ",\"level\":\"info\"" : ",\"level\":\"error\"";
  time_ms_ = -1;
}

LineCutter::Cut LineCutter::cut(std::string_view text, Rest rest, std::int64_t now_ns,
                                fmt::memory_buffer& scratch) {
  const bool passes =
      rest == Rest::passes && rendering_.shape != LogShape::json && part_ == 0 &&
      text.size() - (text.rfind('\n') + 1) <= rendering_.largest_line;  // npos + 1 is 0
  const bool last = rest == Rest::is_a_line || passes;
  if (rendering_.shape == LogShape::as_is) return {text, text.size(), count_lines(text)};
  if (rendering_.shape == LogShape::lines && part_ == 0 && text.size() <= rendering_.largest_line) {
    // The usual case: no line here can be too long, so whatever ends in a newline goes out as it
    // came.
    const std::size_t end = last ? text.size() : text.rfind('\n') + 1;  // npos + 1 is 0
    const std::string_view ready = text.substr(0, end);
    return {ready, end, count_lines(ready)};
  }
  if (rendering_.shape == LogShape::json && now_ns / 1'000'000 != time_ms_) {
    time_ms_ = now_ns / 1'000'000;
    json_time_ = fmt::format(",\"time\":\"{}\"", utc_timestamp(now_ns));
    json_all_ = json_time_;
    for (const std::string& member : json_origin_) json_all_ += member;
  }
  scratch.clear();
  Cut result;
  while (!text.empty() && scratch.size() < kBlock) {
    const void* const found = std::memchr(text.data(), '\n', text.size());
    const bool ended = found != nullptr;
    const std::size_t length =
        ended ? static_cast<std::size_t>(static_cast<const char*>(found) - text.data())
              : text.size();
    const bool too_long = length > rendering_.largest_line;
    if (!ended && !too_long && !last) break;
    const bool may_have_trace = rendering_.shape == LogShape::json && ended && part_ == 0 &&
                                text.front() != '{';  // an object has it inside
    const std::size_t taken = too_long         ? piece_length(text, rendering_.largest_line)
                              : may_have_trace ? with_trace(text, length, rendering_.largest_line)
                                               : length;
    const bool unfinished = passes && !ended && !too_long;
    const std::string_view line = text.substr(0, taken);
    render({line, ended && !too_long, too_long, unfinished}, scratch);
    const std::size_t used = taken + (ended && !too_long ? 1 : 0);
    text.remove_prefix(used);
    result.used += used;
    result.lines += too_long || unfinished ? 0 : 1 + (taken > length ? count_lines(line) : 0);
  }
  result.ready = {scratch.data(), scratch.size()};
  return result;
}

void LineCutter::render(const Line& line, fmt::memory_buffer& out) {
  if (rendering_.shape == LogShape::json) {
    render_json(line, out);
  } else {
    if (rendering_.shape == LogShape::prefix && !amid_line_) out.append(prefix_);
    amid_line_ = line.passes;
    if (part_ > 0) out.append(mark_continued_);
    out.append(line.with_newline());
    if (line.continues) out.append(mark_continues_);
  }
  if (line.continues) {
    lines_split_ += part_ == 0 ? 1 : 0;
    ++part_;
  } else {
    part_ = 0;
  }
}

void LineCutter::append_parts(const Line& line, fmt::memory_buffer& out) const {
  if (part_ == 0 && !line.continues) return;
  fmt::format_to(std::back_inserter(out), ",\"part\":{}", part_ + 1);
  if (!line.continues) out.append(",\"last_part\":true"sv);
}

void LineCutter::render_json(const Line& line, fmt::memory_buffer& out) {
  const bool whole = part_ == 0 && !line.continues;
  // A line that begins otherwise is not worth a scan.
  const bool maybe_object = whole && line.text.find_first_not_of(" \t") != std::string_view::npos &&
                            line.text[line.text.find_first_not_of(" \t")] == '{';
  const ObjectScan scan = maybe_object ? scan_json_object(line.text, kJsonFields) : ObjectScan{};
  if (scan.is_object && !rendering_.wrap_json) {
    out.append(line.text.substr(0, scan.close));
    if (scan.known == 0 && !scan.empty) {
      out.append(json_all_);
      out.append("}\n"sv);
      return;
    }
    bool first = scan.empty;
    const auto add = [&](std::string_view member) {  // begins with a comma
      out.append(first ? member.substr(1) : member);
      first = false;
    };
    if ((scan.known & 1U << kTimeField) == 0) add(json_time_);
    for (unsigned i = 0; i < kTimeField; ++i) {
      if ((scan.known & 1U << i) == 0) add(json_origin_[i]);
    }
    out.append("}\n"sv);
    return;
  }
  out.push_back('{');
  out.append(std::string_view(json_all_).substr(1));
  append_parts(line, out);
  if (!scan.is_object) out.append(json_level_);
  out.append(",\"message\":"sv);
  if (scan.is_object) {
    out.append(line.text);
  } else if (!append_json_string(out, line.text)) {
    out.append(",\"message_base64\":\""sv);
    append_base64(out, line.text);
    out.push_back('"');
  }
  out.append("}\n"sv);
}

}  // namespace ni::wire
