"""A freezer: the cgroup controller by which engines pause a container, of either version."""

import os
import random
import time
from pathlib import Path

import pytest


class Freezer:
    def __init__(self, folder: Path, unified: bool):
        self.folder, self.unified = folder, unified

    @property
    def procs(self):
        return str(self.folder / "cgroup.procs")

    def _become(self, frozen):
        if self.unified:
            (self.folder / "cgroup.freeze").write_text("1" if frozen else "0")
            return
        word = "FROZEN" if frozen else "THAWED"
        end = time.monotonic() + 5
        while True:
            (self.folder / "freezer.state").write_text(word)
            if (self.folder / "freezer.state").read_text().strip() == word or time.monotonic() > end:
                return
            time.sleep(0.01)

    def freeze(self):
        self._become(True)

    def thaw(self):
        self._become(False)


@pytest.fixture
def freezer():
    root = Path("/sys/fs/cgroup")
    unified = (root / "cgroup.controllers").exists()
    folder = (root if unified else root / "freezer") / f"nodeinit-test-{os.getpid()}-{random.randrange(10**6)}"
    try:
        folder.mkdir()
    except OSError as why:
        pytest.skip(f"no cgroup to freeze: {why}")
    if not (folder / ("cgroup.freeze" if unified else "freezer.state")).exists():
        folder.rmdir()
        pytest.skip("no freezer")
    found = Freezer(folder, unified)
    yield found
    found.thaw()
    end = time.monotonic() + 5
    while folder.exists():
        try:
            folder.rmdir()
        except OSError:
            if time.monotonic() > end:
                raise
            time.sleep(0.02)
