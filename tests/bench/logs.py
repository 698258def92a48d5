"""What it costs when the workers' output goes through nodeinit, beside pm2-runtime and a shell pipeline, interleaved:
usage logs.py [--rounds N] [--mib N] [--line BYTES] [--node MAJOR].

Four writers of Node write lines as fast as they can: by console.log, as applications do, and by write(2) with 16 KiB at a
time, which costs a writer nearly nothing and shows what the pipes themselves carry. Through a bare pipe, read by cat, is
the measure (1.00); each way is the median of its ratios to the bare pipe of the same round. The time is that of the
writers, from the first one's first byte to the last one's last. pm2-runtime and sed get a sixteenth of the bytes: they
would take minutes. Memory is the supervisor's largest resident set (VmHWM).
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bench.supervision import pm2_folder  # noqa: E402
from support import node, nodeinit  # noqa: E402

WRITERS = 4
WRITER = """
const fs = require('fs');
const line = process.env.SHAPE === 'json'
  ? JSON.stringify({level: 'info', message: 'x'.repeat(+process.env.LINE - 30)}) + '\\n'
  : 'GET /orders/4711 200 12 ms '.padEnd(+process.env.LINE - 1, 'x') + '\\n';
const log = () => {
  for (let left = +process.env.BYTES; left > 0; left -= line.length) console.log(line.slice(0, -1));
};
const chunk = Buffer.from(line.repeat(Math.max(1, Math.floor(16384 / line.length))));
const pour = () => {
  for (let left = +process.env.BYTES; left > 0; left -= chunk.length) {
    for (let at = 0; at < chunk.length;) {
      try { at += fs.writeSync(1, chunk, at); } catch (error) { if (error.code !== 'EAGAIN') throw error; }
    }
  }
};
const write = () => {
  const began = process.hrtime.bigint();
  (process.env.HOW === 'console.log' ? log : pour)();
  fs.writeFileSync(`${process.env.FOLDER}/${process.pid}.done`, `${began} ${process.hrtime.bigint()}`);
};
// Not one before the others, however long a supervisor takes to start them.
const go = `${process.env.FOLDER}/go`;
fs.writeFileSync(`${process.env.FOLDER}/${process.pid}.there`, '');
const wait = setInterval(() => { if (fs.existsSync(go)) { clearInterval(wait); write(); setInterval(() => {}, 1e6); } }, 5);
"""


def bare(folder, binary):
    return ["sh", "-c", f"for i in 1 2 3 4; do {binary} {folder}/writer.js & done; wait"]


def shell(folder, binary):
    return ["sh", "-c", f"for i in 1 2 3 4; do {binary} {folder}/writer.js | sed -u \"s/^/[$i] /\" & done; wait"]


def pm2(folder, binary):
    return [binary, pm2_folder() / "pm2-runtime", "start", folder / "writer.js", "-i", WRITERS]


def of_nodeinit(mode):
    def command(folder, binary):
        return [nodeinit.binary(), "--workers", WRITERS, "--ready", "online", "--mode", "cluster", "--log", mode, "--module",
                "off", "--log-level", "error", "--", binary, folder / "writer.js"]  # fmt: skip

    return command


WAYS = {"bare pipe": bare, "lines": of_nodeinit("lines"), "prefix": of_nodeinit("prefix"), "json": of_nodeinit("json"),
        "shell, sed -u": shell, "pm2-runtime": pm2}  # fmt: skip


def peak_kib(pid):
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("VmHWM")), 0)


def measure(way, binary, mib, line, shape, how):
    """(bytes a second, largest resident set of the supervisor in KiB)"""
    size = mib * 1024 * 1024 // WRITERS // (16 if way in (pm2, shell) else 1)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "writer.js").write_text(WRITER)
        env = {"PATH": os.environ["PATH"], "HOME": name, "PM2_HOME": f"{name}/pm2", "FOLDER": name, "BYTES": str(size),
               "LINE": str(line), "SHAPE": shape, "HOW": how}  # fmt: skip
        # A PID namespace of its own: whatever it started ends with it.
        words = ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc", *map(str, way(folder, binary))]
        with open(os.devnull, "wb") as nowhere:
            run = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=env, start_new_session=True)
            cat = subprocess.Popen(["cat"], stdin=run.stdout, stdout=nowhere)
            run.stdout.close()
            try:
                wait_for(folder, "*.there")
                supervisor = Path(f"/proc/{run.pid}/task/{run.pid}/children").read_text().split()[0]
                (folder / "go").touch()
                done = wait_for(folder, "*.done")
                peak = peak_kib(supervisor)
            finally:
                run.kill()
                run.wait()
                cat.wait()
        times = [[int(number) for number in file.read_text().split()] for file in done]
        return size * WRITERS / (max(end for _, end in times) - min(begin for begin, _ in times)) * 1e9, peak


def wait_for(folder, pattern):
    for _ in range(60_000):
        found = [file for file in folder.glob(pattern) if pattern == "*.there" or file.stat().st_size > 0]
        if len(found) == WRITERS:
            return found
        time.sleep(0.005)
    raise SystemExit(f"no {pattern} of {WRITERS} writers")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--mib", type=int, default=512)
    parser.add_argument("--line", type=int, default=128)
    parser.add_argument("--node", default="22")
    asked = parser.parse_args()
    binary = node.path(asked.node)
    print(f"{WRITERS} writers, lines of {asked.line} bytes, {asked.mib} MiB, {os.cpu_count()} CPUs, {asked.rounds} rounds\n")
    print("| lines of | way | MB/s, median | ratio to the bare pipe | largest RSS, KiB |\n|---|---|---|---|---|")
    for how, shape, mib in (("console.log", "text", asked.mib // 4), ("console.log", "json", asked.mib // 4),
                            ("write(2)", "text", asked.mib), ("write(2)", "json", asked.mib)):  # fmt: skip
        ratios, rates, peaks = ({name: [] for name in WAYS} for _ in range(3))
        for _ in range(asked.rounds):
            for name, way in WAYS.items():
                rate, peak = measure(way, binary, mib, asked.line, shape, how)
                rates[name].append(rate)
                peaks[name].append(peak)
                ratios[name].append(rate / rates["bare pipe"][-1])
        for name in WAYS:
            print(f"| {how}, {shape} | {name} | {statistics.median(rates[name]) / 1e6:.0f} | "
                  f"{statistics.median(ratios[name]):.2f} | {max(peaks[name])} |", flush=True)  # fmt: skip


if __name__ == "__main__":
    main()
