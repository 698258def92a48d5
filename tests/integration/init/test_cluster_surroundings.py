"""A cluster of two in hostile surroundings, its orphans, and what is left when its workers are gone."""

import errno
import random
import re
import resource
import signal
import subprocess
import time

import pytest

from . import cluster, harness
from .cases_surroundings import pids_group
from .harness import probe, status, until

pytestmark = pytest.mark.skipif(not harness.can_unshare(), reason="needs the right to make PID namespaces (root)")

SLEEP = ["sleep", "60"]
FILES = resource.RLIMIT_NOFILE
SCENES = {
    "no /proc": ["-P"],
    "every mount read-only": ["-p", "-R"],
    "another user": ["-p", "-u", "65534"],
    "no capabilities, no new privileges": ["-p", "-n", "-c", "-u", "65534"],
    "seccomp says ENOSYS": ["-p", "-s", str(errno.ENOSYS)],
    "seccomp says EPERM": ["-p", "-s", str(errno.EPERM)],
    "64 KiB of stack": ["-p", "-l", f"{resource.RLIMIT_STACK}={64 << 10}", "-l", f"{resource.RLIMIT_AS}={64 << 20}"],
    "0, 1 and 2 closed": ["-p", "-x", "0", "-x", "1", "-x", "2"],
    "no queue of signals": ["-p", "-l", "11=0"],
    "48 descriptors": ["-p", "-l", f"{FILES}=48"],
    "not PID 1": [],
}


def live(run):
    """Pids of its workers, also where their environment cannot be read."""
    return [pid for pid in run.below() if (status(pid, "State") or "Z")[0] not in "ZX"]


def serves(stage, *options):
    # The orphan lives on for a moment, so that it is nodeinit who reaps it.
    words = ["sh", "-c", "(sleep 0.2 & ) ; exec sleep 60"]
    with cluster.start(words, *options, stage=stage) as run:
        until(lambda: len(live(run)) >= 2, "two workers")
        until(lambda: sorted(status(pid, "Name") or "" for pid in run.below()) == ["sleep"] * 2, "orphans reaped")
        before = live(run)
        run.kill(signal.SIGKILL, before[0])
        until(lambda: before[0] not in run.below() and len(live(run)) == 2, "a successor")
        run.kill(signal.SIGTERM)
        run.expect(0)


@pytest.mark.parametrize("scene", SCENES)
def test_starts_replaces_reaps_and_stops_with(scene):
    for log in ("inherit", "lines"):
        serves(SCENES[scene], "--log", log)


@pytest.mark.parametrize("number", [8, 3])
def test_too_few_descriptors_are_told_with_what_to_do(number):
    with cluster.start(SLEEP, stage=["-p", "-l", f"{FILES}={number}"]) as run:
        run.expect(126, 3)
        assert "RLIMIT_NOFILE" in run.err and f"allows {number} descriptors" in run.err
        assert "--ulimit nofile" in run.err and "NODEINIT_MODE=single" in run.err


def test_a_reached_limit_of_processes_at_the_start_is_told():
    nobody = random.randrange(100_000, 900_000)  # a user without other processes
    stage = ["-p", "-l", f"{resource.RLIMIT_NPROC}=1", "-u", str(nobody)]
    with cluster.start(SLEEP, "--restart-limit", "2/60s", stage=stage) as run:
        run.expect(126)
        assert "cannot start sleep: Resource temporarily unavailable" in run.err


@pytest.mark.parametrize("mode", ["cluster", "single"])
def test_no_memory_for_a_process_is_told(mode):
    stage = ["-p", "-v", str(errno.ENOMEM)]
    with cluster.start(SLEEP, "--restart-limit", "2/60s", "--mode", mode, stage=stage) as run:
        run.expect(126)
        # glibc's words, and musl's
        assert re.search("cannot start sleep: (Cannot allocate memory|Out of memory)", run.err)
        assert "terminate" not in run.err


