#pragma once

// The way of a worker's text: bytes as they came out of its pipe are cut into lines and rendered
// for our output.
//
//   as_is    the bytes as they came, an unfinished line too: a prompt, dots of progress
//   lines    as they are, each when it is whole, or when its beginning has to pass (Rest::passes)
//   prefix   "0 out | " before each, "web/0 out | " when there are several programs
//   json     {"time":"…","program":"web","slot":0,"pid":12,"stream":"stdout","level":"info",
//            "message":"…"}, "error" for stderr, which console.error and console.warn write to.
//            A line and the stack trace behind it are one message, as far as they come together.
//            A line that is a JSON object already stays as it is and gets, at its end, those of the
//            fields that it does not have; or, with `wrap_json`, it becomes the value of "message".
//            A line that is not UTF-8 has U+FFFD in "message" and its exact bytes in
//            "message_base64".
//
// Nothing else changes a byte: blank lines, CRLF (the \r belongs to the line), NUL, escape
// sequences. A last line without newline stays without one, but in json. A line longer than
// `largest_line` is cut at this bound (never within a UTF-8 sequence) and the pieces are marked,
// but for as_is:
//
//   lines, prefix   …[nodeinit: slot 0 stdout, line continues]⏎
//                   [nodeinit: slot 0 stdout, continued]…
//   json            "part":1, "part":2 … and "last_part":true in the last
//
// One LineCutter serves one pipe. It holds no text: the caller keeps what was not used.

#include <fmt/format.h>

#include <cstdint>
#include <string>
#include <string_view>

namespace ni::wire {

enum class LogShape : std::uint8_t { lines, prefix, json, as_is };
enum class LogStream : std::uint8_t { out, err };

struct LogRendering {
  LogShape shape = LogShape::lines;
  bool wrap_json = false;
  bool show_program = false;  // in prefixes
  bool colour = false;        // in prefixes
  std::size_t largest_line = 256 * 1024;
};

struct LogOrigin {
  std::string_view program;
  std::uint32_t slot = 0;
  int pid = 0;
  LogStream stream = LogStream::out;
};

class LineCutter {
 public:
  LineCutter(const LogRendering& rendering, const LogOrigin& origin);

  // Whose lines these are, from now on (the pid is known after the pipe was made).
  void describe(const LogOrigin& origin);

  struct Cut {
    std::string_view ready;   // to be written: a part of `text`, or of `scratch`
    std::size_t used = 0;     // so many bytes of `text` are done with
    std::uint64_t lines = 0;  // ended in `ready`; as_is: newlines
  };

  // What becomes of text behind the last newline: it waits for its end; it is passed on as it is,
  // its end will follow (a prompt; in json it waits); or there is no more, it is a line.
  enum class Rest : std::uint8_t { waits, passes, is_a_line };

  // Renders what is whole in `text` (as_is: all of it): what an earlier call did not use, and what
  // came since. Once about kBlock bytes are ready it stops: call again with the rest while `used`
  // is not 0. scratch: emptied and filled, at most kBlock and one rendered line.
  Cut cut(std::string_view text, Rest rest, std::int64_t now_ns, fmt::memory_buffer& scratch);

  // Another's text has come between what was passed on of a line and its end, which begins a line
  // of its own then.
  void interrupted() { amid_line_ = false; }

  static constexpr std::size_t kBlock = 128 * 1024;

  std::uint64_t lines_split() const { return lines_split_; }

 private:
  struct Line {
    std::string_view text;  // without its newline
    bool ended;             // by a newline, which stands behind `text`
    bool continues;         // in the next piece
    bool passes = false;    // its end will follow
    std::string_view with_newline() const { return {text.data(), text.size() + (ended ? 1 : 0)}; }
  };
  void render(const Line& line, fmt::memory_buffer& out);
  void render_json(const Line& line, fmt::memory_buffer& out);
  void append_parts(const Line& line, fmt::memory_buffer& out) const;

  LogRendering rendering_;
  std::string prefix_;
  std::string mark_continues_;  // with its newline
  std::string mark_continued_;
  std::string_view json_level_;  // ,"level":"error"
  std::string json_origin_[4];   // ,"program":"web"  ,"slot":0  ,"pid":12  ,"stream":"stdout"
  std::string json_time_;        // ,"time":"…"
  std::string json_all_;         // the five together, time first
  std::int64_t time_ms_ = -1;    // for which these two stand
  unsigned part_ = 0;            // pieces of the current line that are out
  bool amid_line_ = false;       // its beginning was passed on
  std::uint64_t lines_split_ = 0;
};

// How many bytes of `text` are newlines.
std::uint64_t count_lines(std::string_view text) noexcept;

}  // namespace ni::wire
