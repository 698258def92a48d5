"""Programs that end by a library's doing: real packages, beside bare node, in a stop, a reload and a scale-down.

Each program of libraries/ prints "cleanup begins" and "cleanup done". What it does under bare node on SIGTERM, with
a request in flight, each worker has to do here; and the request is answered, whatever it is under bare node.
"""

import functools
import json
import os
import re
import signal
import subprocess
import time
from pathlib import Path

import pytest
from support import apps, node, nodeinit
from support.crowd import MAJORS, Crowd

HERE = Path(__file__).parent / "libraries"
NAMES = sorted(each.stem for each in HERE.glob("*.cjs") if each.stem != "common")
SHORT = [24]  # the others with --long
# What a library asks of Node, by its package.json or its syntax.
NEEDS = {"apollo": 20, "exit-hook": 20, "nest": 20}
CASES = [
    pytest.param(name, major, marks=[] if major in SHORT else pytest.mark.long)
    for name in NAMES
    for major in MAJORS
    if major >= NEEDS.get(name, 18)
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The programs beside their packages."""
    place = tmp_path_factory.mktemp("libraries")
    for each in HERE.glob("*.cjs"):
        (place / each.name).write_text(each.read_text())
    (place / "node_modules").symlink_to(apps.packages(HERE) / "node_modules")
    return place


@functools.cache
def bare(script, major):
    """(times that the cleanup was done, seconds) of the program alone, ended by SIGTERM during a request."""
    port = nodeinit.free_port()
    process = subprocess.Popen([node.path(major), script], env={**os.environ, "PORT": str(port)}, stdout=subprocess.PIPE,
                               stdin=subprocess.DEVNULL, text=True)  # fmt: skip
    try:
        nodeinit.wait_for(lambda: Crowd(port, ["/"]).lost() == [], what="the program alone", deadline=30)
        crowd = Crowd(port, ["/600"])
        time.sleep(0.2)
        begin = time.monotonic()
        process.send_signal(signal.SIGTERM)
        out = process.communicate(timeout=30)[0]
        crowd.lost()
        return out.count("cleanup done"), time.monotonic() - begin
    finally:
        process.kill()
        process.wait()


def start(script, major):
    port = nodeinit.free_port()
    pid1 = nodeinit.start([node.path(major), script], env={"PORT": port, "NODEINIT_WORKERS": 2})
    for slot in (0, 1):
        pid1.wait_line(rf"slot {slot}: worker \d+ is ready")
    return pid1, port


@pytest.mark.parametrize("name, major", CASES)
def test_each_worker_cleans_up_as_the_program_alone_does(folder, name, major):
    script = str(folder / f"{name}.cjs")
    cleanups, seconds = bare(script, major)
    assert cleanups == 1, "the library does nothing here: what would be compared?"
    pid1, port = start(script, major)
    with pid1:
        crowd = Crowd(port, ["/600"] * 4)
        time.sleep(0.2)
        assert pid1.ctl("reload").code == 0
        assert crowd.lost() == []
        pid1.wait_for(lambda: pid1.out.count("cleanup done") == 2, what="the cleanup of both in a reload")
        assert pid1.ctl("scale", "1").code == 0
        pid1.wait_for(lambda: pid1.out.count("cleanup done") == 3, what="the cleanup of a worker that is scaled away")
        pid1.wait_for(lambda: len(pids(pid1)) == 1, what="one worker")
        crowd = Crowd(port, ["/600"] * 4)
        time.sleep(0.2)
        begin = time.monotonic()
        pid1.send(signal.SIGTERM)
        assert pid1.wait(20) == 0
        assert crowd.lost() == []
        assert time.monotonic() - begin < seconds + 2.5
        assert pid1.out.count("cleanup done") == 4, "a stop"
        assert not re.search(r"SIGKILL|killed", pid1.err)


def pids(pid1):
    status = json.loads(pid1.ctl("status", "--json").out)
    return [slot["pid"] for slot in status["programs"][0]["slots"] if slot.get("pid")]
