// However a text is cut into reads, the lines that come out are the text: byte for byte in `lines`
// and `prefix` when the marks are taken away, message for message in `json`; `as_is` each read at
// once and without any mark.

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/text.h"
#include "fuzz/require.h"
#include "wire/json.h"
#include "wire/json_text.h"
#include "wire/log_lines.h"

using namespace ni;
using namespace ni::wire;

namespace {

constexpr LogOrigin kOrigin{.program = "web", .slot = 7, .pid = 12, .stream = LogStream::err};

// The text goes in by pieces of `step` bytes.
std::string through(const LogRendering& rendering, std::string_view text, std::size_t step,
                    LineCutter::Rest meanwhile = LineCutter::Rest::waits) {
  LineCutter cutter(rendering, kOrigin);
  std::string kept;
  std::string out;
  fmt::memory_buffer scratch;
  const auto drain = [&](bool last) {
    while (true) {
      const LineCutter::Cut cut =
          cutter.cut(kept, last ? LineCutter::Rest::is_a_line : meanwhile, 0, scratch);
      FUZZ_REQUIRE(cut.used <= kept.size());
      FUZZ_REQUIRE(cut.used > 0 || cut.ready.empty());
      out += cut.ready;
      if (cut.used == 0) return;
      kept.erase(0, cut.used);
    }
  };
  while (!text.empty()) {
    kept += text.substr(0, step);
    text.remove_prefix(std::min(step, text.size()));
    drain(false);
    FUZZ_REQUIRE(kept.size() <= (rendering.shape == LogShape::as_is ? 0 : rendering.largest_line));
  }
  drain(true);
  FUZZ_REQUIRE(kept.empty());
  return out;
}

void remove_all(std::string& text, std::string_view what) {
  for (std::size_t at = text.find(what); at != std::string::npos; at = text.find(what, at)) {
    text.erase(at, what.size());
  }
}

void check_text(const LogRendering& rendering, std::string out, std::string_view text) {
  if (rendering.shape == LogShape::prefix) {
    std::string bare;
    for (const std::string_view line : split(out, '\n')) {
      FUZZ_REQUIRE(line.empty() || line.starts_with("7 err | "));
      bare += line.substr(std::min<std::size_t>(8, line.size()));
      bare += '\n';
    }
    bare.pop_back();
    out = bare;
  }
  remove_all(out,
             "[nodeinit: slot 7 stderr, line continues]\n[nodeinit: slot 7 stderr, continued]");
  FUZZ_REQUIRE(out == text);
}

void check_json(const LogRendering& rendering, std::string_view out, std::string_view text) {
  std::string joined;
  for (const std::string_view line : split(out, '\n')) {
    if (line.empty()) continue;  // after the last newline
    const auto json = Json::parse(line, {.bytes = std::size_t{1} << 24U, .depth = 100});
    if (!json) {
      // The parser has narrower numbers than JSON; such an object passed by as it was.
      FUZZ_REQUIRE(text.find_first_of("0123456789") != std::string_view::npos);
      return;
    }
    FUZZ_REQUIRE(json->at("slot"));
    if (!json->at("message").string() || !json->at("time").equals("1970-01-01T00:00:00.000Z")) {
      return;  // an object passed by as it was
    }
    joined += json->at("message").string().value_or("");
    if (!json->at("part") || json->at("last_part")) joined += '\n';
  }
  const bool utf8 = valid_utf8_prefix(text) == text.size();
  const bool objects = text.find('{') != std::string_view::npos;
  if (utf8 && !objects && !rendering.wrap_json) {
    FUZZ_REQUIRE(joined == std::string(text) + (text.empty() || text.ends_with('\n') ? "" : "\n"));
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 3) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data) + 3, size - 3);
  const LogRendering rendering{.shape = static_cast<LogShape>(data[0] % 4),
                               .wrap_json = (data[0] & 0x40U) != 0,
                               .largest_line = data[1] % 2 == 0 ? 4U + data[1] : 1U << 16U};
  const std::string whole = through(rendering, text, std::max<std::size_t>(1, text.size()));
  FUZZ_REQUIRE(whole == through(rendering, text, 1U + data[2]));
  FUZZ_REQUIRE(rendering.shape == LogShape::json || text.size() > rendering.largest_line ||
               whole == through(rendering, text, 1U + data[2], LineCutter::Rest::passes));
  if (rendering.shape == LogShape::as_is) {
    FUZZ_REQUIRE(whole == text);
    return 0;
  }
  if (text.find("[nodeinit") != std::string_view::npos) return 0;  // it plays with our marks
  if (rendering.shape == LogShape::json) {
    check_json(rendering, whole, text);
  } else {
    check_text(rendering, whole, text);
  }
  return 0;
}
