"""A file is a noun: 500 lines are never passed. usage: length.py TOP"""

import sys
from pathlib import Path

import tree

LIMIT = 500
SUFFIXES = (".h", ".cpp", ".py", ".sh", ".js", ".mjs", ".c")


def check(top) -> list:
    problems = []
    for file in tree.sources(top, folders=("src", "tests", "docker"), suffixes=SUFFIXES):
        lines = (Path(top) / file).read_text().count("\n")
        if lines > LIMIT:
            problems.append(f"{file}: {lines} lines, more than {LIMIT}")
    return problems


if __name__ == "__main__":
    sys.exit(tree.report(check(sys.argv[1]), "length"))
