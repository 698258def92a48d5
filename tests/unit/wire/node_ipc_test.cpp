#include "wire/node_ipc.h"

#include "support/catch.h"

using namespace ni::wire;

namespace {

std::vector<IpcLine> read(IpcReader& reader, std::string_view bytes, std::size_t cut) {
  std::vector<IpcLine> lines;
  for (; !bytes.empty(); bytes.remove_prefix(std::min(cut, bytes.size()))) {
    reader.feed(bytes.substr(0, cut), lines);
  }
  return lines;
}

}  // namespace

TEST_CASE("a channel's stream is cut into the same lines however it arrives") {
  const std::string stream =
      R"({"cmd":"NODE_CLUSTER","act":"online","seq":0})"
      "\n\"ready\"\n\"ready or not\"\n{\"type\":\"metrics\",\"n\":1}\n"
      R"({"cmd":"NODE_HANDLE","type":"net.Socket","msg":{"a":1},"key":"x"})"
      "\n{\"cmd\":\"NODE_HANDLE_ACK\"}\n7\n\n{\"cmd\":\"NODE\"}\n{\"cmd\":\"NODE_HANDLE\"}\n";
  for (std::size_t cut = 1; cut <= stream.size(); ++cut) {
    IpcReader reader;
    const std::vector<IpcLine> lines = read(reader, stream, cut);
    REQUIRE(lines.size() == 5);
    CHECK(std::get<InternalLine>(lines[0]).text ==
          R"({"cmd":"NODE_CLUSTER","act":"online","seq":0})");
    CHECK(std::holds_alternative<ReadyLine>(lines[1]));
    CHECK(std::holds_alternative<HandleLine>(lines[2]));
    CHECK(std::get<InternalLine>(lines[3]).text == R"({"cmd":"NODE_HANDLE_ACK"})");
    CHECK(std::holds_alternative<HandleLine>(lines[4]));
    CHECK(reader.user_messages() == 6);
    CHECK_FALSE(reader.speaks_bun());
  }
}

TEST_CASE("what may be addressed to nodeinit is kept, up to a bound, however it arrives") {
  const std::string ready = R"({"type":"nodeinit:ready"})";
  const std::string other_order = R"({"reason":"no database","type":"nodeinit:not-ready"})";
  const std::string stream = ready + "\n" + other_order + "\n" + R"({"type":"nodeinit","n":1})" +
                             "\n{\"reason\":\"" + std::string(kLongestAddressedLine, 'x') +
                             "\"}\n\"ready\"\n";
  for (std::size_t cut = 1; cut <= stream.size(); cut += cut < 200 ? 1 : 997) {
    IpcReader reader;
    const std::vector<IpcLine> lines = read(reader, stream, cut);
    REQUIRE(lines.size() == 3);
    CHECK(std::get<AddressedLine>(lines[0]).text == ready);
    CHECK(std::get<AddressedLine>(lines[1]).text == other_order);
    CHECK(std::holds_alternative<ReadyLine>(lines[2]));
    CHECK(reader.user_messages() == 5);
  }
}

TEST_CASE("Bun's prefix is taken off its internal lines") {
  IpcReader reader;
  const auto lines =
      read(reader, "\x02{\"cmd\":\"NODE_CLUSTER\",\"act\":\"online\",\"seq\":0}\n", 5);
  REQUIRE(lines.size() == 1);
  CHECK(std::get<InternalLine>(lines[0]).text ==
        R"({"cmd":"NODE_CLUSTER","act":"online","seq":0})");
  CHECK(reader.speaks_bun());
}

TEST_CASE("a message of the program may be as long as it likes and costs no memory") {
  IpcReader reader;
  std::vector<IpcLine> lines;
  reader.feed("{\"blob\":\"", lines);
  const std::string part(65536, 'x');
  for (int i = 0; i < 256; ++i) reader.feed(part, lines);
  reader.feed("\"}\n{\"cmd\":\"NODE_HANDLE\",\"msg\":\"", lines);
  for (int i = 0; i < 256; ++i) reader.feed(part, lines);
  reader.feed("\"}\n\"ready\"\n", lines);
  REQUIRE(lines.size() == 2);
  CHECK(std::holds_alternative<HandleLine>(lines[0]));
  CHECK(std::holds_alternative<ReadyLine>(lines[1]));
}

TEST_CASE("an internal line without an end gives the stream up") {
  IpcReader reader;
  std::vector<IpcLine> lines;
  reader.feed(R"({"cmd":"NODE_CLUSTER","act":")", lines);
  reader.feed(std::string(kLongestInternalLine, 'x'), lines);
  reader.feed("\n\"ready\"\n", lines);
  REQUIRE(lines.size() == 1);
  CHECK(std::holds_alternative<LineTooLong>(lines[0]));
}

TEST_CASE("an answer of prom-client is kept while one is expected, up to a bound") {
  const std::string answer = R"({"type":"prom-client:getMetricsRes","requestId":1,"metrics":[]})";
  for (const bool expected : {false, true}) {
    for (std::size_t cut = 1; cut <= answer.size(); ++cut) {
      IpcReader reader;
      reader.expect_metrics(expected);
      std::vector<IpcLine> lines;
      for (std::string_view rest = answer; !rest.empty();
           rest.remove_prefix(std::min(cut, rest.size()))) {
        reader.feed(rest.substr(0, cut), lines);
      }
      reader.feed("\n{\"type\":\"other\"}\n\"ready\"\n", lines);
      REQUIRE(lines.size() == (expected ? 2 : 1));
      if (expected) CHECK(std::get<MetricsLine>(lines.front()).text == answer);
      CHECK(std::holds_alternative<ReadyLine>(lines.back()));
      CHECK(reader.user_messages() == 3);
    }
  }
  IpcReader reader;
  reader.expect_metrics(true);
  std::vector<IpcLine> lines;
  reader.feed(answer, lines);
  for (int i = 0; i < 20; ++i) reader.feed(std::string(100'000, ' '), lines);
  reader.feed("\n", lines);
  reader.feed(answer + "\n", lines);
  REQUIRE(lines.size() == 2);
  CHECK(std::get<MetricsLine>(lines[0]).text.empty());
  CHECK(std::get<MetricsLine>(lines[1]).text == answer);
}
