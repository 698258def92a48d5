"""How workers end by memory in a real cgroup: by V8's own heap limit, by the kernel, by a person; and what is said."""

import os
import re
import signal
import sys

import pytest
from support import cgroup, node, nodeinit

pytestmark = pytest.mark.skipif(not cgroup.available(), reason="cgroups may not be made here")

SERVER = "require('http').createServer((q, s) => s.end(String(process.pid))).listen(process.env.PORT)"
# Memory that V8's heap limit does not see.
BUFFERS = SERVER + "; const kept = []; setInterval(() => kept.push(Buffer.alloc(8 << 20, 1)), 5)"
# Memory that it does see, of several shapes.
KEEP = {
    "objects": "Array.from({length: 1000}, (_, i) => ({i}))",
    "strings": "JSON.stringify(Array.from({length: 2000}, (_, i) => 'text ' + i + kept.length))",
    "arrays": "new Array(50000).fill(kept.length)",
}
# All workers begin at the same time, when the file is there.
TOGETHER = SERVER + """;
const fs = require('fs'), kept = [];
const timer = setInterval(() => {
  if (!fs.existsSync(process.env.BEGIN)) return;
  clearInterval(timer);
  for (;;) kept.push(%s);
}, 10)"""
MAJORS = [20, 22, 24]


def script(tmp_path, text, major=22):
    path = tmp_path / "app.js"
    path.write_text(text)
    return [node.path(major), str(path)]


def kernel_kills(group):
    counter = group.path("memory") / ("memory.events" if cgroup.is_v2() else "memory.oom_control")
    return int(re.search(r"^oom_kill (\d+)", counter.read_text(), re.MULTILINE)[1])


def all_meet_their_heap_limit(tmp_path, major, limit, workers, shape="objects"):
    port, begin = nodeinit.free_port(), tmp_path / "begin"
    env = {"PORT": port, "BEGIN": begin, "NODEINIT_WORKERS": workers, "NODEINIT_RESTART": "never", "NODEINIT_LOG": "lines"}
    with cgroup.Group(memory=limit << 20) as group:
        with nodeinit.start(script(tmp_path, TOGETHER % KEEP[shape], major), env=env, group=group) as pid1:
            pid1.wait_for(lambda: pid1.err.count("is ready after") == workers, 60, f"{workers} ready workers")
            begin.touch()
            code = pid1.wait(150)
            kills = kernel_kills(group)
    assert kills == 0, pid1.told()
    assert code == 134, pid1.told()
    assert pid1.err.count("V8 has aborted it: its heap is full") == workers, pid1.told()


@pytest.mark.parametrize("major", MAJORS)
def test_a_program_that_runs_once_meets_its_heap_limit_before_the_kernel(tmp_path, major):
    """Its abort is the container's exit code."""
    command = script(tmp_path, f"const kept = []; for (;;) kept.push({KEEP['objects']})", major)
    with cgroup.Group(cpus=1, memory=256 << 20) as group:
        done = nodeinit.run(command, group=group, timeout=120)
        assert kernel_kills(group) == 0, done.err
    assert done.code == 134, done.err
    assert "its heap is full" in done.err


@pytest.mark.parametrize("major", MAJORS)
def test_two_workers_that_allocate_without_end_both_meet_their_heap_limit(tmp_path, major):
    all_meet_their_heap_limit(tmp_path, major, 512, 2)


@pytest.mark.long
@pytest.mark.timeout(300)
@pytest.mark.parametrize("major", [*MAJORS, node.NEWEST])
@pytest.mark.parametrize(("limit", "workers"), [(256, 1), (256, 2), (512, 3), (1024, 4), (1024, 7)])
def test_workers_that_allocate_without_end_all_meet_their_heap_limit(tmp_path, major, limit, workers):
    all_meet_their_heap_limit(tmp_path, major, limit, workers)


@pytest.mark.long
@pytest.mark.timeout(300)
@pytest.mark.parametrize("major", MAJORS)
@pytest.mark.parametrize("shape", ["strings", "arrays"])
def test_so_they_do_whatever_the_heap_is_full_of(tmp_path, major, shape):
    all_meet_their_heap_limit(tmp_path, major, 512, 3, shape)


@pytest.mark.parametrize("workers", [1, 2])
def test_a_kill_for_buffers_is_told_with_its_figures_and_cause(tmp_path, workers):
    port = nodeinit.free_port()
    env = {"PORT": port, "NODEINIT_WORKERS": workers}
    share, heap = (224, 178) if workers == 1 else (112, 69)
    with cgroup.Group(cpus=1, memory=256 << 20) as group:
        with nodeinit.start(script(tmp_path, BUFFERS), env=env, group=group) as pid1:
            line = pid1.wait_line(r"killed by the kernel, out of memory.*", deadline=60)[0]
            assert "limit 256 MiB (/sys/fs/cgroup/" in line
            assert f"its share {share} MiB, its heap limit {heap} MiB" in line
            peak = re.search(r"at most (\d+) MiB resident", line)
            assert peak and share < int(peak[1]) <= 256 + 64, line  # file pages count as resident, too
            assert "memory outside the heap (Buffers, native add-ons) is the cause" in line
            pid1.wait_line(r"was killed by the kernel: out of memory \(SIGKILL\)")
            pid1.send(signal.SIGQUIT)
            pid1.wait()
        assert kernel_kills(group) > 0


