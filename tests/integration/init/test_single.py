"""What single mode promises beyond the 91 cases: order, bounds, and that it holds nothing."""

import os
import signal
import socket
import subprocess
import time
from pathlib import Path

import pytest

from . import harness
from .harness import PATH, probe, status, until

pytestmark = pytest.mark.skipif(not harness.can_unshare(), reason="needs the right to make PID namespaces (root)")

NODEINIT = harness.INITS["nodeinit"]
DEFAULTS = {"PATH": PATH, "HOME": "/tmp"}


def figures(run):
    lines = Path(f"/proc/{run.pid}/smaps_rollup").read_text().splitlines()[1:]
    return {line.split(":")[0]: int(line.split()[1]) for line in lines}


def test_queued_real_time_signals_keep_their_order_and_their_values():
    with NODEINIT.start(probe("record", "15=7")) as run:
        run.line("ready")
        subprocess.run(probe("queue", 200, 40, run.pid), check=True, timeout=10)
        run.line("queued 40", count=200)
        assert [line for line in run.lines if line.startswith("queued")] == [f"queued 40 {i}" for i in range(1, 201)]
        run.kill(signal.SIGTERM)
        run.expect(7)


def test_rules_rewrite_forward_and_ignore():
    rules = {"NODEINIT_SIGNALS": "TERM=INT,HUP=USR2,WINCH=ignore,USR1=forward,QUIT=stop,ALRM=reload"}
    with NODEINIT.start(probe("record", "64=7"), env={**DEFAULTS, **rules}) as run:
        run.line("ready")
        for number in (15, 1, 28, 10, 3, 14):
            run.kill(number)
            time.sleep(0.02)
        run.line("signal 14")
        # Where a rule names an act of the cluster: TERM for a stop, else the signal itself.
        assert run.lines[1:] == [f"signal {n}" for n in (2, 12, 10, 15, 14)]
        run.kill(64)
        run.expect(7)


def test_the_thaw_of_a_frozen_container_loses_nothing(freezer):
    with NODEINIT.start(probe("record", "15=9"), stage=["-p", "-g", freezer.procs]) as run:
        run.line("ready")
        freezer.freeze()
        run.kill(signal.SIGUSR2)
        time.sleep(0.2)
        assert run.lines[1:] == []
        freezer.thaw()
        run.line("signal 12")
        run.kill(signal.SIGTERM)
        run.expect(9)


def test_socket_activation_names_the_worker():
    listener = socket.socket()
    env = {**DEFAULTS, "LISTEN_FDS": "1", "LISTEN_PID": "1"}
    words = ["sh", "-c", '[ "$LISTEN_PID" = $$ ] && [ -e /proc/self/fd/3 ]']
    with NODEINIT.start(words, env=env, pass_fds=(3,), setup=lambda: os.dup2(listener.fileno(), 3)) as run:
        run.expect(0)
    # One that names somebody else is none of our business.
    code, out, _ = NODEINIT.run(["sh", "-c", "echo $LISTEN_PID"], env={**DEFAULTS, "LISTEN_PID": "77"})
    assert (code, out) == (0, "77\n")
    listener.close()


def test_50_000_orphans_are_reaped_while_30_000_signals_come_and_memory_is_flat():
    words = ["sh", "-c", 'trap "" USR1 HUP WINCH; read go; exec "$@"', "sh", *probe("stream", 50_000, 9, 15)]
    with NODEINIT.start(words, stdin=subprocess.PIPE) as run:
        run.main()
        time.sleep(0.1)
        before = figures(run)["Anonymous"]  # pages of the file that are read for the first time do not count
        run._process.stdin.write(b"go\n")
        run._process.stdin.flush()
        for i in range(30_000):
            run.kill((signal.SIGUSR1, signal.SIGHUP, signal.SIGWINCH)[i % 3])
        run.line("ready", 120)
        until(lambda: len(run.below()) == 1, "all reaped", 2)
        assert figures(run)["Anonymous"] - before <= 64
        run.kill(signal.SIGTERM)
        run.expect(9)


def test_it_holds_nothing_at_rest():
    with NODEINIT.start(["sleep", "60"], stage=["-p", "-d", "/usr/lib"]) as run:
        run.main()
        until(lambda: os.readlink(f"/proc/{run.pid}/cwd") == "/", "/")
        time.sleep(0.3)

        def switches():
            return sum(int(run.state(key)) for key in ("voluntary_ctxt_switches", "nonvoluntary_ctxt_switches"))

        before = switches()
        time.sleep(5)
        assert switches() == before
        assert sorted(os.listdir(f"/proc/{run.pid}/fd")) == ["0", "1", "2"]
        assert run.state("Threads") == "1"
        # Not Private_Dirty: pages of a program file that was just written are dirty, too, and belong to the page cache.
        assert figures(run)["Anonymous"] < 300


def test_the_worker_leads_a_group_from_its_first_instruction():
    for _ in range(50):
        code, out, _ = NODEINIT.run(probe("state"))
        found = dict(line.split(" ", 1) for line in out.splitlines() if " " in line)
        assert code == 0 and found["group"] == found["pid"]


@pytest.mark.parametrize("stage", [["-p"], []], ids=["PID 1", "not PID 1"])
def test_what_does_not_end_upon_term_is_killed_when_the_grace_is_over(stage):
    env = {**DEFAULTS, "NODEINIT_GRACE": "1s"}
    began = time.monotonic()
    with NODEINIT.start(probe("outlived", 5, 5, "stubborn"), env=env, stage=stage) as run:
        run.expect(5)
        assert 0.9 < time.monotonic() - began < 4


@pytest.mark.parametrize("stage", [["-p"], []], ids=["PID 1", "not PID 1"])
def test_it_waits_no_longer_than_anybody_is_left(stage):
    env = {**DEFAULTS, "NODEINIT_GRACE": "60s"}
    began = time.monotonic()
    with NODEINIT.start(probe("outlived", 5, 5, "slow"), env=env, stage=stage) as run:
        run.expect(5)
        assert run.lines.count("tidy") == 5
        assert time.monotonic() - began < 4


def test_what_is_left_behind_stopped_is_continued_to_tidy_up():
    words = ["sh", "-c", '"$@"; kill -STOP -1; exit 5', "sh", *probe("outlived", 1, 0, "slow")]
    with NODEINIT.start(words) as run:
        run.expect(5)
        assert "tidy" in run.lines


def test_a_status_taken_by_nobody_else_is_never_wrong_in_a_race_of_ends():
    # The worker ends among orphans that end in the same moment, with other statuses.
    for code in range(20):
        words = ["sh", "-c", f'for i in 1 2 3 4 5 6 7 8; do (sh -c "exit 4$i" & ) ; done; exit {code}']
        found, _, err = NODEINIT.run(words)
        assert found == code, err


def test_a_worker_that_has_ended_is_not_signalled_any_more():
    # TERM comes again and again while the worker ends: its status is its own.
    for _ in range(30):
        with NODEINIT.start(probe("record", "15=9")) as run:
            run.line("ready")
            main = run.main()
            for _ in range(20):
                try:
                    run.kill(signal.SIGTERM)
                except ProcessLookupError:
                    break
            run.expect(9)
            assert status(main, "Pid") is None
