#!/usr/bin/python3
"""Runs the cases against several inits and prints a table in Markdown.

    table.py [--cases PREFIX] [--check] [INIT…]       default: every init that is installed

+ passes, - fails, blank: the machine cannot show it. --check: ends with 1 unless nodeinit passes everything and the
others fail where they are known to (a case that nobody can fail shows nothing).
"""

import argparse
import shutil
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from integration.init import harness  # noqa: E402
from integration.init.all_cases import CASES  # noqa: E402

# Measured with tini 0.19.0, dumb-init 1.2.5 and catatonit 0.1.7 (Debian 12).
KNOWN = {
    "tini": ["reap.parent-ignored-chld", "fd.closed-stdin", "fd.broken-stderr", "idle.wakeups", "orphan.term-first",
             "sig.sync", "nopid1.subreaper"],
    "dumb-init": ["sig.early", "exit.not-found", "orphan.grace", "nopid1.subreaper", "init.releases-fds"],
    "catatonit": ["reap.parent-ignored-chld", "child.sigmask", "tty.job-control", "fd.broken-stderr", "exit.not-found",
                  "exit.not-found-message", "sig.jobctl", "orphan.term-first"],
    "bash": ["sig.std", "sig.rt", "sig.inside", "exit.no-command", "orphan.term-first"],
}  # fmt: skip


def verdict(case, init):
    try:
        case.judge(init)
        return "+", ""
    except harness.Skip as why:
        return " ", str(why)
    except (AssertionError, OSError, ValueError, IndexError, KeyError) as why:  # an init may break a case anywhere
        return "-", f"{type(why).__name__}: {why}"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", default="", help="only those whose name begins so")
    parser.add_argument("--check", action="store_true")
    parser.add_argument("inits", nargs="*")
    options = parser.parse_args()
    names = options.inits or [n for n, init in harness.INITS.items() if shutil.which(init.command[0])]
    cases = [case for case in CASES.values() if case.name.startswith(options.cases)]
    print("| case | tag | " + " | ".join(names) + " |")
    print("|---|---|" + "---|" * len(names), flush=True)
    wrong = []
    passed = dict.fromkeys(names, 0)
    for case in cases:
        row = []
        for name in names:
            sign, why = verdict(case, harness.INITS[name])
            row.append(sign)
            passed[name] += sign == "+"
            if sign == "-":
                print(f"{name} {case.name}: {' '.join(why.split())[:200]}", file=sys.stderr, flush=True)
            if (sign == "-") if name == "nodeinit" else (sign == "+" and case.name in KNOWN[name]):
                wrong.append(f"{name} {case.name}: {sign}")
        print(f"| {case.name} | {case.tag} | " + " | ".join(row) + " |", flush=True)
    print(f"| **passed of {len(cases)}** | | " + " | ".join(str(passed[name]) for name in names) + " |")
    for line in wrong:
        print("not as known: " + line, file=sys.stderr)
    return 1 if wrong and options.check else 0


if __name__ == "__main__":
    sys.exit(main())
