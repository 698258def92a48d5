// What comes over a local socket: pieces of bytes with any number of descriptors, read into buffers of
// any size. All bytes arrive in their order; every descriptor is ours alone, is not inherited by a worker
// and is closed when nobody wants it; the addresses and kernel answers that are read so keep their form.

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "fuzz/require.h"
#include "sys/fd.h"
#include "sys/socket_diag.h"
#include "sys/sockets.h"

using namespace ni;

namespace {

void send_with(int fd, std::string_view bytes, std::size_t descriptors, int which) {
  std::array<char, CMSG_SPACE(sizeof(int) * 32)> control{};
  iovec part{const_cast<char*>(bytes.data()), bytes.size()};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  if (descriptors > 0) {
    message.msg_control = control.data();
    message.msg_controllen = CMSG_SPACE(sizeof(int) * descriptors);
    cmsghdr* const header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(int) * descriptors);
    for (std::size_t i = 0; i < descriptors; ++i) {
      std::memcpy(CMSG_DATA(header) + i * sizeof(int), &which, sizeof which);
    }
  }
  FUZZ_REQUIRE(::sendmsg(fd, &message, MSG_NOSIGNAL) == static_cast<ssize_t>(bytes.size()));
}

// The lowest number that is free: a descriptor that leaked would have it.
int lowest_free() {
  const int fd = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
  FUZZ_REQUIRE(fd >= 0);
  ::close(fd);
  return fd;
}

void check_receive(std::string_view input) {
  auto ends = sys::make_socket_pair();
  FUZZ_REQUIRE(static_cast<bool>(ends));
  const sys::UniqueFd given(::open("/dev/null", O_RDONLY));
  const int before = lowest_free();
  std::string sent;
  std::string got;
  std::size_t had = 0;
  for (int i = 0; i < 16 && input.size() >= 2; ++i) {
    const auto head = static_cast<unsigned char>(input[0]);
    const std::string_view piece =
        input.substr(1, std::min<std::size_t>(1 + head % 61U, input.size() - 1));
    const std::size_t descriptors = head % 29U;
    input.remove_prefix(1 + piece.size());
    send_with(ends->first.get(), piece, descriptors, given.get());
    sent += piece;
    had += descriptors;
    std::array<char, 64> buffer{};
    const auto received = sys::receive(ends->second.get(), std::span(buffer).first(1 + head % 64U));
    FUZZ_REQUIRE(received && !received->end);
    got.append(buffer.data(), received->bytes);
    FUZZ_REQUIRE(received->descriptors.size() <= sys::kMostDescriptors);
    for (const sys::UniqueFd& each : received->descriptors) {
      FUZZ_REQUIRE(each.get() > 2 && !sys::is_inheritable(each.get()));
      FUZZ_REQUIRE(sys::identity_of(each.get()) == sys::identity_of(given.get()));
    }
  }
  FUZZ_REQUIRE(std::string_view(sent).starts_with(got));
  ends->first.reset();
  for (bool over = false; !over;) {
    std::array<char, 4096> buffer{};
    const auto received = sys::receive(ends->second.get(), buffer);
    FUZZ_REQUIRE(static_cast<bool>(received));
    got.append(buffer.data(), received->bytes);
    over = received->end;
  }
  FUZZ_REQUIRE(got == sent);
  (void)had;
  FUZZ_REQUIRE(lowest_free() <= before);
}

void check_address(std::string_view text) {
  if (const auto address = sys::SocketAddress::ip(text, 80)) {
    const std::string host = address->host();
    FUZZ_REQUIRE(!host.empty() && address->port() == 80);
    const auto again = sys::SocketAddress::ip(host, 80);
    FUZZ_REQUIRE(again && again->host() == host);
  }
  if (const auto address = sys::SocketAddress::unix_path(text)) {
    const std::string host = address->host();
    FUZZ_REQUIRE(text.starts_with(host) && !to_string(*address).empty());
  }
}

void check_dump(std::string_view bytes) {
  std::size_t sum = 0;
  const auto heard = sys::hear_dump(bytes, [&](std::span<const char> one) {
    FUZZ_REQUIRE(one.data() >= bytes.data() &&
                 one.data() + one.size() <= bytes.data() + bytes.size());
    sum += one.size();
  });
  FUZZ_REQUIRE(sum <= bytes.size());
  FUZZ_REQUIRE(heard == sys::DumpHeard::more || !bytes.empty());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  check_receive(input);
  check_address(input);
  check_dump(input);
  return 0;
}
