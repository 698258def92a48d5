#pragma once

// The bytes of Node's IPC channel (NODE_CHANNEL_FD, serialization json), cut into what the primary
// cares for: one JSON text per line, '\n' at its end. Only lines that begin with {"cmd":"NODE_ are
// kept, and those have a bound; what the program itself sends with process.send() may be megabytes
// and is passed over byte by byte, never kept. Two exceptions: an answer of prom-client's
// (wire/prom_client.h), once the worker was asked for one, and what is addressed to nodeinit
// (wire::parse_availability).
//
// Bun puts the byte 0x02 before its internal lines, and wants it before ours; it is taken off and
// remembered (speaks_bun).
// Descriptors ride on the first byte of their line (a NODE_HANDLE). The primary has no use for any
// that a worker sends: the channel closes them as they come, and each NODE_HANDLE line is reported,
// since each must be answered. node lib/internal/child_process.js, Node 22.23: target._send()
// writes {cmd, type, msg} in this order.

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace ni::wire {

inline constexpr char kBunPrefix = '\x02';
inline constexpr std::size_t kLongestInternalLine = std::size_t{64} << 10U;
inline constexpr std::size_t kLongestMetricsLine = std::size_t{1} << 20U;
inline constexpr std::size_t kLongestAddressedLine = std::size_t{4} << 10U;

struct InternalLine {  // {"cmd":"NODE_…"}, for parse_worker_message()
  std::string text;
};
struct HandleLine {};  // the program sent a handle: answer with one NODE_HANDLE_ACK
struct ReadyLine {};   // process.send('ready')
// {"type":"prom-client:getMetricsRes"…}, whole; empty: it was longer than kLongestMetricsLine.
struct MetricsLine {
  std::string text;
};
// Perhaps for us, by its first key: {"type":"nodeinit:… or {"reason":… A longer one is none.
struct AddressedLine {
  std::string text;
};
struct LineTooLong {
};  // an internal line beyond the bound: the stream is given up, nothing follows
using IpcLine =
    std::variant<InternalLine, HandleLine, ReadyLine, MetricsLine, AddressedLine, LineTooLong>;

class IpcReader {
 public:
  // Takes any cut of the stream; appends what was completed by it, in order.
  void feed(std::string_view bytes, std::vector<IpcLine>& lines);

  // Whether a MetricsLine is given, or passed over as any other user message.
  void expect_metrics(bool expected) { expects_metrics_ = expected; }

  std::uint64_t user_messages() const { return user_messages_; }
  bool speaks_bun() const { return speaks_bun_; }

 private:
  enum class State : std::uint8_t {
    beginning,
    internal,
    handle,
    metrics,
    addressed,
    user,
    given_up
  };
  void classify();
  void finish(std::vector<IpcLine>& lines);
  void keep(std::string_view part, std::vector<IpcLine>& lines);
  void give_up(std::vector<IpcLine>& lines);

  State state_ = State::beginning;
  std::string kept_;  // of the line under way: its beginning, or all of an internal one
  bool prefixed_ = false;
  bool expects_metrics_ = false;
  bool speaks_bun_ = false;
  std::uint64_t user_messages_ = 0;
};

}  // namespace ni::wire
