"""reap.*, orphan.*: nothing is left behind, nobody is cut off."""

import signal
import subprocess
import time
from pathlib import Path

from .harness import case, check, probe, status, until


def only_main(run, seconds, what="reaped"):
    until(lambda: len(run.below()) <= 1, what, seconds)
    check(run.running(), "the init has ended")


def ends_well(run, code=9):
    run.kill(signal.SIGTERM)
    run.expect(code)


@case("reap.1")
def _(init):
    """one orphan is adopted and reaped within a second"""
    with init.start(probe("together", 1, 9, 15)) as run:
        run.line("ready")
        only_main(run, 1)
        ends_well(run)


@case("reap.100")
def _(init):
    """100 orphans that end together are reaped within a second"""
    with init.start(probe("together", 100, 9, 15)) as run:
        run.line("ready")
        only_main(run, 1)
        ends_well(run)


@case("reap.5000")
def _(init):
    """5000 orphans that end together are reaped within 5 s"""
    with init.start(probe("burst", 5000, 9, 15)) as run:
        run.line("ready", 30)
        only_main(run, 5)
        ends_well(run)


@case("reap.bounded")
def _(init):
    """a stream of 5000 orphans: never more than 200 zombies at any sample, none left"""
    with init.start(probe("stream", 5000, 9, 15)) as run:
        most = 0
        end = time.monotonic() + 60
        while "ready" not in run.lines and time.monotonic() < end:
            zombies = sum((status(pid, "State") or "").startswith("Z") for pid in run.below())
            most = max(most, zombies)
            run.drain(0.002)
        check(most <= 200, f"{most} zombies")
        only_main(run, 2)
        ends_well(run)


@case("reap.chain")
def _(init):
    """a 40-deep chain of dying parents is reaped whole"""
    with init.start(probe("chain", 40, 9, 15)) as run:
        run.line("end of chain")
        run.line("ready")
        only_main(run, 1)
        ends_well(run)


@case("reap.daemon")
def _(init):
    """a double-forked daemon in its own session is adopted by the init and reaped"""
    with init.start(probe("daemon", 9, 15)) as run:
        run.line("ready")
        check(run.line("daemon's parent") == "1", "adopted by somebody else")
        only_main(run, 1)
        ends_well(run)


@case("reap.coalesced")
def _(init):
    """300 orphans die while the init is stopped (one SIGCHLD for all): all reaped after CONT"""
    with init.start(["sh", "-c", "read go; exec \"$@\"", "sh", *probe("together", 300, 9, 15)],
                    stdin=subprocess.PIPE) as run:  # fmt: skip
        run.main()
        run.kill(signal.SIGSTOP)
        run._process.stdin.write(b"go\n")
        run._process.stdin.flush()
        run.line("ready")
        until(lambda: sum((status(p, "State") or "").startswith("Z") for p in run.below()) == 300, "zombies")
        run.kill(signal.SIGCONT)
        only_main(run, 1)
        ends_well(run)


@case("reap.with-signals")
def _(init):
    """2000 orphans end while 30 000 signals come in: all reaped, signals still work, status kept"""
    with init.start(probe("stream", 2000, 9, 15)) as run:
        run.main()
        for i in range(30_000):
            run.kill((signal.SIGUSR1, signal.SIGHUP, signal.SIGWINCH)[i % 3])
        run.line("ready", 30)
        only_main(run, 2)
        ends_well(run)


@case("reap.orphan-status")
def _(init):
    """an orphan's exit status (42, and death by KILL) is not taken for the child's (7)"""
    for _ in range(5):
        with init.start(probe("statuses", 7)) as run:
            run.expect(7, 15)


@case("reap.parent-ignored-chld")
def _(init):
    """SIGCHLD was ignored by the parent at exec: status still passed on, nothing hangs"""
    for words, code in ((["sh", "-c", "exit 7"], 7), (probe("die", 9), 137)):
        with init.start(words, stage=["-p", "-i", "17"]) as run:
            run.expect(code, 5)


def memory(run):
    lines = Path(f"/proc/{run.pid}/smaps_rollup").read_text().splitlines()
    return int(next(line.split()[1] for line in lines if line.startswith("Rss:")))


@case("reap.memory", "extra")
def _(init):
    """5000 reaped orphans do not make the init grow by more than 256 KiB"""
    with init.start(["sh", "-c", 'read go; exec "$@"', "sh", *probe("stream", 5000, 9, 15)],
                    stdin=subprocess.PIPE) as run:  # fmt: skip
        run.main()
        time.sleep(0.1)
        before = memory(run)
        run._process.stdin.write(b"go\n")
        run._process.stdin.flush()
        run.line("ready", 60)
        only_main(run, 2)
        grown = memory(run) - before
        check(grown <= 256, f"{grown} KiB")
        ends_well(run)


@case("orphan.outlives")
def _(init):
    """the child ends (5) while an orphan runs on: the init ends with 5 within 15 s, never hangs"""
    for how in ("default", "stubborn"):
        with init.start(probe("outlived", 1, 5, how)) as run:
            run.expect(5, 15)


@case("orphan.many")
def _(init):
    """the child ends (6) while 500 orphans run on: the init ends with 6 within 15 s"""
    with init.start(probe("outlived", 500, 6, "default")) as run:
        run.expect(6, 15)


@case("orphan.term-first", "extra")
def _(init):
    """... and the orphan is sent TERM before the namespace is torn down"""
    with init.start(probe("outlived", 1, 5, "slow")) as run:
        run.expect(5, 15)
        check("term" in run.lines, str(run.lines))


@case("orphan.grace", "extra")
def _(init):
    """... and gets time (300 ms) to finish its work"""
    began = time.monotonic()
    with init.start(probe("outlived", 20, 5, "slow")) as run:
        run.expect(5, 15)
        check(run.lines.count("tidy") == 20, f"{run.lines.count('tidy')} of 20")
        check(time.monotonic() - began < 3, "waits longer than they need")
