#!/usr/bin/python3
"""The pages that list what the code has: usage pages.py TOP [--write].

- docker/docs/metrics.md: every metric that is rendered, with its kind and help, between the marks; made from the code.
- docker/docs/events.md: every event of nodeinit's own messages, with its levels, as a row between the marks. What a row
  says in its last column is written by hand and kept; a new event gets a row that asks for it.
- src/DESIGN.md: every law of the simulation, between the marks; made from its code.
"""

import re
import sys
from pathlib import Path

BEGIN, END = "<!-- {}:begin -->\n", "<!-- {}:end -->\n"
UNWRITTEN = "…"
LEVELS = ("error", "warn", "info", "debug")

TEXT = r'((?:"(?:[^"\\]|\\.)*"\s*)+)'
METRIC = re.compile(r'\(\s*"(nodeinit_[a-z0-9_]+)",\s*(?:wire::)?MetricType::(\w+),\s*' + TEXT)
# log.warn("event", …), log_.info(…), log().error(…); the supervisor's report(LogLevel::info, "event", …); fail(log, …).
LOGGED = re.compile(r'\blog_?(?:\(\))?\.(error|warn|info|debug)\(\s*"([a-z_]+)"')
REPORTED = re.compile(r'\breport\(((?:[^;"]*?)LogLevel::[^;"]*?),\s*"([a-z_]+)"')
FAILED = re.compile(r'\bfail\(log,\s*"([a-z_]+)"')
ROW = re.compile(r"^\| `([a-z_]+)` \|([^|]*)\|(.*)\|$", re.MULTILINE)


def sources(top):
    return "\n".join(file.read_text() for file in sorted((top / "src").rglob("*.cpp")))


def plain(text):
    return "".join(re.findall(r'"((?:[^"\\]|\\.)*)"', text)).replace('\\"', '"')


def metrics(code):
    found = {name: (kind, plain(text)) for name, kind, text in METRIC.findall(code)}
    lines = ["| metric | kind | |", "|---|---|---|"]
    lines += [f"| `{name}` | {kind} | {text} |" for name, (kind, text) in sorted(found.items())]
    return "\n".join(lines) + "\n"


def events(code, page):
    levels = {}
    for level, name in LOGGED.findall(code):
        levels.setdefault(name, set()).add(level)
    for words, name in REPORTED.findall(code):
        levels.setdefault(name, set()).update(re.findall(r"LogLevel::(\w+)", words))
    for name in FAILED.findall(code):
        levels.setdefault(name, set()).add("error")
    said = {name: text.strip() for name, _, text in ROW.findall(page)}
    lines = ["| event | level | |", "|---|---|---|"]
    for name in sorted(levels):
        which = ", ".join(level for level in LEVELS if level in levels[name])
        lines.append(f"| `{name}` | {which} | {said.get(name, UNWRITTEN)} |")
    return "\n".join(lines) + "\n"


LAW = re.compile(r"\blaw\((?:[^;]*?,)?\s*" + TEXT + r"\);")


def laws(folder):
    found = [plain(text) for file in sorted(folder.glob("*.cpp")) for text in LAW.findall(file.read_text())]
    return "\n".join(f"- {law}" for law in found) + "\n"


def between(page, name, text):
    begin, end = BEGIN.format(name), END.format(name)
    before, found, rest = page.partition(begin)
    _, closed, after = rest.partition(end)
    return before + begin + text + end + after if found and closed else None


def settle(path, wanted, write):
    now = path.read_text()
    if wanted is None:
        return [f"{path.name}: the marks are missing"]
    if write and wanted != now:
        path.write_text(wanted)
        now = wanted
    problems = [] if now == wanted else [f"{path.name} differs from the code; cure: tests/lint/pages.py . --write"]
    unwritten = [name for name, _, text in ROW.findall(now) if text.strip() == UNWRITTEN]
    return problems + [f"{path.name}: {name}: say what it means" for name in unwritten]


def main(words):
    top, write = Path(words[0]), "--write" in words
    code = sources(top)
    metrics_page, events_page = top / "docker/docs/metrics.md", top / "docker/docs/events.md"
    problems = settle(metrics_page, between(metrics_page.read_text(), "metrics", metrics(code)), write)
    page = events_page.read_text()
    problems += settle(events_page, between(page, "events", events(code, page)), write)
    design = top / "src/DESIGN.md"
    problems += settle(design, between(design.read_text(), "laws", laws(top / "tests/simulation")), write)
    print(*problems, f"pages: {len(problems)} problem(s)", sep="\n")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
