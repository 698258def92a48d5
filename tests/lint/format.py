"""The code is laid out by clang-format (.clang-format). usage: format.py TOP [--fix]

Versions differ in taste: only the one of Debian 12 decides, with another the check is skipped (exit 77).
"""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import tree

VERSION = "14"


def main(top, fix) -> int:
    program = shutil.which(f"clang-format-{VERSION}") or shutil.which("clang-format")
    told = subprocess.run([program, "--version"], capture_output=True, text=True, check=True).stdout if program else ""
    if not re.search(rf"version {VERSION}\.", told):
        print(f"clang-format {VERSION} is not installed: not checked")
        return 77
    files = [str(file) for file in tree.sources(top)]
    if fix:
        return subprocess.run([program, "--style=file", "-i", *files], cwd=top, check=False).returncode
    wrong = []
    for file in files:
        done = subprocess.run([program, "--style=file", file], cwd=top, capture_output=True, check=True)
        if done.stdout != (Path(top) / file).read_bytes():
            wrong.append(f"{file}: not as clang-format lays it out; cure: python3 tests/lint/format.py . --fix")
    return tree.report(wrong, "format")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], "--fix" in sys.argv))
