#!/usr/bin/python3
"""The table of engines in docker/docs/engines.md: what was run, in which engine, and what came of it.

    NODEINIT_ENGINE_RESULTS=FILE pytest --long tests/container      notes the results in FILE (added to what it has)
    tests/container/table.py FILE...                                writes them between the marks there
    tests/container/table.py --rows                                 the rows that tests promise, one a line

A cell is `+` when every test of the row passed in that engine, `FAILED` when one did not, `·` when it was not run
there: the reason stands beside the test that skips it.
"""

import json
import re
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
PAGE = HERE.parents[1] / "docker/docs/engines.md"
BEGIN, END = "<!-- engines:begin -->\n", "<!-- engines:end -->\n"
COLUMNS = ("runc", "podman", "docker", "containerd")

_noted = {"versions": {}, "rows": {}}


def note_version(engine):
    _noted["versions"][engine.name] = engine.version()


def note(row, engine, outcome):
    seen = _noted["rows"].setdefault(row, {})
    # The worst of several tests: failed, then passed, then skipped.
    order = ("skipped", "passed", "failed")
    seen[engine] = max(seen.get(engine, "skipped"), outcome, key=order.index)


def write_results(file):
    path = Path(file)
    before = json.loads(path.read_text()) if path.exists() else {"versions": {}, "rows": {}}
    path.write_text(json.dumps(merged([before, _noted]), indent=1) + "\n")


# Later results of a cell replace earlier ones; a skipped one replaces none.
def merged(results) -> dict:
    total = {"versions": {}, "rows": {}}
    for result in results:
        total["versions"] |= result["versions"]
        for row, cells in result["rows"].items():
            seen = total["rows"].setdefault(row, {})
            seen |= {engine: what for engine, what in cells.items() if what != "skipped" or engine not in seen}
    return total


# The rows in the order in which the tests are written; none may be missing from the page.
def rows() -> list:
    found = []
    for file in ("test_engines.py", "test_live.py", "test_cri.py", "test_play.py", "test_builds.py"):
        path = HERE / file
        for row in re.findall(r'\bshows\(\s*"([^"]+)"', path.read_text() if path.exists() else ""):
            found += [] if row in found else [row]
    return found


def text(result) -> str:
    signs = {"passed": "+", "failed": "FAILED"}
    versions = result["versions"]
    titles = [f"{name} {versions.get(name, '')}".strip() for name in COLUMNS]
    lines = [f"| what was run | {' | '.join(titles)} |", "|---|" + "---|" * len(COLUMNS)]
    for row in rows():
        cells = result["rows"].get(row, {})
        lines.append(f"| {row} | " + " | ".join(signs.get(cells.get(name), "·") for name in COLUMNS) + " |")
    return "\n".join(lines) + "\n"


def table_in() -> str:
    return PAGE.read_text().partition(BEGIN)[2].partition(END)[0]


def main(words):
    if words == ["--rows"]:
        print(*rows(), sep="\n")
        return 0
    if not words or words[0].startswith("-"):
        print(__doc__, file=sys.stderr)
        return 64
    result = merged(json.loads(Path(file).read_text()) for file in words)
    before, begin, rest = PAGE.read_text().partition(BEGIN)
    _, end, after = rest.partition(END)
    assert begin and end, f"no marks in {PAGE}"
    PAGE.write_text(before + begin + text(result) + end + after)
    failed = [row for row in rows() if "failed" in result["rows"].get(row, {}).values()]
    print(f"{len(rows())} rows, {len(failed)} with a failure", *failed, sep="\n")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
