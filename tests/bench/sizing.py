#!/usr/bin/python3
"""Quota → workers → requests/s and p99: one worker beside the rule of nodeinit beside too many.

    sizing.py [--rounds N] [--node MAJOR] [--quotas 0.5,1,1.5,2] [--many N]

A server whose every request costs some 2 ms of JavaScript runs under nodeinit in a real cgroup with each CPU quota.
Full load (wrk, 32 connections) gives requests/s; a steady load of 60 % of what one worker managed, sent on a schedule
whatever the answers take, gives the 99th percentile. Rounds are interleaved and each round's figures are divided by
those of the rule in the same round; the median of these ratios is printed as a table in Markdown. The groups get a
large share of the machine, so that what else runs on it matters little. Needs root. Some five minutes.
"""

import argparse
import contextlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from support import cgroup, node, nodeinit, wrk  # noqa: E402

SERVER = """
require('http').createServer((request, answer) => {
  let sum = 0;
  for (let round = 0; round < 12; round++) {
    const text = JSON.stringify(Array.from({length: 400}, (_, i) => ({id: i, name: 'item ' + i, round})));
    sum += JSON.parse(text).length;
  }
  answer.end(String(sum));
}).listen(process.env.PORT);
"""
STEADY_LOAD = Path(__file__).with_name("steady_load.js")
SECONDS = 3
STEADY_PART = 0.6


class Group(cgroup.Group):
    """Gets its CPUs before everything else on the machine does, up to its quota."""

    def __init__(self, cpus=None):
        super().__init__(cpus)
        name, most = ("cpu.weight", 10_000) if cgroup.is_v2() else ("cpu.shares", 262_144)
        (self.path("cpu") / name).write_text(str(most))

    def throttled(self):
        """(periods, throttled ones) so far."""
        words = dict(line.split() for line in (self.path("cpu") / "cpu.stat").read_text().splitlines())
        return int(words["nr_periods"]), int(words["nr_throttled"])


@contextlib.contextmanager
def load_in_a_group_of_its_own():
    home = Path("/sys/fs/cgroup" if cgroup.is_v2() else "/sys/fs/cgroup/cpu") / "cgroup.procs"
    with Group() as group:
        (group.path("cpu") / "cgroup.procs").write_text(str(os.getpid()))
        try:
            yield
        finally:
            home.write_text(str(os.getpid()))


def p99_of_steady_load(binary, port, rate):
    done = subprocess.run([binary, str(STEADY_LOAD), str(port), str(rate), str(SECONDS)], env={"PATH": nodeinit.PATH},
                          capture_output=True, text=True, check=True, timeout=60)  # fmt: skip
    return json.loads(done.stdout)["p99_ms"]


def measure(binary, script, cpus, workers, steady_rate=None):
    """(workers, requests/s, p99 in ms or None, part of the periods that were throttled at full load)"""
    port = nodeinit.free_port()
    env = {"PORT": port, "NODEINIT_WORKERS": workers}
    with Group(cpus) as group, nodeinit.start([binary, script], env=env, group=group) as pid1:
        pid1.wait_port(port)
        time.sleep(1)  # all workers are up, or will not be
        count = len(pid1.workers())
        wrk.run(port, seconds=1, connections=32)  # warm
        before = group.throttled()
        rate = wrk.run(port, seconds=SECONDS, connections=32).rate
        after = group.throttled()
        time.sleep(0.5)
        p99 = p99_of_steady_load(binary, port, steady_rate) if steady_rate else None
    periods = max(1, after[0] - before[0])
    return count, rate, p99, (after[1] - before[1]) / periods


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--node", default="22")
    parser.add_argument("--quotas", default="0.5,1,1.5,2")
    parser.add_argument("--many", type=int, default=4)
    asked = parser.parse_args()
    binary = node.path(asked.node)
    quotas = [float(quota) for quota in asked.quotas.split(",")]
    ways = {"one": 1, "rule": "auto", "many": asked.many}
    found = {(quota, way): [] for quota in quotas for way in ways}
    with tempfile.TemporaryDirectory() as folder, load_in_a_group_of_its_own():
        script = str(Path(folder) / "server.js")
        Path(script).write_text(SERVER)
        rule = {quota: measure(binary, script, quota, "auto")[0] for quota in quotas}
        steady = {quota: STEADY_PART * measure(binary, script, quota, 1)[1] for quota in quotas}
        for _ in range(asked.rounds):
            for quota in quotas:
                for way, workers in ways.items():
                    # Where the rule says one worker, both are the same.
                    same = way == "rule" and rule[quota] == 1
                    found[quota, way].append(found[quota, "one"][-1] if same else
                                             measure(binary, script, quota, workers, steady[quota]))  # fmt: skip
    show(found, quotas, ways, asked, steady)


def show(found, quotas, ways, asked, steady):
    def ratio(quota, way, figure):
        pairs = zip(found[quota, way], found[quota, "rule"])
        return statistics.median(one[figure] / rule[figure] for one, rule in pairs)

    def middle(quota, way, figure):
        return statistics.median(each[figure] for each in found[quota, way])

    print(f"node {node.RELEASES[int(asked.node)]}, {os.cpu_count()} CPUs, {asked.rounds} rounds, medians\n")
    print(f"| quota, CPUs | workers by the rule | requests/s: 1 worker | rule | {asked.many} workers "
          f"| p99: 1 worker | rule | {asked.many} workers |")  # fmt: skip
    print("|---|---|---|---|---|---|---|---|")
    for quota in quotas:
        rates = " | ".join(f"{ratio(quota, way, 1):.2f}" for way in ways)
        delays = " | ".join(f"{ratio(quota, way, 2):.2f}" for way in ways)
        print(f"| {quota:g} | {found[quota, 'rule'][0][0]} | {rates} | {delays} |")
    print("\nabsolute: quota, way: requests/s, p99 ms at a steady load of so many requests/s, periods throttled")
    for quota in quotas:
        for way in ways:
            print(f"  {quota:g} {way}: {middle(quota, way, 1):.0f}, {middle(quota, way, 2):.1f} at {steady[quota]:.0f}, "
                  f"{100 * middle(quota, way, 3):.0f} %")  # fmt: skip


if __name__ == "__main__":
    main()
