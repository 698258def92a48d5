"""The figures of docker/docs/figures.md, measured here: usage figures.py [--rounds N] [--node MAJOR].

Prints a table of: the size of the program; the time from start to the first answer, bare node against node under
nodeinit as PID 1 with one worker and with two; the memory that nodeinit itself has (RSS and private dirty pages); its
CPU time at rest. Rounds are interleaved, so that a busy machine is busy for all; the median is given.
"""

import argparse
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from support import apps, http, node, nodeinit  # noqa: E402


def first_answer(port) -> float:
    while True:
        try:
            http.get(port, timeout=1)
            return time.monotonic()
        except http.Failure:
            time.sleep(0.001)


def bare(script, binary) -> float:
    port = nodeinit.free_port()
    began = time.monotonic()
    process = subprocess.Popen(
        ["unshare", "--pid", "--fork", "--mount-proc", "--kill-child", binary, script],
        env={"PORT": str(port), "PATH": nodeinit.PATH}, stdout=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        return first_answer(port) - began
    finally:
        process.kill()
        process.wait()


def under_nodeinit(script, binary, workers) -> float:
    port = nodeinit.free_port()
    began = time.monotonic()
    with nodeinit.start([binary, script], env={"PORT": port, "NODEINIT_WORKERS": workers}):
        return first_answer(port) - began


def memory_and_rest(script, binary, workers=2, seconds=5):
    """RSS and private dirty of nodeinit in KiB, and its CPU time over some seconds at rest in ms."""
    port = nodeinit.free_port()
    with nodeinit.start([binary, script], env={"PORT": port, "NODEINIT_WORKERS": workers}) as pid1:
        pid1.wait_port(port)
        pid1.wait_for(lambda: len(pid1.workers()) == workers)
        time.sleep(1)
        rollup = Path(f"/proc/{pid1.pid}/smaps_rollup").read_text()
        before = cpu_time(pid1.pid)
        time.sleep(seconds)
        used = cpu_time(pid1.pid) - before
    figure = {name: int(re.search(rf"^{name}:\s+(\d+)", rollup, re.MULTILINE)[1]) for name in ("Rss", "Private_Dirty")}
    return figure["Rss"], figure["Private_Dirty"], used


def cpu_time(pid) -> float:
    # schedstat counts nanoseconds; stat only ticks of 10 ms.
    return int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) / 1e6


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--node", default="22")
    asked = parser.parse_args()
    binary = node.path(asked.node)
    with tempfile.TemporaryDirectory() as folder:
        script = apps.make(folder, "http").script
        ways = {
            "bare node": lambda: bare(script, binary),
            "nodeinit, 1 worker": lambda: under_nodeinit(script, binary, 1),
            "nodeinit, 2 workers": lambda: under_nodeinit(script, binary, 2),
        }
        times = {name: [] for name in ways}
        for _ in range(asked.rounds):
            for name, way in ways.items():
                times[name].append(way() * 1000)
        rss, dirty, rest = memory_and_rest(script, binary)
    print(f"node {node.RELEASES[int(asked.node)]}, {os.cpu_count()} CPUs, {asked.rounds} rounds, median\n")
    print("| figure | value |\n|---|---|")
    print(f"| size of the program | {os.path.getsize(nodeinit.binary()):,} bytes |")
    for name, values in times.items():
        print(f"| start to first answer, {name} | {statistics.median(values):.0f} ms |")
    print(f"| memory of nodeinit with 2 workers | {rss} KiB resident, {dirty} KiB of it private |")
    print(f"| CPU time of nodeinit at rest | {rest / 5:.2f} ms a second |")


if __name__ == "__main__":
    main()
