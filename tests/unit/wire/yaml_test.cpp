#include "wire/yaml.h"

#include "support/catch.h"

using namespace ni::wire;

namespace {

std::string json_of(std::string_view yaml) {
  const auto parsed = parse_yaml(yaml);
  return parsed ? parsed->text() : "error: " + to_string(parsed.error());
}

}  // namespace

TEST_CASE("YAML stands for the JSON that js-yaml makes of it") {
  CHECK(json_of("apps:\n  - name: web\n    script: ./a.js\n    instances: 4\n    watch: no\n") ==
        R"({"apps":[{"name":"web","script":"./a.js","instances":4,"watch":"no"}]})");
  CHECK(json_of("{a: [1, -2, 0x1F, 0o17, 1.5, 1e3, ~, null, True, false]}") ==
        R"({"a":[1,-2,31,15,1.5,1000.0,null,null,true,false]})");
  CHECK(json_of("a: '1'\nb: \"x\\ty\"\nc: 300M\nd: 1.2.3\ne: -x\nf: 012\n") ==
        R"({"a":"1","b":"x\ty","c":"300M","d":"1.2.3","e":"-x","f":12})");
  CHECK(json_of("a: |\n  two\n  lines\nb: >\n  one\n  line\n") ==
        R"({"a":"two\nlines\n","b":"one line\n"})");
  CHECK(json_of("a:\nb: ''\n") == R"({"a":null,"b":""})");
  CHECK(json_of("") == "null");
  CHECK(json_of("# only a comment\n") == "null");
}

TEST_CASE("YAML repeats by aliases and merge keys") {
  CHECK(json_of("base: &b {x: 1, y: 2}\nweb:\n  <<: *b\n  y: 3\nref: *b\n") ==
        R"({"base":{"x":1,"y":2},"web":{"y":3,"x":1},"ref":{"x":1,"y":2}})");
  CHECK(json_of("web: {<<: [{x: 1}, {x: 2, z: 3}]}") == R"({"web":{"x":1,"z":3}})");
  CHECK(json_of("'<<': 1") == R"({"<<":1})");
}

TEST_CASE("what is no YAML of ours is refused with its place") {
  CHECK(json_of("a: [1, 2\n").find("YAML: 2:1: ") != std::string::npos);
  CHECK(json_of("a: *nobody\n").find("1:4: found undefined alias") != std::string::npos);
  CHECK(json_of("a: 1\n---\nb: 2\n").find("3:1: a second document follows") != std::string::npos);
  CHECK(json_of("? [a, b]\n: 1\n").find("a key must be") != std::string::npos);
  CHECK(json_of("a: &a [*a]\n").find("inside itself") != std::string::npos);
  CHECK(json_of(std::string(100, '[')).find("error") == 0);
  CHECK(json_of("a: \xff\xfe\n").find("error") == 0);
}

TEST_CASE("a small text cannot repeat itself into a huge one") {
  std::string laughs = "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n";
  for (int i = 1; i < 9; ++i) {
    const std::string before = "*a" + std::to_string(i - 1);
    laughs += "a" + std::to_string(i) + ": &a" + std::to_string(i) + " [";
    for (int j = 0; j < 10; ++j) laughs += before + ",";
    laughs += "]\n";
  }
  CHECK(json_of(laughs).find("too much is repeated") != std::string::npos);
}
