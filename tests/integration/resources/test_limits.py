"""Limits of a real cgroup of the test's own: read, followed while they change, and what the kernel kills."""

import json
import signal
import subprocess

import pytest
from support import cgroup, node, nodeinit

pytestmark = pytest.mark.skipif(not cgroup.available(), reason="cgroups may not be made here")

SERVER = "require('http').createServer((q, s) => s.end(String(process.pid))).listen(process.env.PORT)"
# Memory that V8's heap limit does not see.
BUFFERS = SERVER + "; const kept = []; setInterval(() => kept.push(Buffer.alloc(8 << 20, 1)), 5)"
# Memory that it does see.
OBJECTS = "const kept = []; for (;;) kept.push(Array.from({length: 1000}, (_, i) => ({i})))"


def explain(group, *options, **env):
    done = subprocess.run(
        [nodeinit.binary(), "--explain", "--json", *options], env={"PATH": nodeinit.PATH} | env,
        preexec_fn=group.enter, capture_output=True, text=True, timeout=30, check=True,
    )  # fmt: skip
    return json.loads(done.stdout)


def script(tmp_path, text):
    path = tmp_path / "app.js"
    path.write_text(text)
    return [node.path(22), str(path)]


@pytest.mark.parametrize(("cpus", "workers"), [(0.5, 1), (1, 1), (1.25, 2), (1.5, 2)])
def test_a_real_quota_gives_the_workers_that_can_use_it(cpus, workers):
    with cgroup.Group(cpus=cpus, memory=512 << 20) as group:
        told = explain(group)
    assert told["cpu_limit"] == cpus
    assert told["memory_limit"] == 512 << 20
    assert told["workers"] == workers
    assert told["heap_mb"] == (194 if workers == 2 else 480 - 40 - 12)


def test_without_a_quota_there_is_no_limit():
    with cgroup.Group() as group:
        told = explain(group)
    assert told["cpu_limit"] is None
    assert told["memory_limit"] is None
    assert told["workers"] >= 1


def test_a_heap_option_of_the_user_is_left_alone():
    with cgroup.Group(memory=512 << 20) as group:
        assert explain(group, NODE_OPTIONS="--max-old-space-size=99")["heap_mb"] is None
        assert explain(group, "--heap", "off")["heap_mb"] is None


def test_workers_get_the_heap_of_the_plan(tmp_path):
    port = nodeinit.free_port()
    with cgroup.Group(cpus=1.5, memory=512 << 20) as group:
        with nodeinit.start(script(tmp_path, SERVER), env={"PORT": port}, group=group) as pid1:
            pid1.wait_port(port)
            pid1.wait_for(lambda: len(pid1.workers()) == 2, what="2 workers")
            for worker in pid1.workers():
                assert "--max-old-space-size=194" in worker.arguments
                assert "--max-semi-space-size=2" in worker.arguments
            assert pid1.stop() == 0, pid1.told()


def test_a_quota_that_changes_live_adds_and_drains_workers(tmp_path):
    port = nodeinit.free_port()
    with cgroup.Group(cpus=1) as group:
        with nodeinit.start(script(tmp_path, SERVER), env={"PORT": port}, group=group) as pid1:
            pid1.wait_port(port)
            assert len(pid1.workers()) == 1
            group.set_cpus(1.5)
            pid1.wait_for(lambda: len(pid1.workers()) == 2, 25, "a worker more")
            group.set_cpus(0.5)
            pid1.wait_for(lambda: len(pid1.workers()) == 1, 40, "a worker less")
            assert pid1.stop() == 0, pid1.told()


def test_a_quota_that_does_not_stay_is_not_followed(tmp_path):
    port = nodeinit.free_port()
    with cgroup.Group(cpus=1) as group:
        with nodeinit.start(script(tmp_path, SERVER), env={"PORT": port}, group=group) as pid1:
            pid1.wait_port(port)
            for cpus in (1.5, 1) * 4:
                group.set_cpus(cpus)
                with pytest.raises(AssertionError):
                    pid1.wait_for(lambda: len(pid1.workers()) != 1, 1.5)
            assert "resized" not in pid1.err
            assert pid1.stop() == 0, pid1.told()


def test_resize_off_follows_nothing(tmp_path):
    port = nodeinit.free_port()
    env = {"PORT": port, "NODEINIT_RESIZE": "off"}
    with cgroup.Group(cpus=1) as group:
        with nodeinit.start(script(tmp_path, SERVER), env=env, group=group) as pid1:
            pid1.wait_port(port)
            group.set_cpus(1.5)
            with pytest.raises(AssertionError):
                pid1.wait_for(lambda: len(pid1.workers()) != 1, 9)
            assert pid1.stop() == 0, pid1.told()


def test_a_kill_for_buffers_is_told_with_its_cause(tmp_path):
    port = nodeinit.free_port()
    with cgroup.Group(cpus=1, memory=256 << 20) as group:
        with nodeinit.start(script(tmp_path, BUFFERS), env={"PORT": port}, group=group) as pid1:
            line = pid1.wait_line(r"killed by the kernel, out of memory.*", deadline=60)[0]
            assert "256 MiB" in line
            assert "outside" in line
            pid1.send(signal.SIGQUIT)
            pid1.wait()


def test_a_sigkill_from_a_person_is_not_called_an_oom_kill(tmp_path):
    import os

    port = nodeinit.free_port()
    with cgroup.Group(cpus=1, memory=256 << 20) as group:
        with nodeinit.start(script(tmp_path, SERVER), env={"PORT": port}, group=group) as pid1:
            pid1.wait_port(port)
            os.kill(pid1.workers()[0].pid, signal.SIGKILL)
            pid1.wait_line(r"SIGKILL from outside")
            assert "out of memory" not in pid1.err
            assert pid1.stop() == 0, pid1.told()


@pytest.mark.parametrize("major", [20, 22, 24])
def test_workers_that_allocate_without_end_meet_their_heap_limit_first(tmp_path, major):
    """A program that never listens runs once: its abort is the container's exit code."""
    path = tmp_path / "app.js"
    path.write_text(OBJECTS)
    with cgroup.Group(cpus=1, memory=256 << 20) as group:
        done = nodeinit.run([node.path(major), str(path)], group=group, timeout=120)
        counter = group.path("memory") / ("memory.events" if cgroup.is_v2() else "memory.oom_control")
        kills = [line for line in counter.read_text().splitlines() if line.startswith("oom_kill ")]
    assert kills == ["oom_kill 0"], done.err
    assert done.code == 134, done.err
    assert "its heap is full" in done.err
