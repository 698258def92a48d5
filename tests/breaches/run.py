#!/usr/bin/env python3
"""Do the tests notice when a promise is broken?  tests/breaches/run.py [--check] [WORD…]

Each breach of breaches.toml is put into a copy of the sources (build-breaches/), built, and judged by the test
that must notice it. Prints one line for each, and ends with 1 when a test let one through or a breach fits the
code no longer. --check only sees that each fits (seconds). WORD: only breaches whose promise or file has it.
"""

import os
import pathlib
import shutil
import subprocess
import sys
import time
import tomllib

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
COPY = ROOT / "build-breaches"
LONGEST = 900  # seconds for one test; a breach that makes it hang is noticed, too


def misfits(breaches):
    """Breaches whose code is not there, or more than once."""
    for breach in breaches:
        found = (ROOT / breach["file"]).read_text().count(breach["code"])
        if found != 1:
            yield f"{breach['file']}: the code of “{breach['promise']}” is there {found} times"


def quietly(command, **options):
    """The result of a command, with what it printed."""
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=LONGEST, check=False, **options)
    except subprocess.TimeoutExpired:
        return None


def prepare():
    """A copy of the sources with a build folder that knows them."""
    for name in quietly(["git", "-C", ROOT, "ls-files"]).stdout.splitlines():
        source, copy = ROOT / name, COPY / name
        if source.is_file() and not (copy.is_file() and copy.read_bytes() == source.read_bytes()):
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, copy)
    launcher = ["-DCMAKE_CXX_COMPILER_LAUNCHER=ccache"] if quietly(["which", "ccache"]).returncode == 0 else []
    for command in (["cmake", "--preset", "quick", *launcher], ["cmake", "--build", "--preset", "quick"]):
        subprocess.run(command, cwd=COPY, check=True, stdout=subprocess.DEVNULL)


def judge(by):
    """Whether the tests pass with what is built now."""
    build = COPY / "build-quick"
    target = by if not by.startswith("integration/") else "nodeinit"
    built = quietly(["cmake", "--build", "--preset", "quick", "--target", target], cwd=COPY)
    if built is None or built.returncode != 0:
        sys.exit(f"the breach does not build:\n{built.stdout if built else 'it takes too long'}")
    if target == "nodeinit":
        paths = [f"tests/{word}" if word.startswith("integration/") else word for word in by.split()]
        ran = quietly([sys.executable, "-m", "pytest", "-q", "-x", "-c", "tests/pytest.ini", *paths],
                      cwd=COPY, env={**os.environ, "NODEINIT": str(build / "nodeinit")})  # fmt: skip
    else:
        program = next(path for path in build.rglob(target) if path.is_file() and os.access(path, os.X_OK))
        ran = quietly([program], cwd=build, env={"NODEINIT_SEEDS": "1000", **os.environ})
    return ran is not None and ran.returncode == 0


def main():
    """Puts in each breach, and says who noticed."""
    words = [word for word in sys.argv[1:] if word != "--check"]
    breaches = tomllib.loads((pathlib.Path(__file__).parent / "breaches.toml").read_text())["breach"]
    breaches = [each for each in breaches if not words or any(word in each["promise"] + each["file"] for word in words)]
    wrong = list(misfits(breaches))
    print("\n".join(wrong) or f"{len(breaches)} breaches fit the code")
    if wrong or "--check" in sys.argv:
        sys.exit(bool(wrong))
    prepare()
    survived = 0
    for breach in breaches:
        place = COPY / breach["file"]
        whole = place.read_text()
        begin = time.monotonic()
        try:
            place.write_text(whole.replace(breach["code"], breach["broken"]))
            lived = judge(breach["by"])
        finally:
            place.write_text(whole)
        survived += lived
        verdict = "SURVIVED" if lived else "noticed"
        print(f"{verdict:9} {time.monotonic() - begin:5.0f} s  {breach['by'].split()[0]:24} {breach['promise']}", flush=True)
    print(f"{len(breaches) - survived} of {len(breaches)} noticed")
    sys.exit(survived > 0)


main()
