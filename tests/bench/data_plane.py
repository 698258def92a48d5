"""Who carries connections how well: nodeinit's three ways beside Node's cluster (SCHED_RR, SCHED_NONE), pm2 and plain
processes that share a port by reusePort: usage data_plane.py [--rounds N] [--node MAJOR] [--only NAME…].

2 workers: wrk with 64 connections, kept alive and one for each request: requests/s, p50 and p99; CPU time of the
process above the workers, as a part of one CPU. 4 workers: 64 kept-alive connections, how many each worker has; and 300
requests a second, a connection each, whose handlers hold the event loop for 2 ms, one in fifty for 100 ms. Every load
meets processes of its own, warmed by the same load: a worker's code is compiled after some thousand requests, which one
that gets most of them reaches sooner. Contenders take turns within a round, in an order drawn anew, so that a busy
machine is busy for all; the median of the rounds is given.
"""

import argparse
import collections
import json
import os
import random
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bench import supervision  # noqa: E402
from support import http, node, nodeinit, wrk  # noqa: E402

HERE = Path(__file__).parent
SERVICE = HERE / "data_plane.js"
WARM, SECONDS, CONNECTIONS = 2, 4, 64


def under_nodeinit(balance):
    def start(binary, workers, env, _):
        return nodeinit.start([binary, SERVICE], ["--workers", workers, "--balance", balance], env)

    return start


def plainly(command, env):
    return nodeinit.start([], command[1:], env, program=command[0])


def under_cluster(policy):
    def start(binary, workers, env, _):
        return plainly([binary, str(HERE / "cluster_primary.js"), str(SERVICE)],
                       env | {"WORKERS": workers, "NODE_CLUSTER_SCHED_POLICY": policy})  # fmt: skip

    return start


def under_pm2(binary, workers, env, folder):
    pm2 = str(supervision.pm2_folder() / "pm2-runtime")
    return plainly([binary, pm2, "start", str(SERVICE), "-i", str(workers)], env | {"HOME": folder, "PM2_HOME": folder})


def plain_processes(binary, workers, env, _):
    each = f"{binary} {SERVICE} & " * workers
    return plainly(["/bin/sh", "-c", f"{each} wait"], env | {"REUSE_PORT": "1"})


CONTENDERS = {
    "nodeinit kernel": under_nodeinit("kernel"),
    "nodeinit shared": under_nodeinit("shared"),
    "nodeinit round-robin": under_nodeinit("round-robin"),
    "cluster SCHED_RR": under_cluster("rr"),
    "cluster SCHED_NONE": under_cluster("none"),
    "pm2": under_pm2,
    "reusePort": plain_processes,
}
FIGURES = {
    "kept alive, requests/s": "{:.0f}",
    "kept alive, p50 ms": "{:.2f}",
    "kept alive, p99 ms": "{:.1f}",
    "kept alive, CPU of the primary, %": "{:.1f}",
    "short, requests/s": "{:.0f}",
    "short, p50 ms": "{:.2f}",
    "short, p99 ms": "{:.1f}",
    "short, CPU of the primary, %": "{:.1f}",
    "64 connections, fewest of a worker": "{:.0f}",
    "64 connections, most of a worker": "{:.0f}",
    "blocking, p50 ms": "{:.1f}",
    "blocking, p90 ms": "{:.1f}",
    "blocking, p95 ms": "{:.1f}",
    "blocking, p99 ms": "{:.0f}",
    "blocking, CPU of the primary, %": "{:.1f}",
}


def ask(connection):
    connection.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    answer = b""
    while not answer.partition(b"\r\n\r\n")[2].strip():
        answer += connection.recv(65536)
    return answer.partition(b"\r\n\r\n")[2].strip()


def all_answer(port, workers):
    def look():
        try:
            return len({http.get(port).body for _ in range(8 * workers)}) == workers
        except http.Failure:
            return False

    nodeinit.wait_for(look, 60, f"{workers} workers that answer")


class Cpu:
    """Of one process, as a part of one CPU in percent."""

    def __init__(self, pid):
        self.file = Path(f"/proc/{pid}/schedstat")
        self.began, self.used = time.monotonic(), self._read()

    def _read(self):
        return int(self.file.read_text().split()[0]) / 1e9

    def percent(self):
        return 100 * (self._read() - self.used) / (time.monotonic() - self.began)


def load(name, pid1, port, keep_alive):
    wrk.run(port, seconds=WARM, connections=CONNECTIONS, keep_alive=keep_alive)
    cpu = Cpu(pid1.pid)
    report = wrk.run(port, seconds=SECONDS, connections=CONNECTIONS, keep_alive=keep_alive)
    assert not report.failed, report.text
    yield f"{name}, requests/s", report.rate
    yield f"{name}, p50 ms", report.latency[50]
    yield f"{name}, p99 ms", report.latency[99]
    yield f"{name}, CPU of the primary, %", cpu.percent()


def spread(pid1, port):
    open_ones = [socket.create_connection(("127.0.0.1", port), 30) for _ in range(CONNECTIONS)]
    held = collections.Counter(ask(one) for one in open_ones)
    for one in open_ones:
        one.close()
    yield "64 connections, fewest of a worker", min(held.values()) if len(held) == 4 else 0
    yield "64 connections, most of a worker", max(held.values())


def blocking(pid1, port, binary):
    command = [binary, str(HERE / "steady_load.js"), str(port), "300", "5", "close", "/block"]
    cpu = Cpu(pid1.pid)
    found = json.loads(subprocess.run(command, check=True, capture_output=True, timeout=120).stdout)
    assert not found["failed"], found
    for part in (50, 90, 95, 99):
        yield f"blocking, p{part} ms", found[f"p{part}_ms"]
    yield "blocking, CPU of the primary, %", cpu.percent()


def measure(start, binary):
    """Yields figures and values."""
    for workers, question in (
        (2, lambda *service: load("kept alive", *service, keep_alive=True)),
        (2, lambda *service: load("short", *service, keep_alive=False)),
        (4, spread),
        (4, lambda *service: blocking(*service, binary)),
    ):
        with tempfile.TemporaryDirectory() as folder:
            port = nodeinit.free_port()
            with start(binary, workers, {"PORT": port}, folder) as pid1:
                all_answer(port, workers)
                time.sleep(0.3)
                yield from question(pid1, port)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--node", default="24")
    parser.add_argument("--only", nargs="*", default=list(CONTENDERS), choices=list(CONTENDERS))
    asked = parser.parse_args()
    binary = node.path(asked.node)
    rounds = {name: collections.defaultdict(list) for name in asked.only}
    for number in range(asked.rounds):
        for name in random.sample(asked.only, len(asked.only)):
            for figure, value in measure(CONTENDERS[name], binary):
                rounds[name][figure].append(value)
        print(f"round {number + 1} of {asked.rounds}", file=sys.stderr, flush=True)
    print(f"node {node.RELEASES[int(asked.node)]}, pm2 {supervision.PM2}, {os.cpu_count()} CPUs, {asked.rounds} rounds, "
          "median\n")  # fmt: skip
    print("| figure | " + " | ".join(asked.only) + " |\n|---|" + "---|" * len(asked.only))
    for figure, form in FIGURES.items():
        cells = [form.format(statistics.median(rounds[name][figure])) for name in asked.only]
        print(f"| {figure} | " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main()
