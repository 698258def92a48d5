"""Each lint finds what it is there for, and lets pass what is right. usage: self_test.py CXX AR NM"""

import contextlib
import io
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

import includes
import length
import pages
import purity
import references
import words

CXX, AR, NM = sys.argv[1:4]


class Lints(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.top = Path(folder.name)

    def write(self, name, text):
        path = self.top / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def test_core_may_not_include_sys_uv_or_a_clock(self):
        self.write("src/sys/fd.h", "")
        self.write("src/core/plan.h", "")
        for line in ('#include "sys/fd.h"', "# include <uv.h>", "#include <unistd.h>", "#include <ctime>",
                     '#include "../sys/fd.h"', "#include <yaml.h>", '#include "plan.h"'):  # fmt: skip
            self.write("src/core/worker.cpp", line + "\n")
            self.assertEqual(len(includes.check(self.top)), 1, line)
        self.write("src/core/worker.cpp", '#include "core/plan.h"\n#include <vector>\n#include <fmt/core.h>\n')
        self.assertEqual(includes.check(self.top), [])

    def test_loop_may_not_include_core_and_app_may_include_all(self):
        self.write("src/core/plan.h", "")
        self.write("src/loop/channel.h", '#include "core/plan.h"\n')
        self.assertEqual(len(includes.check(self.top)), 1)
        self.write("src/loop/channel.h", "#include <uv.h>\n#include <sys/socket.h>\n")
        self.write("src/app/run.cpp", '#include "core/plan.h"\n#include "loop/channel.h"\n')
        self.assertEqual(includes.check(self.top), [])

    def test_a_room_may_include_only_what_it_is_linked_to(self):
        self.write("src/CMakeLists.txt", "nodeinit_room(base)\nnodeinit_room(core/plan base)\n"
                   "nodeinit_room(core/slot base)\nnodeinit_room(core/report core/plan)\n")  # fmt: skip
        for name in ("base/text.h", "core/plan/plan.h", "core/slot/slot.h"):
            self.write(f"src/{name}", "")
        self.write("src/core/report/status.h", '#include "core/plan/plan.h"\n#include "base/text.h"\n')
        self.assertEqual(includes.check(self.top), [])
        self.write("src/core/report/status.h", '#include "core/slot/slot.h"\n')
        self.write("src/core/plan/plan.h", '#include "core/report/status.h"\n')
        self.assertEqual(len(includes.check(self.top)), 2)

    def test_an_include_that_hides_is_found(self):
        self.write("src/core/worker.cpp", "#define H <uv.h>\n#include H\n")
        self.assertEqual(len(includes.check(self.top)), 1)

    def test_what_is_used_must_be_included(self):
        self.write("src/base/types.h", "#include <cstdint>\n")
        self.write("src/base/a.cpp", "std::uint8_t a;  // std::vector\n")
        self.assertEqual(len(includes.check(self.top)), 1)
        self.write("src/base/a.cpp", '#include "base/types.h"\nstd::uint8_t a;\n')
        self.assertEqual(includes.check(self.top), [])

    def test_a_reference_to_what_is_not_there_is_found(self):
        self.write("src/core/plan/plan.h", "// See core/plan/plan.h, core/plan/plan and node src/node.cc.\n")
        self.write("tests/README.md", "`src/core/plan` [a](../src/core/plan/plan.h) [b](#here)\n\n## Here\n")
        self.assertEqual(references.check(self.top), [])
        self.write("src/core/plan/plan.h", "// See core/plan.h\n// and src/core/gone.h.\n")
        self.assertEqual(len(references.check(self.top)), 2)
        self.write("src/core/plan/plan.h", "")
        self.write("tests/README.md", "`src/core/gone` [a](gone.md) [b](#there)\n\n## Here\n")
        self.assertEqual(len(references.check(self.top)), 3)

    def test_where_is_names_files_and_what_they_have(self):
        self.write("src/core/plan.cpp", "int make_plan() { return 1; }\n")
        page = "## Where is …?\n\n| question | answer |\n|---|---|\n"
        self.write("src/README.md", page + "| a plan made? | `core/plan.cpp`, `make_plan` |\n")
        self.assertEqual(references.check(self.top), [])
        for row in ("| a? | `core/gone.cpp` |", "| a? | `core/plan.cpp`, `make_bread` |", "| a? | `make_plan` |"):
            self.write("src/README.md", page + row + "\n")
            self.assertEqual(len(references.check(self.top)), 1, row)

    def purity_of(self, body):
        source, made = self.top / "unit.cpp", self.top / "unit.o"
        source.write_text(body)
        subprocess.run([CXX, "-std=c++20", "-O1", "-c", source, "-o", made], check=True)
        archive = self.top / "lib.a"
        archive.unlink(missing_ok=True)
        subprocess.run([AR, "rc", archive, made], check=True)
        return purity.check(NM, [str(archive)])

    def test_a_call_that_touches_the_world_is_found(self):
        for body in ("#include <unistd.h>\nint f() { return getpid(); }",
                     "#include <cstdlib>\nconst char* f() { return std::getenv(\"A\"); }",
                     "#include <chrono>\nauto f() { return std::chrono::steady_clock::now(); }",
                     "#include <random>\nunsigned f() { return std::random_device{}(); }",
                     "#include <cstdio>\nvoid f() { std::puts(\"a\"); }",
                     "#include <fstream>\nvoid f() { std::ofstream(\"a\") << 1; }",
                     "namespace ni::sys { int g(); }\nint f() { return ni::sys::g(); }"):  # fmt: skip
            self.assertTrue(self.purity_of(body), body)

    def test_computing_is_pure(self):
        body = """#include <map>
            #include <string>
            #include <vector>
            #include <cmath>
            namespace ni { int helper(const std::string&); }
            double f(const std::vector<std::string>& v) {
              std::map<std::string, int> m;
              for (const auto& s : v) { if (s.empty()) throw s; m[s] = ni::helper(s); }
              return std::pow(double(m.size()), 1.5);
            }"""
        self.assertEqual(self.purity_of(body), [])

    def test_a_metric_and_an_event_that_no_page_lists_are_found(self):
        self.write("src/a.cpp", 'single("nodeinit_x_total", MetricType::counter, "How " "many.", 1);\n'
                   'report(LogLevel::warn, "worker_odd", "is odd", worker, turn); log_.info(\n"all_well", text);\n')  # fmt: skip
        self.write("tests/simulation/world.cpp", 'law(a < b,\n    "a stop " "ends");\nlaw(c, "nobody is left");\n')
        self.write("src/DESIGN.md", "<!-- laws:begin -->\n<!-- laws:end -->\n")
        for name in ("metrics", "events"):
            self.write(f"docker/docs/{name}.md", f"<!-- {name}:begin -->\n<!-- {name}:end -->\n")
        with contextlib.redirect_stdout(io.StringIO()) as said:
            self.assertEqual(pages.main([str(self.top)]), 1)
            self.assertEqual(pages.main([str(self.top), "--write"]), 1)
        self.assertIn("worker_odd: say what it means", said.getvalue())
        metrics, events = ((self.top / f"docker/docs/{name}.md").read_text() for name in ("metrics", "events"))
        self.assertIn("\n- a stop ends\n- nobody is left\n", (self.top / "src/DESIGN.md").read_text())
        self.assertIn("| `nodeinit_x_total` | counter | How many. |", metrics)
        self.write("docker/docs/events.md", events.replace("…", "it is odd"))
        with contextlib.redirect_stdout(io.StringIO()):
            self.assertEqual(pages.main([str(self.top)]), 0)

    def test_long_files_and_foreign_words_are_found(self):
        self.write("src/core/a.cpp", "\n" * 501)
        self.write("src/core/b.cpp", "// the ma" + "ster\n")
        self.write("README.md", "see /ro" + "ot/x\n")
        self.assertEqual(len(length.check(self.top)), 1)
        self.assertEqual(len(words.check(self.top)), 2)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
