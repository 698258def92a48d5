"""Signals of a cluster of two: each reaches every worker once, or means what the table of signals says."""

import signal
import subprocess
import time
from pathlib import Path

import pytest
from support import nodeinit

from . import cluster, harness
from .harness import probe, status, until

pytestmark = pytest.mark.skipif(not harness.can_unshare(), reason="needs the right to make PID namespaces (root)")

# To be told apart: what a cluster acts upon itself; KILL, STOP, CHLD and those of the thread library.
ACTED_UPON = {1, 2, 3, 10, 15, 21, 22}
TO_ALL = [n for n in range(1, 65) if n not in ACTED_UPON | {9, 17, 19, 30, 32, 33, 37}]  # PWR and RTMIN+3 stop


def recorded(run):
    """{slot: [signal, …]} of what the workers have told so far."""
    found = {}
    for line in run.drain(0.05):
        if line.startswith("signal "):
            _, number, _, slot = line.split()
            found.setdefault(int(slot), []).append(int(number))
    return found


def both_ready(run):
    run.line("ready", count=2)
    return cluster.service(run)


def memory_kib(run):
    lines = open(f"/proc/{run.pid}/smaps_rollup").read().splitlines()
    return int(next(line.split()[1] for line in lines if line.startswith("Rss:")))


def test_every_other_signal_reaches_every_worker_once():
    with cluster.start(probe("record", "15=0")) as run:
        both_ready(run)
        for number in TO_ALL:
            run.kill(number)
            until(lambda n=number: all(n in got for got in recorded(run).values()) and len(recorded(run)) == 2,
                  f"signal {number} in both")  # fmt: skip
        assert recorded(run) == {0: TO_ALL, 1: TO_ALL}
        run.kill(signal.SIGTERM)
        run.expect(0)


def test_queued_signals_keep_their_order_and_their_values_in_every_worker():
    with cluster.start(probe("record", "15=0")) as run:
        both_ready(run)
        subprocess.run(probe("queue", 200, 40, run.pid), check=True, timeout=10)
        for slot in (0, 1):
            run.line(f"queued 40 200 at {slot}")
            got = [line for line in run.lines if line.startswith("queued") and line.endswith(f" at {slot}")]
            assert got == [f"queued 40 {i} at {slot}" for i in range(1, 201)]
        run.kill(signal.SIGTERM)
        run.expect(0)


def test_usr1_reaches_slot_0_alone():
    with cluster.start(probe("record", "15=0")) as run:
        both_ready(run)
        run.kill(signal.SIGUSR1)
        run.line("signal 10 at 0")
        run.kill(signal.SIGUSR2)
        run.line("signal 12", count=2)
        assert recorded(run) == {0: [10, 12], 1: [12]}


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGQUIT])
def test_a_signal_to_stop_reaches_every_worker_once_as_it_came(number):
    with cluster.start(probe("record", f"{int(number)}=0")) as run:
        both_ready(run)
        run.kill(number)
        run.expect(0)
        assert recorded(run) == {0: [number], 1: [number]}


@pytest.mark.parametrize("number", [signal.SIGPWR, signal.SIGRTMIN + 3])
def test_what_other_inits_take_for_a_stop_becomes_a_term(number):
    with cluster.start(probe("record", "15=0")) as run:
        both_ready(run)
        run.kill(number)
        run.expect(0)
        assert recorded(run) == {0: [15], 1: [15]}


def test_a_second_signal_to_stop_kills_within_two_seconds():
    with cluster.start(probe("record"), "--grace", "60s") as run:
        both_ready(run)
        run.kill(signal.SIGTERM)
        run.line("signal 15", count=2)
        time.sleep(1.2)  # sooner it is the same wish
        began = time.monotonic()
        run.kill(signal.SIGTERM)
        run.expect(137)
        assert time.monotonic() - began < 5


def test_hup_replaces_every_worker_and_ttin_and_ttou_change_their_number():
    with cluster.start(probe("record", "15=0")) as run:
        before = both_ready(run)
        run.kill(signal.SIGTTIN)
        cluster.service(run, 3)
        run.kill(signal.SIGTTOU)
        cluster.service(run, 2)
        assert cluster.workers(run) == before
        run.kill(signal.SIGHUP)
        for slot in before:
            cluster.successor(run, slot, before[slot])
        run.kill(signal.SIGTERM)
        run.expect(0)


def test_rules_rewrite_forward_ignore_and_reach_groups():
    rules = "HUP=forward,USR1=USR2,WINCH=ignore,URG=group,QUIT=stop"
    with cluster.start(probe("record", "15=0"), "--signals", rules) as run:
        both_ready(run)
        for number in (signal.SIGHUP, signal.SIGUSR1, signal.SIGWINCH, signal.SIGURG):
            run.kill(number)
            time.sleep(0.02)
        run.line("signal 23", count=2)
        assert recorded(run) == {0: [1, 12, 23], 1: [1, 12, 23]}
        run.kill(signal.SIGQUIT)
        run.expect(0)


