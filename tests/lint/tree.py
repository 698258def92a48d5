"""The files of the repository, for the lints."""

import os
import subprocess
from pathlib import Path

_SKIPPED = {".git", "node_modules", "__pycache__", ".pytest_cache"}


# Tracked and new files, relative to `top`; without git (an unpacked archive) every file but build folders.
def files(top) -> list:
    top = Path(top)
    listed = subprocess.run(
        ["git", "-C", top, "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        capture_output=True,
        check=False,
    )
    if listed.returncode == 0 and (top / ".git").exists():
        names = [Path(os.fsdecode(name)) for name in listed.stdout.split(b"\0") if name]
    else:
        names = [
            path.relative_to(top)
            for path in top.rglob("*")
            if not any(part in _SKIPPED or part.startswith("build") for part in path.relative_to(top).parts)
        ]
    return sorted(name for name in set(names) if (top / name).is_file())


def sources(top, folders=("src", "tests"), suffixes=(".h", ".cpp")) -> list:
    return [f for f in files(top) if f.parts[0] in folders and f.suffix in suffixes]


def report(problems, what) -> int:
    for problem in problems:
        print(problem)
    print(f"{what}: {len(problems)} problem(s)")
    return 1 if problems else 0
