"""clang-tidy over src/, with a memory: usage tidy.py TOP BUILD [-j N] [FILE…]

A file that was clean is not looked at again until it, a header of ours that it includes, .clang-tidy or
clang-tidy itself changes. The memory is BUILD/tidy-clean; FILEs restrict the run to some.
"""

import argparse
import concurrent.futures
import hashlib
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import includes
import tree


def digest(top, file, salt) -> str:
    seen, queue, sum_ = set(), [file], hashlib.sha256(salt)
    while queue:
        path = queue.pop()
        if path in seen or not path.is_file():
            continue
        seen.add(path)
        text = path.read_text()
        sum_.update(f"{path.relative_to(top)}\0{text}".encode())
        queue += [top / "src" / header for quote, header in includes.INCLUDE.findall(text) if quote == '"']
    return sum_.hexdigest()


def tidy(build, file) -> tuple:
    done = subprocess.run(
        ["nice", "clang-tidy", "--quiet", "-p", str(build), str(file)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    said = "\n".join(line for line in done.stdout.splitlines() if line.strip())
    return done.returncode, said or done.stderr[-2000:]


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("top", type=Path)
    parser.add_argument("build", type=Path)
    parser.add_argument("-j", type=int, default=2)
    parser.add_argument("files", nargs="*", type=Path)
    asked = parser.parse_args()
    top, build = asked.top.resolve(), asked.build.resolve()
    if not shutil.which("clang-tidy"):
        print("clang-tidy is not installed: not checked")
        return 77
    version = subprocess.run(["clang-tidy", "--version"], capture_output=True, check=True).stdout
    version = b"".join(re.findall(rb"version \S+", version))
    salt = version + (top / ".clang-tidy").read_bytes() + (top / "CMakeLists.txt").read_bytes()
    known = {entry["file"] for entry in json.loads((build / "compile_commands.json").read_text())}
    only = {file.resolve() for file in asked.files}
    files = [top / f for f in tree.sources(top, ("src",), (".cpp",)) if str(top / f) in known]
    sums = {file: digest(top, file, salt) for file in files if not only or file in only}
    memory = build / "tidy-clean"
    memory.mkdir(exist_ok=True)
    fresh = [file for file in sums if not (memory / sums[file]).exists()]
    print(f"clang-tidy: {len(fresh)} of {len(sums)} files to look at", flush=True)
    problems = 0
    with concurrent.futures.ThreadPoolExecutor(asked.j) as pool:
        for file, (code, said) in zip(fresh, pool.map(lambda f: tidy(build, f), fresh)):
            if code == 0:
                (memory / sums[file]).touch()
            else:
                problems += 1
                print(f"{file.relative_to(top)}\n{said}", flush=True)
    return tree.report([], "clang-tidy") if not problems else 1


if __name__ == "__main__":
    sys.exit(main())
