"""A cgroup of a test's own, with CPU quota and memory limit, on cgroup v1 or v2; removed at the end.

    with cgroup.Group(cpus=1.5, memory=256 << 20) as group:
        with nodeinit.start(..., group=group): ...
    group.set_cpus(2), group.set_memory(bytes)     live; None: no limit
    group.path("cpu") -> Path                      its folder in a controller's tree
    group.processes() -> [pid]
    sweep()                                        what killed runs have left behind
    available() -> bool                            False where cgroups may not be made: skip the test

It is made below the root of the tree, not below the test's own group (which may have a limit of its own).
"""

import os
import re
import signal
import time
from pathlib import Path

ROOT = Path("/sys/fs/cgroup")
_PERIOD = 100_000


def is_v2() -> bool:
    return (ROOT / "cgroup.controllers").exists()


def available() -> bool:
    try:
        with Group():
            return True
    except OSError:
        return False


class Group:
    _count = 0

    def __init__(self, cpus=None, memory=None):
        Group._count += 1
        self.name = f"nodeinit-test-{os.getpid()}-{Group._count}"
        if is_v2():
            for controller in ("cpu", "memory"):
                _try_write(ROOT / "cgroup.subtree_control", f"+{controller}")
            self._folders = {c: ROOT / self.name for c in ("cpu", "memory")}
        else:
            self._folders = {c: ROOT / c / self.name for c in ("cpu", "cpuacct", "memory", "pids")
                             if (ROOT / c).is_dir()}  # fmt: skip
        for folder in set(self._folders.values()):
            folder.mkdir()
        try:
            self.set_cpus(cpus)
            self.set_memory(memory)
        except OSError:
            self.remove()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.remove()

    def path(self, controller) -> Path:
        return self._folders[controller]

    def set_cpus(self, cpus):
        quota = None if cpus is None else round(cpus * _PERIOD)
        if is_v2():
            (self.path("cpu") / "cpu.max").write_text(f"{'max' if quota is None else quota} {_PERIOD}")
        else:
            (self.path("cpu") / "cpu.cfs_period_us").write_text(str(_PERIOD))
            (self.path("cpu") / "cpu.cfs_quota_us").write_text(str(-1 if quota is None else quota))

    def set_memory(self, limit):
        if is_v2():
            (self.path("memory") / "memory.max").write_text("max" if limit is None else str(limit))
        else:
            (self.path("memory") / "memory.limit_in_bytes").write_text(str(-1 if limit is None else limit))

    # Moves the calling process in (between fork and exec).
    def enter(self):
        for folder in set(self._folders.values()):
            (folder / "cgroup.procs").write_text(str(os.getpid()))

    def processes(self) -> list:
        return [int(pid) for pid in (self.path("cpu") / "cgroup.procs").read_text().split()]

    def remove(self):
        end = time.monotonic() + 10
        for folder in set(self._folders.values()):
            while folder.exists():
                try:
                    folder.rmdir()
                except OSError:  # a process is still dying in it
                    if time.monotonic() > end:
                        raise
                    self._kill_all(folder)
                    time.sleep(0.02)

    @staticmethod
    def _kill_all(folder):
        for pid in (folder / "cgroup.procs").read_text().split():
            try:
                os.kill(int(pid), signal.SIGKILL)
            except ProcessLookupError:
                pass


def sweep():
    """Removes the groups of runs that were killed before they could: a name says which process made it."""
    for folder in ROOT.glob("**/nodeinit-test-*"):
        made_by = re.fullmatch(r"nodeinit-test-(?:\w+-)?(\d+)-\d+", folder.name)
        if made_by and not Path(f"/proc/{made_by[1]}").exists():
            try:
                Group._kill_all(folder)
                folder.rmdir()
            except OSError:
                pass  # somebody still dies in it: the next run's


def _try_write(path, text):
    try:
        path.write_text(text)
    except OSError:
        pass  # already on, or not ours to give: set_cpus tells
