"""env.*, limit.*, nopid1.*, idle.*: where an init has to live, and what it costs there."""

import errno
import os
import random
import resource
import signal
import time
from contextlib import contextmanager
from pathlib import Path

from .harness import Skip, case, check, probe, until


def works(init, stage, orphans=50):
    """Runs, forwards, reaps, passes the status on."""
    with init.start(probe("together", orphans, 9, 15), stage=stage) as run:
        run.line("ready")
        until(lambda: len(run.below()) == 1, "reaped", 2)
        run.kill(signal.SIGTERM)
        run.expect(9)
    with init.start(probe("die", 9), stage=stage) as run:
        run.expect(137)


@case("env.no-proc")
def _(init):
    """/proc is not mounted: runs, forwards, reaps, passes the status on"""
    works(init, ["-P"])


@case("env.read-only-root")
def _(init):
    """every mount read-only: runs and passes the status on"""
    works(init, ["-p", "-R"])


@case("env.non-root")
def _(init):
    """as uid 65534: runs, forwards, reaps, passes the status on"""
    works(init, ["-p", "-u", "65534"])


@case("env.no-new-privs")
def _(init):
    """no_new_privs, no capabilities at all, uid 65534"""
    works(init, ["-p", "-n", "-c", "-u", "65534"])


@case("env.seccomp-enosys")
def _(init):
    """all system calls >= 424 (pidfd_*, clone3, close_range, ...) say ENOSYS"""
    works(init, ["-p", "-s", str(errno.ENOSYS)])


@case("env.seccomp-eperm")
def _(init):
    """the same with EPERM, as old container runtimes do"""
    works(init, ["-p", "-s", str(errno.EPERM)])


def fails_to_fork(init, stage):
    with init.start(["true"], stage=stage) as run:
        code = run.end(5)
        check(0 < code < 128, f"exit code {code}")
        check(run.err.strip(), "no message")


@case("limit.nproc")
def _(init):
    """RLIMIT_NPROC reached, fork fails: a message, an error status, no crash, no hang"""
    nobody = random.randrange(100_000, 900_000)  # a user without other processes
    fails_to_fork(init, ["-p", "-l", f"{resource.RLIMIT_NPROC}=1", "-u", str(nobody)])


@contextmanager
def pids_group():
    root = Path("/sys/fs/cgroup")
    unified = (root / "cgroup.controllers").exists()
    parent = root if unified else root / "pids"
    group = parent / f"nodeinit-case-{os.getpid()}-{random.randrange(10**6)}"
    try:
        if unified:
            (root / "cgroup.subtree_control").write_text("+pids")
        group.mkdir()
        if not (group / "pids.max").exists():
            group.rmdir()
            raise OSError("no pids controller")
    except OSError as why:
        raise Skip(f"no group with pids.max: {why}") from None
    try:
        yield group
    finally:
        end = time.monotonic() + 5
        while group.exists():
            try:
                group.rmdir()
            except OSError:  # the last process is still on its way out
                if time.monotonic() > end:
                    raise
                time.sleep(0.02)


@case("limit.pids-cgroup")
def _(init):
    """pids.max reached, fork fails: a message, an error status, no crash, no hang"""
    with pids_group() as group:
        (group / "pids.max").write_text("1")
        fails_to_fork(init, ["-p", "-g", str(group / "cgroup.procs")])


@case("limit.pids-later")
def _(init):
    """pids.max reached after the start: the init still forwards and reaps"""
    with pids_group() as group, init.start(
        probe("together", 20, 9, 15), stage=["-p", "-g", str(group / "cgroup.procs")]
    ) as run:
        run.main()
        run.line("ready")
        (group / "pids.max").write_text("1")
        until(lambda: len(run.below()) == 1, "reaped", 2)
        run.kill(signal.SIGTERM)
        run.expect(9)


@case("limit.nofile-8")
def _(init):
    """RLIMIT_NOFILE=8: all works"""
    works(init, ["-p", "-l", f"{resource.RLIMIT_NOFILE}=8"])


@case("limit.nofile-3", "extra")
def _(init):
    """RLIMIT_NOFILE=3 (not one descriptor to spare): a static child runs, or a clear error; no crash, no hang"""
    stage = ["-p", "-l", f"{resource.RLIMIT_NOFILE}=3"]
    with init.start(probe("die", 9), stage=stage) as run:
        code = run.end(5)
        check(code == 137 or (0 < code < 128 and run.err.strip()), f"{code} {run.err!r}")


@case("limit.stack-64k", "extra")
def _(init):
    """a 64 KiB stack and 64 MiB of address space suffice"""
    works(init, ["-p", "-l", f"{resource.RLIMIT_STACK}={64 << 10}", "-l", f"{resource.RLIMIT_AS}={64 << 20}"], 20)


@case("nopid1.runs")
def _(init):
    """not PID 1: runs, forwards TERM, passes the status on"""
    with init.start(probe("record", "15=9"), stage=[]) as run:
        run.line("ready")
        run.kill(signal.SIGTERM)
        run.expect(9)
    code, out, err = init.run(["sh", "-c", "exit 4"], stage=[])
    check(code == 4, f"{code} {out!r} {err!r}")


@case("nopid1.subreaper", "extra")
def _(init):
    """not PID 1: still adopts and reaps orphans, with no option given"""
    with init.start(probe("daemon", 9, 15), stage=[]) as run:
        parent = int(run.line("daemon's parent"))
        check(parent == run.pid, f"adopted by {parent}, not {run.pid}")
        check(not run.err, run.err)
        run.line("ready")
        until(lambda: len(run.below()) == 1, "reaped", 1)
        run.kill(signal.SIGTERM)
        run.expect(9)


@case("nopid1.dies-with-init", "extra")
def _(init):
    """not PID 1: the child does not outlive a killed init (PDEATHSIG)"""
    with init.start(["sleep", "8"], stage=[]) as run:
        main = run.main()
        until(lambda: run.state("Name", main) == "sleep", "sleep")
        run.kill(signal.SIGKILL)
        until(lambda: run.state("State", main) in (None, "Z (zombie)"), "the end of the worker", 1)


@case("idle.wakeups", "extra")
def _(init):
    """at rest the init does not wake up (voluntary switches in 4 s: at most 1)"""
    with init.start(["sleep", "20"]) as run:
        run.main()
        time.sleep(0.3)
        before = int(run.state("voluntary_ctxt_switches"))
        time.sleep(4)
        woken = int(run.state("voluntary_ctxt_switches")) - before
        check(woken <= 1, f"{woken} times")


@case("idle.children", "extra")
def _(init):
    """one process only: the init has no helper processes or threads of its own"""
    with init.start(["sleep", "20"]) as run:
        run.main()
        time.sleep(0.1)
        check(len(run.below()) == 1, f"{len(run.below())} processes")
        check(run.state("Threads") == "1", f"{run.state('Threads')} threads")
