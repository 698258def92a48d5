"""What counting requests costs: usage http_signals.py [--rounds N] [--seconds S] [--node MAJOR …] [--close].

An empty http server, one worker under nodeinit, by wrk with 32 kept-alive connections (or one a request: --close); with
NODEINIT_REQUEST_METRICS on and off, in pairs of random order. Where there are two processors, worker and client have one
each. Two figures of each pair: requests a second, and the worker's own processor time per request, which others on the
machine disturb less. Before them, what the subscribers cost by themselves (http_signals.js).
"""

import argparse
import os
import random
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from support import node, nodeinit, wrk  # noqa: E402

SERVER = "require('http').createServer((q, s) => s.end('ok')).listen(process.env.PORT)"


def cpu_ns(pid) -> int:
    return sum(int((thread / "schedstat").read_text().split()[0]) for thread in Path(f"/proc/{pid}/task").iterdir())


def measure(script, binary, switch, seconds, keep_alive):
    """(requests a second, processor time per request in µs)"""
    web, port = nodeinit.free_port(), nodeinit.free_port()
    options = ["--workers=1", f"--http=127.0.0.1:{web}", f"--request-metrics={switch}", "--log=inherit"]
    with nodeinit.start([binary, str(script)], options, {"PORT": port}) as pid1:
        pid1.wait_line(r"slot 0: worker \d+ is ready")
        worker = pid1.workers()[0].pid
        cores = sorted(os.sched_getaffinity(0))
        if len(cores) > 1:
            for thread in os.listdir(f"/proc/{worker}/task"):
                os.sched_setaffinity(int(thread), cores[:1])
            os.sched_setaffinity(0, cores[1:])
        try:
            wrk.run(port, seconds=1, connections=32, keep_alive=keep_alive)
            before = cpu_ns(worker)
            report = wrk.run(port, seconds=seconds, connections=32, keep_alive=keep_alive)
            return report.rate, (cpu_ns(worker) - before) / report.requests / 1000
        finally:
            os.sched_setaffinity(0, cores)


def spread(values):
    if len(values) < 4:
        return f"{min(values):+.1f} … {max(values):+.1f}"
    first, _, third = statistics.quantiles(values, n=4)
    return f"{first:+.1f} … {third:+.1f}"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--seconds", type=int, default=3)
    parser.add_argument("--node", nargs="+", default=["20", "22", "24", "26"])
    parser.add_argument("--close", action="store_true")
    asked = parser.parse_args()
    for major in asked.node:
        subprocess.run([node.path(major), Path(__file__).with_name("http_signals.js")], check=True, timeout=120)
    kept = "a connection each" if asked.close else "kept alive"
    print(f"\n{asked.rounds} pairs of {asked.seconds} s, {kept}; medians, and the middle half of the pairs\n")
    print("| Node | requests/s off | on | cost | µs of CPU a request off | on | cost |\n|---|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder) / "server.js"
        script.write_text(SERVER)
        for major in asked.node:
            seen = {"on": [], "off": []}
            for _ in range(asked.rounds):
                for switch in random.sample(list(seen), 2):
                    seen[switch].append(measure(script, node.path(major), switch, asked.seconds, not asked.close))
            row = [node.RELEASES[int(major)]]
            for index, digits, sign in [(0, 0, 1), (1, 2, -1)]:
                off, on = ([one[index] for one in seen[switch]] for switch in ("off", "on"))
                costs = [sign * (1 - b / a) * 100 for a, b in zip(off, on)]
                row += [f"{statistics.median(off):.{digits}f}", f"{statistics.median(on):.{digits}f}",
                        f"{statistics.median(costs):.1f} % ({spread(costs)})"]  # fmt: skip
            print(f"| {' | '.join(row)} |", flush=True)


if __name__ == "__main__":
    main()