def test_a_heap_of_the_users_own_size_is_named_as_the_likely_cause(tmp_path):
    port = nodeinit.free_port()
    env = {"PORT": port, "NODE_OPTIONS": "--max-old-space-size=4000", "NODEINIT_RESTART": "never"}
    more = f"for (let n = 0; n < 200; n++) kept.push({KEEP['objects']})"
    text = SERVER + f"; const kept = []; setInterval(() => {{ {more} }}, 1)"
    with cgroup.Group(cpus=1, memory=256 << 20) as group:
        with nodeinit.start(script(tmp_path, text), env=env, group=group) as pid1:
            line = pid1.wait_line(r"killed by the kernel, out of memory.*", deadline=90)[0]
            assert "the heap was not sized by nodeinit" in line
            assert "--max-old-space-size=4000" in line
            assert pid1.wait() == 137


def test_a_sigkill_from_a_person_is_not_called_an_oom_kill(tmp_path):
    port = nodeinit.free_port()
    with cgroup.Group(cpus=1, memory=256 << 20) as group:
        with nodeinit.start(script(tmp_path, SERVER), env={"PORT": port}, group=group) as pid1:
            pid1.wait_port(port)
            os.kill(pid1.workers()[0].pid, signal.SIGKILL)
            pid1.wait_line(r"SIGKILL from outside")
            assert "out of memory" not in pid1.err
            assert pid1.stop() == 0, pid1.told()


def test_an_abort_for_another_reason_is_not_called_a_full_heap(tmp_path):
    port = nodeinit.free_port()
    env = {"PORT": port, "NODEINIT_LOG": "lines", "NODEINIT_RESTART": "never"}
    text = SERVER + "; setTimeout(() => { console.error('Error: giving up'); process.abort(); }, 200)"
    with cgroup.Group(cpus=1, memory=256 << 20) as group:
        done = nodeinit.run(script(tmp_path, text), env=env, group=group)
    assert done.code == 134
    assert "its last words: Error: giving up" in done.err
    assert "heap is full" not in done.err


def test_single_mode_tells_the_kernels_kill_from_a_persons(tmp_path):
    log = tmp_path / "log"
    env = {"NODEINIT_MODE": "single", "NODEINIT_TERMINATION_LOG": log}
    with cgroup.Group(memory=128 << 20) as group:
        done = nodeinit.run(["sh", "-c", "kill -KILL $$"], env=env, group=group)
        assert done.code == 137
        assert "was killed by SIGKILL" in log.read_text() and "out of memory" not in log.read_text()
        text = "import sys; print('filling the cache', file=sys.stderr); kept = [bytearray(b'x') * (8 << 20) for _ in range(99)]"
        done = nodeinit.run([sys.executable, "-c", text], env=env, group=group)
        assert kernel_kills(group) > 0
    assert done.code == 137
    assert "was killed by SIGKILL" in log.read_text()
    assert "out of memory: the kernel has killed 1 of this container's processes" in log.read_text()
    assert "\n  filling the cache\n" in log.read_text()


HELPER = """
if (process.env.NODEINIT_SLOT === '0') {
  try { require('child_process').execFileSync('tail', ['/dev/zero'], {stdio: 'ignore'}); } catch {}
  console.log('helper gone');
}
""" + SERVER


def test_a_helper_that_the_kernel_kills_is_told_and_no_worker_s_kill_is_laid_to_memory(tmp_path):
    env = {"PORT": nodeinit.free_port(), "NODEINIT_WORKERS": 2, "NODEINIT_LOG": "lines"}
    with cgroup.Group(memory=300 << 20) as group:
        with nodeinit.start(script(tmp_path, HELPER), env=env, group=group) as pid1:
            pid1.wait_line("helper gone", "out")
            line = pid1.wait_line("the kernel has killed a process of this container that is no worker.*", deadline=5)[0]
            assert "limit 300 MiB (/sys/fs/cgroup/" in line
            pid1.wait_line("slot 1: worker .* is ready")
            os.kill(pid1.workers()[-1].pid, signal.SIGKILL)
            pid1.wait_line("SIGKILL from outside")
            assert "was killed by the kernel" not in pid1.err
            assert pid1.err.count("that is no worker") == 1


def test_an_orphan_that_the_kernel_kills_is_told(tmp_path):
    """It is a child of PID 1 by then."""
    orphan = "require('child_process').spawn('sh', ['-c', 'tail /dev/zero & exit'], {stdio: 'ignore'});" + SERVER
    with cgroup.Group(memory=300 << 20) as group:
        with nodeinit.start(script(tmp_path, orphan), env={"PORT": nodeinit.free_port(), "NODEINIT_WORKERS": 1},
                            group=group) as pid1:  # fmt: skip
            pid1.wait_line("the kernel has killed a process of this container that is no worker")
            assert "was killed by the kernel" not in pid1.err
