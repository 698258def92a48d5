"""What dead workers leave behind: detached children, which the kernel gives to PID 1 (NODEINIT_ORPHANS)."""

import os
import re
import signal
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from support import http

LEAVES = """
const {spawn} = require('child_process');
const child = spawn(...JSON.parse(process.env.CHILD), {detached: true, stdio: 'ignore', env: {...process.env, OF: process.pid}});
child.unref();
require('http').createServer((q, s) => s.end(String(child.pid))).listen(process.env.PORT);
"""
# Says whether its child is still there when the answer is due.
SLOW = "setTimeout(() => s.end(String(process.kill(child.pid, 0))), 1500)"
SLEEPS = '["sleep", ["1000"]]'
STUBBORN = '["sh", ["-c", "trap : TERM; while :; do sleep 0.1; done"]]'
# Its own child is found when it has ended.
NESTED = '["sh", ["-c", "setsid sleep 1000 & exec sleep 1000"]]'


class Leaving:
    """Two workers that have each started a detached process."""

    def __init__(self, start, tmp_path, child, **settings):
        (tmp_path / "app.js").write_text(LEAVES)
        self.service = start(script=tmp_path / "app.js", env={"CHILD": child}, **settings)
        self.pid1 = self.service.pid1

    def left(self):
        """{pid of the worker that has started it: [pids]}"""
        found = {}
        for process in self.pid1.processes():
            try:
                of = re.search(rb"(?:^|\0)OF=(\d+)", Path(f"/proc/{process.pid}/environ").read_bytes())
            except OSError:
                continue  # it has just ended
            if of:
                found.setdefault(int(of[1]), []).append(process.inner_pid)
        return found

    def slot_0(self):
        return next(w for w in self.pid1.workers() if w.inner_pid == int(self.pid1.wait_line(r"slot 0: worker (\d+) started")[1]))

    def kill_slot_0(self):
        worker = self.slot_0()
        self.pid1.wait_for(lambda: len(self.left()) == 2)
        os.kill(worker.pid, signal.SIGKILL)
        return worker.inner_pid


def test_what_a_dead_worker_leaves_behind_is_ended_and_the_living_one_s_is_not(start, tmp_path):
    leaving = Leaving(start, tmp_path, SLEEPS)
    dead = leaving.kill_slot_0()
    leaving.pid1.wait_line(rf"worker {dead} has left a process behind: SIGTERM to \d+ \(sleep\), SIGKILL in 5s$")
    leaving.pid1.wait_for(lambda: dead not in leaving.left() and len(leaving.left()) == 2)
    assert leaving.pid1.err.count("left a process behind") == 1
    assert leaving.pid1.stop() == 0


def test_what_does_not_end_on_sigterm_is_killed(start, tmp_path):
    leaving = Leaving(start, tmp_path, STUBBORN)
    dead = leaving.kill_slot_0()
    leaving.pid1.wait_line(r"left behind by workers and not ended in time: SIGKILL to \d+ \(sh\)$", deadline=10)
    leaving.pid1.wait_for(lambda: dead not in leaving.left())


def test_what_the_left_behind_leave_behind_is_ended_too(start, tmp_path):
    leaving = Leaving(start, tmp_path, NESTED)
    dead = leaving.kill_slot_0()
    leaving.pid1.wait_for(lambda: dead not in leaving.left())
    assert leaving.pid1.err.count(f"worker {dead} has left a process behind") == 2


def test_a_replaced_worker_s_children_live_as_long_as_it_does(start, tmp_path):
    """A request in flight may need them."""
    leaving = Leaving(start, tmp_path, SLEEPS)
    (tmp_path / "app.js").write_text(LEAVES.replace("s.end(String(child.pid))", SLOW))
    assert leaving.pid1.ctl("reload").code == 0
    with ThreadPoolExecutor(4) as clients:
        answers = [clients.submit(http.get, leaving.service.port, "/", 10) for _ in range(4)]
        time.sleep(0.3)
        assert leaving.pid1.ctl("reload").code == 0
        assert [answer.result().body for answer in answers] == [b"true"] * 4
    leaving.pid1.wait_for(lambda: len(leaving.left()) == 2)


def test_orphans_are_kept_where_that_is_set_and_told_of_once(start, tmp_path):
    leaving = Leaving(start, tmp_path, SLEEPS, NODEINIT_ORPHANS="keep")
    dead = leaving.kill_slot_0()
    leaving.pid1.wait_line(rf"worker {dead} has left a process behind, which may stay \(NODEINIT_ORPHANS=keep\): \d+ \(sleep\)$")
    leaving.pid1.wait_for(lambda: len(leaving.left()) == 3)
    time.sleep(1)
    assert len(leaving.left()) == 3 and leaving.pid1.err.count("left a process behind") == 1


def test_a_living_worker_s_daemon_and_what_is_nobody_s_are_left_alone(start, tmp_path):
    """A daemon (two forks) is a child of PID 1 as an orphan is; so is what somebody started in the container."""
    daemon = '["sh", ["-c", "setsid sleep 1000 & sleep 0.2"]]'
    leaving = Leaving(start, tmp_path, daemon)
    enter = ["nsenter", "-t", str(leaving.pid1.pid), "-p", "-m"]
    subprocess.run([*enter, "env", "-i", "OF=0", "/bin/sh", "-c", "sleep 1000 & exit"], check=True)
    worker = leaving.slot_0()
    other = next(w for w in leaving.left() if w not in (0, worker.inner_pid))
    leaving.pid1.wait_for(lambda: len(leaving.left()[other]) == 1)
    os.kill(worker.pid, signal.SIGKILL)
    leaving.pid1.wait_for(lambda: worker.inner_pid not in leaving.left())
    assert {0, other} <= set(leaving.left())
    assert leaving.pid1.stop() == 0, leaving.pid1.told()
