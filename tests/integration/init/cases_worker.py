"""child.*, init.*, fd.*: what the worker is given, and what the init keeps."""

import os
import resource
import signal
import subprocess
import time

from .harness import PATH, case, check, probe, until


def fields(text):
    return dict(line.split(" ", 1) if " " in line else (line, "") for line in text.splitlines())


def state(init, **how):
    code, out, err = init.run(probe("state"), **how)
    check(code == 0, f"{code} {err}")
    return fields(out)


@case("child.sigmask")
def _(init):
    """the child starts with an empty signal mask"""
    check(state(init)["mask"] == "0", state(init)["mask"])


@case("child.dispositions")
def _(init):
    """the child starts with no ignored signals (PIPE, CHLD, INT, TTOU ... all default)"""
    check(state(init)["ignored"] == "", state(init)["ignored"])


@case("child.mask-policy", "extra")
def _(init):
    """with HUP and TERM blocked and PIPE ignored by the parent the child is clean, or just as the parent had it"""
    found = state(init, stage=["-p", "-b", "1", "-b", "15", "-i", "13"])
    check((found["mask"], found["ignored"]) in (("0", ""), ("4001", "13")), f"{found['mask']} {found['ignored']}")


@case("child.fds")
def _(init):
    """no descriptor of the init leaks into the child: 0, 1, 2 only"""
    check(state(init)["descriptors"] == "0 1 2", state(init)["descriptors"])


@case("child.fd-inherit", "extra")
def _(init):
    """a descriptor that the parent passes on (7, as in socket activation) reaches the child"""
    read, write = os.pipe()
    try:
        code, _, err = init.run(["sh", "-c", "echo hello >&7"], pass_fds=(7,), setup=lambda: os.dup2(write, 7))
        check(code == 0, err)
        check(os.read(read, 100) == b"hello\n", "not the pipe")
    finally:
        os.close(read)
        os.close(write)


@case("init.releases-fds", "extra")
def _(init):
    """... and the init itself does not keep it open (the reader sees EOF when the child closes it)"""
    read, write = os.pipe()
    try:
        # The stage, which waits for the init, holds the pipe too: so no EOF here, and /proc is asked instead.
        with init.start(["sh", "-c", "exec 7>&-; echo closed; sleep 20"], pass_fds=(7,),
                        setup=lambda: os.dup2(write, 7)) as run:  # fmt: skip
            run.line("closed")
            until(lambda: "7" not in os.listdir(f"/proc/{run.pid}/fd"), "the init lets go of 7", 0.5)
    finally:
        os.close(read)
        os.close(write)


WORDS = ["", " ", "a b", "two\nlines", "tab\t", "grüße", "日本", "-x", "--", "--help", "$HOME", "*", "'\"\\", "="]
BAD = b"bad \xff\xfe utf-8"


@case("child.argv")
def _(init):
    """argv reaches the child unchanged: empty, spaces, newlines, UTF-8, bad UTF-8, options, --"""
    given = [*WORDS, os.fsdecode(BAD)]
    code, out, err = init.run([*probe("words"), *given])
    check(code == 0, err)
    found = [bytes.fromhex(line[9:]) for line in out.splitlines() if line.startswith("argument ")][2:]
    check(found == [os.fsencode(word) for word in given], str(found))


@case("child.env")
def _(init):
    """the environment reaches the child byte for byte, in order"""
    env = {"Z": "1", "PATH": PATH, "A": "", "M": "two\nlines", "BAD": os.fsdecode(BAD), "_": "x", "b.c-d": "ü", "E": "==="}
    code, out, err = init.run(probe("words"), env=env)
    check(code == 0, err)
    found = [bytes.fromhex(line[9:]) for line in out.splitlines() if line.startswith("variable ")]
    check(found == [os.fsencode(f"{k}={v}") for k, v in env.items()], str(found))


@case("child.big")
def _(init):
    """1.5 MB of arguments and environment pass (ARG_MAX), nothing cut"""
    words = ["x" * 100_000] * 8
    env = {"PATH": PATH, **{f"V{i}": "y" * 100_000 for i in range(7)}}
    code, out, err = init.run(["sh", "-c", 'echo ${#1} ${#8} ${#V0} ${#V6} $#', "sh", *words], env=env)
    check((code, out) == (0, "100000 100000 100000 100000 8\n"), f"{code} {out} {err}")


