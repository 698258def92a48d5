#!/usr/bin/python3
"""Every kind of program on every Node: usage matrix.py [--write PAGE] [--node MAJOR] [PROGRAM…].

Each cell: two workers under nodeinit; both answer; SIGTERM, sent while a request is under way, ends with 0 and that
request is answered. Prints the table in Markdown; --write puts it between the marks in a file.

A cell is left out only where the program itself cannot run: its packages' `engines` (dependencies included) exclude that
Node and it does not serve under bare Node either; or a reason that is said in Program.since.
"""

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from integration.primary import engines, reach  # noqa: E402
from support import node, nodeinit  # noqa: E402

MAJORS = [14, 16, 18, 20, 22, 24, node.NEWEST]
BEGIN, END = "<!-- matrix: begin -->", "<!-- matrix: end -->"
DEADLINE = 60


@dataclass
class Program:
    name: str
    file: str
    reach: type = reach.Http
    package: str = ""  # whose engines tell where it can run
    command: tuple = ()  # after node; default: the file
    options: tuple = ()  # of nodeinit
    since: tuple = (0, "")  # a Node major and why not before
    folder: str = "apps"


PROGRAMS = [
    Program("http", "http.js"),
    Program("https", "https.js", reach.Https),
    Program("http2", "http2.js", reach.Http2),
    Program("express", "express.js", package="express"),
    Program("fastify", "fastify.js", package="fastify"),
    Program("koa", "koa.mjs", package="koa"),
    Program("hono", "hono.mjs", package="@hono/node-server"),
    Program("NestJS", "nest.mjs", package="@nestjs/platform-express"),
    Program("Next (`next start`)", "", package="next", folder="next",
            command=("node_modules/next/dist/bin/next", "start")),
    Program("ws", "ws.js", reach.WebSocket, package="ws"),
    Program("socket.io, polling, `client-ip`", "socketio.js", reach.SocketIo, package="socket.io",
            options=("--balance", "client-ip")),
    Program("dgram", "dgram.js", reach.Udp),
    Program("Unix socket", "unix.js", reach.Unix),
    Program("two servers", "two.js", reach.TwoServers),
    Program("port 0", "port0.js", reach.PortZero),
    Program("ESM", "esm.mjs"),
    Program("TypeScript, native", "typescript.ts", since=(22, "strips types since 22.6")),
]  # fmt: skip


class Excluded(Exception):
    """The program itself does not run on that Node: why."""


def run_cell(program, major, folder):
    """Raises AssertionError when something does not work, Excluded when nobody could make it work."""
    home = reach.home(program.folder, Path(folder))
    if major < program.since[0]:
        raise Excluded(program.since[1])
    needs = engines.excluding(home, program.package, node.RELEASES[major]) if program.package else None
    if needs and not serves_bare(program, major, home):
        raise Excluded(needs)
    judge(program, major, home)


def command_of(program, major):
    return [node.path(major), *(program.command or (program.file,))]


def environment(home):
    return {"PORT": nodeinit.free_port(), "SECOND_PORT": nodeinit.free_port(), "GATE": home.gate,
            "NODE_ENV": "production", "NEXT_TELEMETRY_DISABLED": "1"}  # fmt: skip


def judge(program, major, home):
    env = environment(home)
    options = ["--workers", "2", "--grace", f"{DEADLINE}s", "--ready-timeout", f"{DEADLINE}s", *program.options]
    with nodeinit.start(command_of(program, major), options, env, cwd=home.folder) as pid1:
        client = program.reach(env, home.folder, pid1)
        for slot in range(2):
            pid1.wait_line(rf"slot {slot}: worker \d+ is ready", deadline=DEADLINE)
        pid1.wait_for(lambda: len(pid1.workers()) == 2, DEADLINE, "two workers")
        both = {worker.inner_pid for worker in pid1.workers()}
        answered = set()
        end = time.monotonic() + DEADLINE
        while answered != both:
            assert time.monotonic() < end, f"only {answered} of {both} answered\n{pid1.told()}"
            for answer in client.ask():
                assert answer["node"] == node.RELEASES[major], answer
                assert answer["pid"] in both, (answer, both)
                answered.add(answer["pid"])
        under_way = client.ask_slowly()
        if under_way:
            nodeinit.wait_for(Path(f"{home.gate}.reached").exists, DEADLINE, "the slow request's arrival")
        pid1.send(15)
        pid1.wait_line("stopping: SIGTERM", deadline=DEADLINE)
        Path(home.gate).touch()
        if under_way:
            assert under_way() in both, pid1.told()
        assert pid1.wait(DEADLINE) == 0, pid1.told()
        assert "SIGKILL" not in pid1.err, pid1.told()


class BareNode:
    def told(self):
        return "under bare node"


def serves_bare(program, major, home):
    env = environment(home)
    with subprocess.Popen(
        command_of(program, major), cwd=home.folder, env=os.environ | {k: str(v) for k, v in env.items()},
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    ) as process:  # fmt: skip
        try:
            end = time.monotonic() + DEADLINE
            while not reach.is_open(env["PORT"]):
                if process.poll() is not None or time.monotonic() > end:
                    return False
                time.sleep(0.05)
            return bool(program.reach(env, home.folder, BareNode()).ask())
        except AssertionError:
            return False
        finally:
            process.kill()


### The table


def table(results):
    """results: {(program name, major): "" for works, else why it is left out}"""
    lines = ["| program | " + " | ".join(f"Node {major}" for major in MAJORS) + " |", "|---|" + "---|" * len(MAJORS)]
    for program in PROGRAMS:
        why = [results[program.name, major] for major in MAJORS]
        lines.append(f"| {program.name} | " + " | ".join(f"– ({one})" if one else "+" for one in why) + " |")
    return "\n".join(lines)


def read_table(path):
    """What `table` was given, from a file that it was written to."""
    text = Path(path).read_text()
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in between(text)[1].strip().splitlines()]
    majors = [int(head.split()[1]) for head in rows[0][1:]]
    return {(row[0], major): re.sub(r"^– \((.*)\)$|^\+$", r"\1", cell)
            for row in rows[2:] for major, cell in zip(majors, row[1:], strict=True)}  # fmt: skip


def between(text):
    before, rest = text.split(BEGIN)
    inside, after = rest.split(END)
    return before, inside, after


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", metavar="FILE")
    parser.add_argument("--node", type=int, choices=MAJORS)
    parser.add_argument("programs", nargs="*")
    asked = parser.parse_args()
    results, failed = {}, 0
    for program in PROGRAMS:
        for major in MAJORS:
            if (asked.node and major != asked.node) or (asked.programs and program.name not in asked.programs):
                continue
            began = time.monotonic()
            with tempfile.TemporaryDirectory() as folder:
                try:
                    run_cell(program, major, folder)
                    results[program.name, major] = ""
                except Excluded as why:
                    results[program.name, major] = str(why)
                except (AssertionError, TimeoutError) as wrong:
                    results[program.name, major] = "fails"
                    failed += 1
                    print(wrong)
            print(program.name, major, results[program.name, major] or "+", f"{time.monotonic() - began:.1f} s",
                  flush=True)  # fmt: skip
    print(json.dumps({"cells": len(results), "failed": failed}))
    if len(results) == len(PROGRAMS) * len(MAJORS):
        print(table(results))
        if asked.write and not failed:
            before, _, after = between(Path(asked.write).read_text())
            Path(asked.write).write_text(f"{before}{BEGIN}\n\n{table(results)}\n\n{END}{after}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
