"""exit.*: the worker's end is the init's, and a start that fails says why."""

import os
import tempfile
import time
from pathlib import Path

from .harness import PATH, case, check, probe

FATAL = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 24, 25, 26, 27, 29, 30, 31, 34, 50, 64]


@case("exit.0-255")
def _(init):
    """every exit status 0..255 is passed on"""
    for code in range(256):
        found, _, err = init.run(["sh", "-c", f"exit {code}"])
        check(found == code, f"{code} came as {found}: {err}")


@case("exit.signal")
def _(init):
    """death by signal n gives 128+n (all fatal signals and three real-time ones)"""
    for number in FATAL:
        found, _, err = init.run(probe("die", number))
        check(found == 128 + number, f"signal {number} came as {found}: {err}")


@case("exit.fast-child")
def _(init):
    """200 children that end at once: no hang, right status"""
    for attempt in range(200):
        code = 3 + attempt % 3
        found, _, err = init.run(["sh", "-c", f"exit {code}"], timeout=5)
        check(found == code, f"{found}, not {code}: {err}")


@case("exit.not-found")
def _(init):
    """a command that does not exist gives 127"""
    for command in ("no-such-command-here", "/no/such/command"):
        code, _, _ = init.run([command])
        check(code == 127, f"{command}: {code}")


@case("exit.not-found-message", "extra")
def _(init):
    """... and a message on stderr that names the command"""
    _, _, err = init.run(["no-such-command-here"])
    check("no-such-command-here" in err, err)


@case("exit.not-executable")
def _(init):
    """a file without x bit, and a directory, give 126"""
    for command in ("/etc/passwd", "/etc"):
        code, _, _ = init.run([command])
        check(code == 126, f"{command}: {code}")


def script(content, mode=0o755):
    handle, path = tempfile.mkstemp(prefix="nodeinit-case-")
    os.write(handle, content)
    os.fchmod(handle, mode)
    os.close(handle)
    return Path(path)


@case("exit.enoexec", "extra")
def _(init):
    """a file of an unknown format gives an error status (126, or what a shell makes of it), never 0"""
    for content in (b"\x7fELF\x02\x01\x01\0garbage", b"\0\1\2\3", b""):
        path = script(content)
        try:
            code, _, _ = init.run([str(path)])
        finally:
            path.unlink()
        # An empty file is an empty script to execvp(3): 0 is what POSIX makes of it.
        check(code != 0 or not content, f"{content!r}: {code}")


@case("exit.bad-interpreter", "extra")
def _(init):
    """a script whose interpreter is missing gives 126 or 127"""
    path = script(b"#!/no/such/interpreter\n")
    try:
        code, _, _ = init.run([str(path)])
    finally:
        path.unlink()
    check(code in (126, 127), str(code))


@case("exit.no-command", "extra")
def _(init):
    """no command at all: usage on stderr, a status that is not 0, within a second"""
    began = time.monotonic()
    code, _, err = init.run([])
    check(code != 0 and err.strip(), f"{code} {err!r}")
    check(time.monotonic() - began < 1, "slow")


@case("exit.path-search")
def _(init):
    """the command is looked up in PATH; a relative path works from the working directory"""
    with tempfile.TemporaryDirectory() as folder:
        for name, code in (("there", 41), ("here", 42)):
            (Path(folder) / name).mkdir()
            (Path(folder) / name / "tool").write_text(f"#!/bin/sh\nexit {code}\n")
            (Path(folder) / name / "tool").chmod(0o755)
        os.chmod(folder, 0o755)
        env = {"PATH": f"/no/such/folder:{folder}/there:{folder}/here:{PATH}"}
        found = [init.run(["tool"], env=env)[0], init.run(["./here/tool"], cwd=folder)[0],
                 init.run(["here/tool"], cwd=folder)[0]]  # fmt: skip
    check(found == [41, 42, 42], str(found))


@case("exit.no-path", "extra")
def _(init):
    """with no PATH in the environment the default path is used"""
    code, _, err = init.run(["sh", "-c", "exit 5"], env={})
    check(code == 5, f"{code} {err}")