def test_a_limit_of_processes_reached_later_is_survived():
    with pids_group() as group, cluster.start(
        ["sh", "-c", "(sleep 1 & ) ; exec sleep 60"], "--restart-backoff", "50ms..100ms",
        "--restart-limit", "1000/60s", stage=["-p", "-g", str(group / "cgroup.procs")],
    ) as run:  # fmt: skip
        before = cluster.service(run)
        until(lambda: len(run.below()) == 4, "orphans")
        (group / "pids.max").write_text("1")
        until(lambda: len(run.below()) == 2, "orphans reaped")
        run.kill(signal.SIGKILL, before[1])
        until(lambda: "cannot start" in run.err, "a start that fails")
        assert cluster.workers(run) == {0: before[0]}
        (group / "pids.max").write_text("max")
        cluster.successor(run, 1, None)
        run.kill(signal.SIGTERM)
        run.expect(0)


def memory_kib(run):
    lines = open(f"/proc/{run.pid}/smaps_rollup").read().splitlines()
    return int(next(line.split()[1] for line in lines if line.startswith("Rss:")))


def test_50_000_orphans_are_reaped_while_30_000_signals_come():
    words = ["sh", "-c", 'trap "" USR2 WINCH URG; read go; exec "$@"', "sh", *probe("stream", 25_000, 0, 15)]
    with cluster.start(words, stdin=subprocess.PIPE) as run:
        pids = cluster.service(run)
        time.sleep(0.2)
        before = memory_kib(run)
        run._process.stdin.write(b"go\ngo\n")
        run._process.stdin.flush()
        for i in range(30_000):
            run.kill((signal.SIGUSR2, signal.SIGWINCH, signal.SIGURG)[i % 3])
        run.line("ready", 150, count=2)
        until(lambda: sorted(run.below()) == sorted(pids.values()), "all reaped")
        assert memory_kib(run) - before <= 256
        run.kill(signal.SIGTERM)
        run.expect(0)


def test_5000_that_end_at_once_are_reaped_and_their_memory_is_given_back():
    with cluster.start(probe("burst", 5000, 0, 15), "--workers", "1") as run:
        run.line("ready", 30)
        until(lambda: len(run.below()) == 1, "all reaped", 5)
        assert memory_kib(run) < 8000
        run.kill(signal.SIGTERM)
        run.expect(0)


# The worker ends upon TERM; what it started lives in sessions of their own.
def leaving(how, count=3):
    return ["sh", "-c", f'trap "exit 0" TERM; "$@" & wait; while :; do sleep 0.05; done', "sh",
            *probe("outlived", count, 0, how)]  # fmt: skip


@pytest.mark.parametrize("stage", [["-p"], []], ids=["PID 1", "not PID 1"])
def test_what_workers_leave_behind_gets_term_and_time_to_tidy_up(stage):
    with cluster.start(leaving("slow"), stage=stage) as run:
        run.line("outlived", count=2)
        began = time.monotonic()
        run.kill(signal.SIGTERM)
        run.expect(0)
        assert run.lines.count("tidy") == 6
        assert time.monotonic() - began < 4  # no longer than they need


def test_what_does_not_end_upon_term_is_killed_within_the_grace():
    with cluster.start(leaving("stubborn"), "--grace", "2s") as run:
        run.line("outlived", count=2)
        began = time.monotonic()
        run.kill(signal.SIGTERM)
        run.expect(0)
        assert 0.5 < time.monotonic() - began < 5


def test_what_is_left_behind_stopped_is_continued_to_tidy_up():
    with cluster.start(leaving("slow", 1), "--workers", "1") as run:
        run.line("outlived")
        until(lambda: len(run.below()) == 2, "the orphan")
        (orphan,) = set(run.below()) - set(cluster.service(run, 1).values())
        run.kill(signal.SIGSTOP, orphan)
        run.kill(signal.SIGTERM)
        run.expect(0)
        assert "tidy" in run.lines


def test_an_orphan_of_a_dead_worker_is_adopted_when_not_pid_1_and_does_not_upset_statuses():
    with cluster.start(probe("statuses", 7), "--restart", "never", stage=[]) as run:
        run.expect(7, 15)


def test_at_rest_it_wakes_up_once_a_second_at_most():
    with cluster.start(SLEEP) as run:
        cluster.service(run)
        time.sleep(1)
        before = int(run.state("voluntary_ctxt_switches"))
        time.sleep(6)
        assert int(run.state("voluntary_ctxt_switches")) - before <= 6
