"""A real cgroup's limits are changed while workers of a real Node serve."""

import json
import os
import re
import signal
import time

import pytest
from support import cgroup, http, node, nodeinit

pytestmark = pytest.mark.skipif(not cgroup.available(), reason="cgroups may not be made here")

SERVER = "require('http').createServer((q, s) => s.end(String(process.pid))).listen(process.env.PORT)"
MIB = 1 << 20


class Service:
    """A server under nodeinit in a group with these limits; ready when entered."""

    def __init__(self, tmp_path, cpus, memory=None, **env):
        script = tmp_path / "app.js"
        script.write_text(SERVER)
        self.port = nodeinit.free_port()
        self._limits = {"cpus": cpus, "memory": memory}
        self._command = [node.path(22), str(script)]
        self._env = {"PORT": self.port} | env

    def __enter__(self):
        self.group = cgroup.Group(**self._limits)
        try:
            self.pid1 = nodeinit.start(self._command, env=self._env, group=self.group)
            self.pid1.wait_port(self.port)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        if hasattr(self, "pid1"):
            self.pid1.close()
        self.group.remove()

    def workers(self):
        return [worker.pid for worker in self.pid1.workers()]

    def heaps(self):
        """MiB of old space by worker."""
        found = [re.search(r"--max-old-space-size=(\d+)", " ".join(w.arguments)) for w in self.pid1.workers()]
        return [int(each[1]) for each in found if each]

    def wait_workers(self, count, deadline=25):
        self.pid1.wait_for(lambda: len(self.workers()) == count, deadline, f"{count} workers")

    def wait_heaps(self, count, heap, deadline=30):
        self.pid1.wait_for(lambda: self.heaps() == [heap] * count, deadline, f"{count} heaps of {heap} MiB")

    def stays(self, question, seconds):
        with pytest.raises(AssertionError):
            self.pid1.wait_for(lambda: not question(), seconds)
        assert self.pid1.running(), self.pid1.told()

    def stop(self):
        assert self.pid1.stop() == 0, self.pid1.told()


def test_workers_get_the_heap_of_the_plan(tmp_path):
    with Service(tmp_path, cpus=1.5, memory=512 * MIB) as service:
        service.wait_heaps(2, 194)
        for worker in service.pid1.workers():
            assert "--max-semi-space-size=2" in worker.arguments
        service.stop()


def test_a_quota_that_changes_live_adds_and_drains_workers(tmp_path):
    with Service(tmp_path, cpus=1) as service:
        assert len(service.workers()) == 1
        service.group.set_cpus(1.5)
        service.wait_workers(2)
        service.group.set_cpus(0.5)
        service.wait_workers(1, deadline=40)
        service.stop()


def test_a_quota_that_does_not_stay_is_not_followed(tmp_path):
    with Service(tmp_path, cpus=1) as service:
        for cpus in (1.5, 1) * 4:
            service.group.set_cpus(cpus)
            service.stays(lambda: len(service.workers()) == 1, 1.5)
        assert "resized" not in service.pid1.err
        service.stop()


def test_a_smaller_memory_limit_is_followed_at_once_worker_by_worker(tmp_path):
    with Service(tmp_path, cpus=1.5, memory=512 * MIB) as service:
        service.wait_heaps(2, 194)
        before = set(service.workers())
        changed = time.monotonic()
        service.group.set_memory(384 * MIB)
        answers, both_gone = 0, False
        while service.heaps() != [130, 130] and time.monotonic() < changed + 30:
            assert http.get(service.port, timeout=5).status == 200
            answers += 1
            both_gone = both_gone or not (before | set(service.workers()))
        assert service.heaps() == [130, 130], service.pid1.told()
        first = service.pid1.wait_line(r"is being replaced \(")
        assert first and answers > 3 and not both_gone
        service.pid1.wait_for(lambda: not before & set(service.workers()), what="the old workers gone")
        # Each one's successor was ready before its predecessor went.
        steps = re.findall(r"slot (\d): worker \d+ (is being replaced|is ready)", service.pid1.err[service.pid1.err.index("resized") :])
        assert [what for _, what in steps] == ["is being replaced", "is ready"] * 2, service.pid1.told()
        service.stop()


def test_a_larger_memory_limit_waits_for_a_reload(tmp_path):
    with Service(tmp_path, cpus=1, memory=384 * MIB) as service:
        service.wait_heaps(1, 300)
        before = service.workers()
        service.group.set_memory(512 * MIB)
        service.pid1.wait_line(r"memory limit is now 512 MiB .*until a reload")
        service.stays(lambda: service.workers() == before, 7)
        assert service.pid1.ctl("reload").code == 0
        service.wait_heaps(1, 428)
        service.stop()


def test_a_larger_memory_limit_is_followed_by_a_rolling_reload_when_asked_for(tmp_path):
    with Service(tmp_path, cpus=1.5, memory=384 * MIB, NODEINIT_RESIZE="reload") as service:
        service.wait_heaps(2, 130)
        before = set(service.workers())
        service.group.set_memory(512 * MIB)
        service.wait_heaps(2, 194)
        service.pid1.wait_line(r"reload done")
        assert not before & set(service.workers())
        service.stop()


def test_a_memory_limit_that_goes_back_and_forth_costs_one_replacement(tmp_path):
    with Service(tmp_path, cpus=1, memory=512 * MIB, NODEINIT_RESIZE="reload") as service:
        service.wait_heaps(1, 428)
        for limit in (384, 512) * 3:
            service.group.set_memory(limit * MIB)
            time.sleep(2.5)
        assert service.pid1.err.count("the container was resized") == 1, service.pid1.told()
        assert service.heaps() == [300]
        service.stop()