@case("child.attributes")
def _(init):
    """working directory, umask and limits are those that the init was given"""
    core, files = resource.RLIMIT_CORE, resource.RLIMIT_NOFILE
    found = state(init, stage=["-p", "-d", "/usr/lib", "-m", "027", "-l", f"{core}=12345", "-l", f"{files}=321"])
    check(found["directory"] == "/usr/lib" and found["umask"] == "27", str(found))
    limits = found["limits"].split()
    check(limits[core] == "12345:12345" and limits[files] == "321:321", str(limits))


@case("init.cwd", "extra")
def _(init):
    """the init itself leaves the working directory (/), so that it pins no mount"""
    with init.start(["sleep", "20"], stage=["-p", "-d", "/usr/lib"]) as run:
        run.main()
        # By identity: the name of another mount namespace's directory depends on who reads it.
        root = os.stat(f"/proc/{run.pid}/root")
        until(lambda: os.path.samestat(os.stat(f"/proc/{run.pid}/cwd"), root), "/ as working directory", 1)


@case("child.stdin")
def _(init):
    """stdin goes through to the child, with its end of file"""
    with init.start(["sh", "-c", "cat; echo end"], stdin=subprocess.PIPE) as run:
        run._process.stdin.write(b"one\ntwo\n")
        run._process.stdin.close()
        run._process.stdin = None
        run.expect(0)
        check(run.lines == ["one", "two", "end"], str(run.lines))


@case("child.quiet")
def _(init):
    """the init writes nothing of its own on a normal run"""
    for words, code in ((["true"], 0), (["sh", "-c", "exit 3"], 3), (["sh", "-c", "kill -TERM $$"], 143)):
        with init.start(words) as run:
            run.expect(code)
            check((run.out, run.err) == ("", ""), f"{run.out!r} {run.err!r}")


def works_without(init, *closed):
    stage = ["-p", *[word for fd in closed for word in ("-x", str(fd))]]
    with init.start(["sh", "-c", "exit 6"], stage=stage) as run:
        run.expect(6)
    with init.start(["sh", "-c", "trap 'exit 7' TERM; while :; do sleep 0.02; done"], stage=stage) as run:
        main = run.main()
        term = 1 << (signal.SIGTERM - 1)
        # By name too: before its exec the worker may still have handlers of the init.
        until(lambda: run.state("Name", main) == "sh" and int(run.state("SigCgt", main), 16) & term, "a trap")
        run.kill(signal.SIGTERM)
        run.expect(7)


@case("fd.closed-stdin")
def _(init):
    """started with stdin closed: runs, forwards, passes the status on"""
    works_without(init, 0)


@case("fd.closed-stdout")
def _(init):
    """started with stdout closed"""
    works_without(init, 1)


@case("fd.closed-stderr")
def _(init):
    """started with stderr closed"""
    works_without(init, 2)


@case("fd.closed-all")
def _(init):
    """started with all three closed"""
    works_without(init, 0, 1, 2)


@case("fd.closed-not-leaked")
def _(init):
    """... and no descriptor of the init turns up as the child's 0, 1 or 2"""
    stage = ["-p", "-x", "0", "-x", "1", "-x", "2"]
    with init.start(["sleep", "20"], stage=stage) as run:
        main = run.main()
        until(lambda: run.state("Name", main) == "sleep", "sleep")
        for fd in os.listdir(f"/proc/{main}/fd"):
            check(os.readlink(f"/proc/{main}/fd/{fd}") == "/dev/null", f"{fd} is {os.readlink(f'/proc/{main}/fd/{fd}')}")


@case("fd.broken-stderr", "extra")
def _(init):
    """stderr is a broken pipe and the command does not exist: 127, no death by PIPE"""
    read, write = os.pipe()
    os.close(read)
    with init.start(["no-such-command-here"], stderr=write) as run:
        os.close(write)
        run.expect(127)