def test_queued_real_time_signals_reach_every_worker_in_their_number():
    with cluster.start(probe("count", "12=0"), "--stop-signal", "USR2") as run:
        both_ready(run)
        for _ in range(50):
            run.kill(40)
        until(lambda: all(int(status(pid, "ShdPnd"), 16) == 0 for pid in [run.pid, *cluster.workers(run).values()]),
              "empty queues")  # fmt: skip
        time.sleep(0.1)
        run.kill(signal.SIGTERM)
        run.expect(0)
        assert {line for line in run.lines if line.startswith("count 40")} == {"count 40 50 at 0", "count 40 50 at 1"}


def test_a_flood_of_100_000_signals_reloads_among_them_does_no_harm():
    with cluster.start(probe("count", "15=0"), "--grace", "20s") as run:
        both_ready(run)
        flood = subprocess.run(probe("flood", 100_000, run.pid), timeout=60, stdout=subprocess.DEVNULL)
        assert flood.returncode == 0
        run.expect(0, 30)


def test_memory_stays_flat_in_a_flood():
    with cluster.start(probe("count", "15=0")) as run:
        both_ready(run)
        subprocess.run(probe("queue", 20_000, 40, run.pid), timeout=60, stdout=subprocess.DEVNULL, check=False)
        until(lambda: int(run.state("ShdPnd"), 16) == 0, "an empty queue", 20)
        before = memory_kib(run)
        for _ in range(4):
            subprocess.run(probe("queue", 20_000, 40, run.pid), timeout=60, stdout=subprocess.DEVNULL, check=False)
        until(lambda: int(run.state("ShdPnd"), 16) == 0, "an empty queue", 20)
        assert memory_kib(run) - before <= 256


def test_a_stopped_cluster_hears_what_came_meanwhile():
    with cluster.start(probe("record", "15=0")) as run:
        both_ready(run)
        run.kill(signal.SIGSTOP)
        until(lambda: run.state("State").startswith("T"), "the init stops")
        run.kill(signal.SIGUSR2)
        run.kill(signal.SIGTERM)
        run.kill(signal.SIGCONT)
        run.expect(0)


def test_the_thaw_of_a_frozen_container_loses_nothing(freezer):
    with cluster.start(probe("record", "15=0"), stage=["-p", "-g", freezer.procs]) as run:
        both_ready(run)
        freezer.freeze()
        run.kill(signal.SIGUSR2)
        run.kill(signal.SIGTERM)
        time.sleep(0.2)
        freezer.thaw()
        run.expect(0)
        assert recorded(run) in ({0: [12, 15], 1: [12, 15]}, {0: [15, 12], 1: [15, 12]}, {0: [15], 1: [15]})


def test_a_worker_that_is_stopped_and_continued_stays_the_worker():
    with cluster.start(probe("record", "15=0")) as run:
        before = both_ready(run)
        run.kill(signal.SIGTSTP)
        run.line("signal 20", count=2)
        for _ in range(3):
            run.kill(signal.SIGSTOP, before[1])
            until(lambda: (status(before[1], "State") or "").startswith("T"), "stops")
            run.kill(signal.SIGCONT, before[1])
        time.sleep(0.1)
        assert cluster.workers(run) == before
        run.kill(signal.SIGTERM)
        run.expect(0)


@pytest.mark.parametrize("stage", [["-p", "-i", "15", "-i", "17"], ["-p", "-b", "15", "-b", "1", "-b", "17"]],
                         ids=["ignored", "blocked"])  # fmt: skip
def test_what_the_parent_ignored_or_blocked_works(stage):
    with cluster.start(probe("record", "15=0"), stage=stage) as run:
        before = both_ready(run)
        run.kill(signal.SIGKILL, before[1])
        cluster.successor(run, 1, before[1])
        run.kill(signal.SIGTERM)
        run.expect(0)


def test_term_that_was_pending_at_exec_stops():
    with cluster.start(["sleep", "20"], stage=["-p", "-b", "15", "-k", "15"]) as run:
        run.expect(0, 3)


def test_early_term_is_never_lost():
    for attempt in range(60):
        with cluster.start(["sleep", "20"]) as run:
            until(lambda run=run: run.state("Name") == Path(nodeinit.binary()).name[:15] and int(run.state("SigBlk"), 16) & 1 << 14,
                  "the first instruction", pause=0)  # fmt: skip
            time.sleep(attempt * 0.3e-3)
            run.kill(signal.SIGTERM)
            run.expect(0, 3)