def descriptors(pid):
    return [os.readlink(f"/proc/{pid}/fd/{number}") for number in os.listdir(f"/proc/{pid}/fd")]


@pytest.mark.parametrize("resize", ["on", "off"])
def test_limit_files_are_watched_only_when_they_are_followed(tmp_path, resize):
    with Service(tmp_path, cpus=1, NODEINIT_RESIZE=resize) as service:
        watched = [name for name in descriptors(service.pid1.pid) if "inotify" in name or "/sys/fs/cgroup" in name]
        assert bool(watched) == (resize == "on"), watched
        service.group.set_cpus(1.5)
        if resize == "off":
            service.stays(lambda: len(service.workers()) == 1, 9)
        else:
            service.wait_workers(2)
        service.stop()


def wake_ups(pid):
    return int(re.search(r"^voluntary_ctxt_switches:\s+(\d+)", open(f"/proc/{pid}/status").read(), re.MULTILINE)[1])


@pytest.mark.long
@pytest.mark.parametrize(("resize", "storm", "most"), [("off", False, 0), ("off", True, 0), ("on", False, 5), ("on", True, 10)])
def test_at_rest_it_wakes_at_most_once_a_second_for_the_limits_and_never_when_off(tmp_path, resize, storm, most):
    seconds = 8
    with Service(tmp_path, cpus=1, NODEINIT_RESIZE=resize) as service:
        time.sleep(12)  # a worker is stable after 10 s, which is the last thing to wait for
        before = wake_ups(service.pid1.pid)
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if storm:
                service.group.set_cpus(1)  # the same value: a hint, and no change
            time.sleep(0.02)
        woken = wake_ups(service.pid1.pid) - before
        assert woken <= most, f"{woken} times in {seconds} s"
        assert woken > 0 or resize == "off"
        service.stop()


def status(service):
    return json.loads(service.pid1.ctl("status", "--json").out)["programs"][0]


def test_more_workers_by_hand_share_the_memory_and_those_with_a_larger_heap_give_way(tmp_path):
    with Service(tmp_path, cpus=1.5, memory=512 * MIB, NODEINIT_MAX_MEMORY="90%") as service:
        service.wait_heaps(2, 194)
        before = set(service.workers())
        assert service.pid1.ctl("scale", "6").out == "node: 6 workers wanted\n"
        service.wait_heaps(6, 37)
        service.wait_workers(6)
        assert not before & set(service.workers())
        service.pid1.wait_line(r"scaled \(nodeinit ctl\): 2 → 6 workers, heap 194 → 37 MiB each; "
                               r"2 workers with a larger heap are replaced, one at a time")  # fmt: skip
        program = status(service)
        assert (program["heap"], program["memory_per_worker"]) == (37 * MIB, 80 * MIB)
        # Fewer: who runs has room enough, who comes has more.
        running = set(service.workers())
        assert service.pid1.ctl("scale", "2").code == 0
        service.wait_workers(2)
        assert set(service.workers()) <= running
        assert "heap 37 → 194 MiB each" in service.pid1.err
        os.kill(service.workers()[0], signal.SIGKILL)
        service.pid1.wait_for(lambda: sorted(service.heaps()) == [37, 194])
        # One more is too many for the one with the large heap alone.
        service.pid1.send(signal.SIGTTIN)
        service.pid1.wait_line(r"scaled \(SIGTTIN\): 2 → 3 workers, heap 194 → \d+ MiB each; 1 worker with a larger heap is replaced")
        service.pid1.wait_for(lambda: len(service.heaps()) == 3 and max(service.heaps()) < 194)
        service.stop()


def test_a_number_asked_for_holds_until_the_limits_or_the_configuration_want_another(tmp_path):
    with Service(tmp_path, cpus=1.5, memory=512 * MIB) as service:
        service.wait_workers(2)
        assert service.pid1.ctl("scale", "3").code == 0
        service.wait_heaps(3, 114)
        assert service.pid1.ctl("reload").code == 0
        assert service.heaps() == [114] * 3
        service.group.set_memory(384 * MIB)  # the number stays, the heaps shrink
        service.pid1.wait_for(lambda: len(service.heaps()) == 3 and max(service.heaps()) < 114)
        service.group.set_cpus(1)
        service.wait_workers(1)
        service.stop()


def test_a_number_asked_for_is_bounded_as_the_setting_is(tmp_path):
    with Service(tmp_path, cpus=1) as service:
        wrong = service.pid1.ctl("scale", "1025")
        assert wrong.code == 64 and "from 1 to 1024" in wrong.err
        refused = service.pid1.ctl("scale", "+1024")
        assert refused.code == 1 and "at most 1024 workers" in refused.err
        assert len(service.workers()) == 1
        service.stop()


def test_a_heap_percentage_of_the_user_s_is_divided_among_the_workers(tmp_path):
    with Service(tmp_path, cpus=1.5, memory=512 * MIB, NODE_OPTIONS="--max-old-space-size-percentage=75") as service:
        service.wait_workers(2)
        environ = open(f"/proc/{service.workers()[0]}/environ").read().split("\0")
        assert "NODE_OPTIONS=--max-old-space-size-percentage=37.5" in environ
        assert service.heaps() == []
        service.stop()
