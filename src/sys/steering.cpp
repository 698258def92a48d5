// Classic BPF programs for a SO_REUSEPORT group (socket(7), SO_ATTACH_REUSEPORT_CBPF).

#include <linux/filter.h>

#include <cerrno>

#include "sys/sockets.h"

namespace ni::sys {
namespace {

using Program = std::vector<sock_filter>;

constexpr std::uint32_t kAncillary = static_cast<std::uint32_t>(SKF_AD_OFF);
constexpr std::uint32_t kNetworkHeader = static_cast<std::uint32_t>(SKF_NET_OFF);

sock_filter statement(unsigned code, std::uint32_t operand) {
  return {static_cast<std::uint16_t>(code), 0, 0, operand};
}

// A holds a bucket number below members.size(): returns the member of that bucket.
void append_choice(Program& program, std::span<const std::uint32_t> members) {
  for (std::uint32_t bucket = 0; bucket + 1 < members.size(); ++bucket) {
    program.push_back({BPF_JMP | BPF_JEQ | BPF_K, 0, 1, bucket});
    program.push_back(statement(BPF_RET | BPF_K, members[bucket]));
  }
  program.push_back(statement(BPF_RET | BPF_K, members.back()));
}

Result<void> attach(int fd, Program& program) {
  const sock_fprog filter{static_cast<unsigned short>(program.size()), program.data()};
  if (::setsockopt(fd, SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF, &filter, sizeof(filter)) != 0) {
    return Error{.operation = "steer",
                 .subject = "descriptor " + std::to_string(fd),
                 .code = errno,
                 .reason = {}};
  }
  return {};
}

Error bad_size() {
  return {.operation = "steer", .subject = "connections", .code = EINVAL, .reason = {}};
}

}  // namespace

// Linux draws the source ports of successive connections to one destination upwards, in steps of
// 2 to 16 (net/ipv4/inet_hashtables.c, __inet_hash_connect; of 2 before 5.18); other systems and
// gateways count in ones. So a port says how far round a circle its connection is, each one 0.468 of
// a round further, and the members have equal parts of the circle. That factor was found by search:
// the connections of one client are spread more evenly than by lot for steps of 1, 2, 4, 8 and those
// of Linux, and as by lot for 16 and for ports at random (tests/bench/steering_evenness.py).
Result<void> steer_by_port(int fd, std::span<const std::uint32_t> members) {
  if (members.empty() || members.size() > kMostSteered) return bad_size();
  constexpr std::uint32_t kHeader6 = 40;         // RFC 8200
  constexpr std::uint32_t kFactor = 2009228650;  // 0.46781 in 2^-32 rounds
  Program program;
  if (members.size() > 1) {
    program = {
        statement(BPF_LD | BPF_B | BPF_ABS, kNetworkHeader),
        statement(BPF_ALU | BPF_RSH | BPF_K, 4),
        statement(BPF_LDX | BPF_IMM, kHeader6),
        {BPF_JMP | BPF_JEQ | BPF_K, 0, 1, 4},
        // RFC 791: the lower half byte counts words of four bytes.
        statement(BPF_LDX | BPF_B | BPF_MSH, kNetworkHeader),
        // The source port comes first in a TCP header (RFC 9293).
        statement(BPF_LD | BPF_H | BPF_IND, kNetworkHeader),
        statement(BPF_ALU | BPF_MUL | BPF_K, kFactor),
        statement(BPF_ALU | BPF_RSH | BPF_K, 16),
        statement(BPF_ALU | BPF_MUL | BPF_K, static_cast<std::uint32_t>(members.size())),
        statement(BPF_ALU | BPF_RSH | BPF_K, 16),
    };
  }
  append_choice(program, members);
  return attach(fd, program);
}

Result<void> steer_by_address(int fd, std::span<const std::uint32_t> members) {
  if (members.empty() || members.size() > kMostSteered) return bad_size();
  constexpr std::uint32_t kSource4 = kNetworkHeader + 12;  // RFC 791
  constexpr std::uint32_t kSource6 = kNetworkHeader + 8;   // RFC 8200
  Program program{
      // The version is the first half byte of the packet. A v6 source is folded by xor; of a v4 one
      // mapped into v6 nothing is seen here, since the packet itself is v4.
      statement(BPF_LD | BPF_B | BPF_ABS, kNetworkHeader),
      statement(BPF_ALU | BPF_RSH | BPF_K, 4),
      {BPF_JMP | BPF_JEQ | BPF_K, 0, 2, 4},
      statement(BPF_LD | BPF_W | BPF_ABS, kSource4),
      statement(BPF_JMP | BPF_JA, 10),
      statement(BPF_LD | BPF_W | BPF_ABS, kSource6),
      statement(BPF_MISC | BPF_TAX, 0),
      statement(BPF_LD | BPF_W | BPF_ABS, kSource6 + 4),
      statement(BPF_ALU | BPF_XOR | BPF_X, 0),
      statement(BPF_MISC | BPF_TAX, 0),
      statement(BPF_LD | BPF_W | BPF_ABS, kSource6 + 8),
      statement(BPF_ALU | BPF_XOR | BPF_X, 0),
      statement(BPF_MISC | BPF_TAX, 0),
      statement(BPF_LD | BPF_W | BPF_ABS, kSource6 + 12),
      statement(BPF_ALU | BPF_XOR | BPF_X, 0),
      // Neighbours must not share a bucket: Knuth's multiplication, upper bits.
      statement(BPF_ALU | BPF_MUL | BPF_K, 2654435761U),
      statement(BPF_ALU | BPF_RSH | BPF_K, 8),
      statement(BPF_ALU | BPF_MOD | BPF_K, static_cast<std::uint32_t>(members.size())),
  };
  append_choice(program, members);
  return attach(fd, program);
}

}  // namespace ni::sys
