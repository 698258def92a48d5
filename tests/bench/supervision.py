"""nodeinit beside pm2-runtime and a hand-written primary of Node's cluster module (cluster_primary.js), each as PID 1:
usage supervision.py [--rounds N] [--node MAJOR].

Under 16 kept-alive and 16 short connections, with handlers of 1–200 ms: errors of any kind that clients see in rolling
reloads of an application without signal code, in a reload of a release that throws, and by kill -9 of a worker; and
the time from the death of the only worker to the next answer. Rounds are interleaved; a kept-alive connection that is
closed under a request counts as an error, too.
"""

import argparse
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from support import cache, http, node, nodeinit  # noqa: E402

PM2 = "7.0.4"
PRIMARY = Path(__file__).with_name("cluster_primary.js")
SERVICE = """
const http = require('http');
http.createServer((request, response) => {
  const time = request.url === '/' ? 0 : 1 + Math.floor(Math.random() * 200);
  setTimeout(() => response.end(JSON.stringify({pid: process.pid})), time);
}).listen(+process.env.PORT);
"""
BROKEN = "throw new Error('broken release');"
RELOADS, KILLS = 3, 5


def pm2_folder():
    def install(target):
        subprocess.run(["npm", "install", "--silent", "--no-audit", "--no-fund", "--ignore-scripts", f"pm2@{PM2}"],
                       cwd=target, check=True, timeout=600, stdin=subprocess.DEVNULL)  # fmt: skip

    return cache.once(f"pm2/{PM2}", install) / "node_modules" / "pm2" / "bin"


class Contender:
    """A supervisor with `workers` workers of the service; .pid1, .port."""

    def __init__(self, folder, binary, workers):
        self.script = Path(folder) / "server.js"
        self.script.write_text(SERVICE)
        self.folder, self.binary, self.port = folder, binary, nodeinit.free_port()
        self.env = {"PORT": self.port, "HOME": folder, "WORKERS": workers}
        self.workers = workers
        self.pid1 = self.start()
        nodeinit.wait_for(self.serves, 60, f"{self.name} serves")

    def serves(self):
        try:
            return len(self.pids()) == self.workers and len({self.answer() for _ in range(20)}) == self.workers
        except http.Failure:
            return False

    def answer(self):
        return http.get(self.port, "/").json()["pid"]

    def pids(self):
        """The workers', as this test sees them."""
        return {p.pid for p in self.pid1.processes() if self.is_worker(p)}

    def is_worker(self, process):
        return process.parent == self.pid1.pid and process.state not in "ZX"

    def start_plainly(self, command, env):
        return nodeinit.start([], command[1:], self.env | env, program=command[0])

    def close(self):
        self.pid1.close()


class OfNodeinit(Contender):
    name = "nodeinit"
    spares = 0

    def start(self):
        env = {"NODEINIT_WORKERS": self.workers, "NODEINIT_SPARES": self.spares}
        return nodeinit.start([self.binary, self.script], env=self.env | env)

    def serves(self):
        return super().serves() if not self.spares else "is loaded and waits" in self.pid1.err

    def reload(self):
        return self.pid1.ctl("reload", timeout=120).code == 0


class OfNodeinitWithSpare(OfNodeinit):
    name = "nodeinit, 1 spare"
    spares = 1


class OfCluster(Contender):
    name = "Node's cluster"

    def start(self):
        return self.start_plainly([self.binary, str(PRIMARY), str(self.script)], {})

    def reload(self):
        before = self.pid1.out.count("reload ended")
        self.pid1.send(signal.SIGHUP)
        try:
            self.pid1.wait_for(lambda: self.pid1.out.count("reload ended") > before, 60)
        except AssertionError:
            return False
        return True


class OfPm2(Contender):
    name = "pm2-runtime"

    def start(self):
        return self.start_plainly([self.binary, str(pm2_folder() / "pm2-runtime"), "start", str(self.script), "-i",
                                   str(self.workers)], {"PM2_HOME": f"{self.folder}/pm2"})  # fmt: skip

    def reload(self):
        done = subprocess.run(
            ["nsenter", "-t", str(self.pid1.pid), "-p", "-m", self.binary, str(pm2_folder() / "pm2"), "reload", "all"],
            env={"PATH": nodeinit.PATH, "PM2_HOME": f"{self.folder}/pm2", "HOME": self.folder},
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=120,
        )  # fmt: skip
        return done.returncode == 0


def under_load(contender, act):
    """How many requests were lost while act() went on, and how many answered."""
    with http.Load(contender.port, "/work", clients=16) as kept:
        with http.Load(contender.port, "/work", clients=16, keep_alive=False) as short:
            time.sleep(0.5)
            act()
            time.sleep(0.5)
    lost = sum(sum(load.tally.errors.values()) + load.tally.stale for load in (kept, short))
    return lost, kept.tally.ok + short.tally.ok


def reloads(contender):
    def act():
        for _ in range(RELOADS):
            contender.reload()

    return under_load(contender, act)[0]


def broken_reload(contender):
    def act():
        contender.script.write_text(BROKEN)
        contender.reload()
        time.sleep(2)

    return under_load(contender, act)[0]


def kills(contender):
    def act():
        for _ in range(KILLS):
            before = contender.pids()
            os.kill(min(before), signal.SIGKILL)
            nodeinit.wait_for(lambda b=before: len(contender.pids()) == len(b) and contender.pids() != b, 30, "a new one")
            time.sleep(1)

    return under_load(contender, act)[0] / KILLS


def restart(contender):
    """From the end of the only worker to the next answer, in ms."""
    (victim,) = [p.pid for p in contender.pid1.processes() if p.inner_pid == contender.answer()]
    os.kill(victim, signal.SIGKILL)
    nodeinit.wait_for(lambda: not os.path.exists(f"/proc/{victim}"), 10, "its end", pause=0.0005)
    began = time.monotonic()
    while True:
        try:
            contender.answer()
            return (time.monotonic() - began) * 1000
        except http.Failure:
            time.sleep(0.001)


def measure(kind, act, binary, workers):
    with tempfile.TemporaryDirectory() as folder:
        contender = kind(folder, binary, workers)
        try:
            time.sleep(0.5)
            return act(contender)
        finally:
            contender.close()


FIGURES = [
    (f"lost requests in {RELOADS} reloads", reloads, 2),
    ("lost requests in a reload of a release that throws", broken_reload, 2),
    ("lost requests by a kill -9", kills, 2),
    ("death of the only worker to the next answer, ms", restart, 1),
]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--node", default="22")
    asked = parser.parse_args()
    binary = node.path(asked.node)
    kinds = [OfNodeinit, OfNodeinitWithSpare, OfPm2, OfCluster]
    print(f"node {node.RELEASES[int(asked.node)]}, pm2 {PM2}, {os.cpu_count()} CPUs, {asked.rounds} rounds, median\n")
    print("| figure | " + " | ".join(kind.name for kind in kinds) + " |\n|---|" + "---|" * len(kinds))
    for name, act, workers in FIGURES:
        values = {kind: [] for kind in kinds}
        for _ in range(asked.rounds):
            for kind in kinds:
                if kind.name.endswith("spare") and act is not restart:
                    continue
                values[kind].append(measure(kind, act, binary, workers))
        cells = [f"{statistics.median(values[kind]):.4g}" if values[kind] else "" for kind in kinds]
        print(f"| {name} | " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()
