#!/usr/bin/python3
"""What an init costs: nodeinit in single mode beside tini-static, catatonit and dumb-init, interleaved.

    init_cost.py [--rounds N] [--idle SECONDS] [NAME=PATH…]

NAME=PATH adds a binary that is run as `PATH -- command` (another build of nodeinit). Prints figures and ratios, as a
table in Markdown; never passes or fails. Trust the ratios: they are medians over rounds in which every init had its
turn, so a busy machine disturbs all alike.

    start      posix_spawn of /bin/true through the init, as an ordinary process, microseconds; ratio to bare
    orphans    as PID 1: 20 000 orphans in batches of 16 until the last is reaped, orphans a second; CPU of the init for each
    signal     kill() outside to sigwaitinfo() returning in the worker, median and 99th percentile, microseconds
    rest       context switches in so many seconds; resident and private dirty memory
"""

import argparse
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from integration.init import harness  # noqa: E402
from support import nodeinit  # noqa: E402

HERE = Path(__file__).resolve().parent
INITS = {
    "nodeinit": [nodeinit.binary(), "--"],
    "tini-static": ["tini-static", "--"],
    "catatonit": ["catatonit", "--"],
    "dumb-init": ["dumb-init", "--"],
}
ORPHANS = 20_000


def measure_start(tool, command, count):
    words = [tool, "start", str(count), *command, "/bin/true"]
    return float(subprocess.check_output(words, stderr=subprocess.DEVNULL))


def cpu_ns(pid):
    return int(Path(f"/proc/{pid}/schedstat").read_text().split()[0])


def before_others():
    """Real time: else dumb-init's session, by its autogroup (sched(7)), gets more of a busy machine than the rest."""
    try:
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))
    except PermissionError:
        pass  # then on a quiet machine, please


def measure_orphans(tool, init):
    words = ["sh", "-c", 'read go; exec "$@"', "sh", tool, "orphans", str(ORPHANS)]
    with init.start(words, stdin=subprocess.PIPE, setup=before_others) as run:
        run.main()
        time.sleep(0.05)
        before = cpu_ns(run.pid)
        run._process.stdin.write(b"go\n")
        run._process.stdin.flush()
        used = before
        while run.running():
            try:
                used = cpu_ns(run.pid)
            except (OSError, IndexError):
                break
            run.drain(0.01)
        run.end(5)
        return ORPHANS / (float(run.lines[0]) / 1e6), (used - before) / 1000 / ORPHANS


def measure_signals(tool, init, count=200):
    with tempfile.NamedTemporaryFile() as file:
        file.truncate(4096)
        with init.start([tool, "receive", file.name], setup=before_others) as run:
            run.main()
            harness.until(lambda: any(Path(file.name).read_bytes()[:8]), "the receiver")
            words = [tool, "send", file.name, str(run.pid), str(count)]
            out = subprocess.check_output(words, text=True, preexec_fn=before_others)
    return sorted(float(line) for line in out.split())


def measure_rest(init, seconds):
    with init.start(["sleep", "600"]) as run:
        run.main()
        time.sleep(0.3)

        def switches():
            return sum(int(run.state(k)) for k in ("voluntary_ctxt_switches", "nonvoluntary_ctxt_switches"))

        before = switches()
        time.sleep(seconds)
        rollup = Path(f"/proc/{run.pid}/smaps_rollup").read_text().splitlines()
        kib = {line.split(":")[0]: int(line.split()[1]) for line in rollup[1:]}
        return switches() - before, kib["Rss"], kib["Private_Dirty"]


def row(name, values, form="{:.2f}"):
    print(f"| {name} | " + " | ".join(form.format(value) for value in values) + " |", flush=True)


def report_start(tool, inits, rounds):
    # Short turns: what else runs on the machine changes more slowly than they do. On one CPU: no migrations. A fresh
    # copy of each program a round: how the page cache holds a file (in large or small pieces) is worth 5 %, and chance.
    bare, through = [], {name: [] for name in inits}
    everywhere = os.sched_getaffinity(0)
    for _ in range(rounds):
        with tempfile.TemporaryDirectory() as folder:
            turns = [(bare, [])]
            for name, init in inits.items():
                copy = shutil.copy(shutil.which(init.command[0]), Path(folder) / name)
                turns.append((through[name], [copy, *init.command[1:]]))
            os.sched_setaffinity(0, {max(everywhere)})
            for _ in range(20):
                random.shuffle(turns)  # nobody always comes after the same one
                for times, command in turns:
                    times.append(measure_start(tool, command, 5))
            os.sched_setaffinity(0, everywhere)

    def quiet(values):  # the lowest tenth: undisturbed, and not one lucky turn
        return statistics.quantiles(values, n=10)[0]

    row("start, µs", [quiet(v) for v in through.values()], "{:.0f}")
    row("start, ratio to bare", [quiet(v) / quiet(bare) for v in through.values()])
    peer = through.get("tini-static") or through["nodeinit"]
    row("start, ratio to tini-static's", [statistics.median(t / p for t, p in zip(v, peer)) for v in through.values()])
    # What the init adds, beside what tini-static adds: of each turn, so that a busy machine disturbs both alike.
    base = statistics.median(p - b for p, b in zip(peer, bare))
    added = [statistics.median(t - b for t, b in zip(v, bare)) / base for v in through.values()]
    row("start, what is added to tini-static's", added)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--idle", type=int, default=10)
    parser.add_argument("extra", nargs="*")
    options = parser.parse_args()
    commands = INITS | {name: [path, "--"] for name, path in (word.split("=", 1) for word in options.extra)}
    inits = {name: harness.Init(name, command) for name, command in commands.items() if shutil.which(command[0])}
    tool = str(harness.tools() / "init_cost")
    subprocess.run(["cc", "-O2", "-static", "-o", tool, HERE / "init_cost.c"], check=True, timeout=60)
    os.sync()  # pages of a binary just written would count as dirty
    os.chdir("/")

    print("| figure | " + " | ".join(inits) + " |\n|---|" + "---|" * len(inits))
    row("binary, KiB", [os.path.getsize(shutil.which(i.command[0])) / 1024 for i in inits.values()], "{:.0f}")
    report_start(tool, inits, options.rounds)
    rates = {name: [] for name in inits}
    delays = {name: [] for name in inits}
    for _ in range(options.rounds):
        for name, init in inits.items():
            rates[name].append(measure_orphans(tool, init))
            delays[name].append(measure_signals(tool, init))
    row("orphans/s (median)", [statistics.median(r for r, _ in v) for v in rates.values()], "{:.0f}")
    row("orphans/s (best)", [max(r for r, _ in v) for v in rates.values()], "{:.0f}")
    row("CPU µs/orphan (best)", [min(c for _, c in v) for v in rates.values()])
    row("signal, median µs", [statistics.median(statistics.median(d) for d in v) for v in delays.values()])
    row("signal, best median µs", [min(statistics.median(d) for d in v) for v in delays.values()])
    row("signal, 99 % µs", [statistics.median(d[int(len(d) * 0.99)] for d in v) for v in delays.values()])
    rest = [measure_rest(init, options.idle) for init in inits.values()]
    row(f"context switches in {options.idle} s", [r[0] for r in rest], "{}")
    row("RSS, KiB", [r[1] for r in rest], "{}")
    row("private dirty, KiB", [r[2] for r in rest], "{}")


if __name__ == "__main__":
    main()
