#!/usr/bin/python3
"""Real programs from npm, started by their documented command: usage zoo.py [--write PAGE] [PROGRAM…].

Each runs alone and under nodeinit with two workers on Node 24, and is judged by what it does alone:
    answers   each worker's are those of the program alone; or it stays one process, and one line says why
    output    what the program alone writes at its start, each worker writes
    crash     a worker that is killed is replaced
    reload    with kept-alive connections (new ones, where the protocol knows no requests): nothing is lost
    stop      each worker writes what the program alone does, in the time that it takes, and nothing is left
Prints the table in Markdown; --write puts it between the marks in a file.
"""

import argparse
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from integration.zoo import homes, visits  # noqa: E402
from integration.zoo.programs import PROGRAMS  # noqa: E402
from support import http, node, nodeinit  # noqa: E402

MAJOR = 24
BEGIN, END = "<!-- zoo: begin -->", "<!-- zoo: end -->"
DEADLINE = 60
LOOKS = ["answers", "output", "crash", "reload", "stop"]
# What the runs of npm say of themselves, and node of its features: not the program's words.
NOT_ITS_WORDS = re.compile(r"^\(node:|^\(Use `node|^npm |^> |Warning: ")


def words_of(text, folder, port):
    """The lines that a program has written, without what differs from one process to the next."""
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text.replace(str(folder), "@").replace(str(port), "PORT"))
    lines = (visits.plain(line).strip() for line in text.splitlines())
    return Counter(line for line in lines if line and not NOT_ITS_WORDS.search(line))


def surroundings(program, folder, port):
    path = f"{Path(node.path(MAJOR)).parent}:{nodeinit.PATH}"
    return {"PATH": path, "HOME": str(folder), "PORT": str(port), "NODE_ENV": "production", **dict(program.env)}


def command_of(program, port):
    return program.command.replace("@PORT@", str(port)).split()


class Alone:
    """What a program does under bare node."""

    def __init__(self, program, folder):
        port = nodeinit.free_port()
        self._out = folder / "alone.txt"
        with open(self._out, "w") as out:
            process = subprocess.Popen(command_of(program, port), cwd=folder, env=surroundings(program, folder, port), stdout=out,
                                       stderr=out, stdin=subprocess.DEVNULL, start_new_session=True)  # fmt: skip
            try:
                way = program.way(port, program.path)
                nodeinit.wait_for(lambda: self._asked(way, process), DEADLINE, f"{program.name} alone")
                time.sleep(0.3)
                self.start_words = words_of(self._out.read_text(), folder, port)
                begin = time.monotonic()
                os.kill(process.pid, signal.SIGTERM)
                self.code = process.wait(DEADLINE)
                self.seconds = time.monotonic() - begin
                self.stop_words = words_of(self._out.read_text(), folder, port) - self.start_words
            finally:
                try:
                    os.killpg(process.pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass

    def _asked(self, way, process):
        assert process.poll() is None, f"the program alone has ended: {self._out.read_text()[-2000:]}"
        try:
            self.answer = way.ask(group_of(process.pid))[1]
            return True
        except (OSError, AssertionError):
            return False


def group_of(group):
    """The processes of a session."""
    found = []
    for each in Path("/proc").glob("[0-9]*"):
        try:
            if os.getsid(int(each.name)) == group:
                found.append(int(each.name))
        except ProcessLookupError:
            pass
    return found


class Visitors(http.Clients):
    """Who asks again and again, on a connection that is kept where the protocol has requests; what failed is in .lost."""

    def __init__(self, way, wanted, clients=4):
        self._way, self._wanted, self.lost, self.served = way, wanted, [], 0
        self._guard = threading.Lock()
        super().__init__(clients, DEADLINE)

    def _client(self, _):
        kept = self._way.client() if isinstance(self._way, visits.Http) else None
        while not self.is_over():
            try:
                answer = self._way.exchange(kept) if kept else self._visit()
                failure = "" if answer == self._wanted else f"{answer}"
            except (OSError, HTTPException, AssertionError) as wrong:
                failure = repr(wrong)
                if kept:
                    kept.close()
            with self._guard:
                self.served += not failure
                self.lost += [failure] if failure else []
            self._over.wait(0.005)

    def _visit(self):
        with self._way.connected() as connection:
            return self._way.talk(connection)


@dataclass
class Result:
    seen: dict  # {observation: what was seen, "" as it should be}
    code_alone: int
    code: int

    def failed(self):
        return [f"{look}: {what}" for look, what in self.seen.items() if what]


def judge(program, folder):
    folder = homes.home(program, folder)
    alone = Alone(program, folder)
    port = nodeinit.free_port()
    settings = surroundings(program, folder, port) | {"NODEINIT_WORKERS": 2, "NODEINIT_GRACE": "20s"}
    if program.stays:
        with nodeinit.start(command_of(program, port), env=settings, cwd=folder) as pid1:
            pid1.wait_line(program.stays, deadline=DEADLINE)
        settings["NODEINIT_MODE"] = "single"
    with nodeinit.start(command_of(program, port), env=settings, cwd=folder) as pid1:
        judgement = Judgement(program, alone, pid1, port, folder)
    return Result(judgement.seen, alone.code, judgement.code)


class Judgement:
    def __init__(self, program, alone, pid1, port, folder):
        self.program, self.alone, self.pid1, self.port, self.folder = program, alone, pid1, port, folder
        self.way = program.way(port, program.path)
        self.workers = 1 if program.stays else 2
        self.seen = {}
        self.code = None
        for look in LOOKS if not program.stays else ["answers", "output", "stop"]:
            try:
                self.seen[look] = getattr(self, look)() or ""
            except (AssertionError, TimeoutError, OSError) as wrong:
                self.seen[look] = str(wrong) or repr(wrong)
                if not pid1.running():
                    break

    def pids(self):
        return [process.pid for process in self.pid1.processes() if process.state != "Z"]

    def ask_all(self, but=()):
        """Until as many have answered as there are workers."""
        answered = {}

        def asked():
            try:
                pid, answer = self.way.ask(self.pids())
            except (OSError, AssertionError):
                return False  # not yet, or it has just gone
            if pid not in but:
                answered[pid] = answer
            return len(answered) == self.workers

        self.pid1.wait_for(asked, DEADLINE, f"{self.workers} workers that answer")
        return answered

    def answers(self):
        for answer in self.ask_all().values():
            assert answer == self.alone.answer, f"{answer}, alone {self.alone.answer}"

    def words(self):
        own = re.compile(r"^nodeinit: .*\n", re.MULTILINE)
        return words_of(self.pid1.out + own.sub("", self.pid1.err), self.folder, self.port)

    def output(self):
        expected = Counter({line: count * self.workers for line, count in self.alone.start_words.items()})
        try:
            nodeinit.wait_for(lambda: not expected - self.words(), 5, "the output")
        except TimeoutError:
            return f"missing {expected - self.words()}"
        return ""

    def crash(self):
        victim = next(iter(self.ask_all()))
        os.kill(victim, signal.SIGKILL)
        self.ask_all(but=[victim])

    def reload(self):
        before = self.ask_all()
        with Visitors(self.way, self.alone.answer) as visitors:
            nodeinit.wait_for(lambda: visitors.served + len(visitors.lost) >= 20, DEADLINE, "visitors")
            done = self.pid1.ctl("reload")
            seen = visitors.served + len(visitors.lost)
            nodeinit.wait_for(lambda: visitors.served + len(visitors.lost) >= seen + 20, DEADLINE, "visitors")
        assert done.code == 0, done.out + done.err
        assert not visitors.lost, f"{visitors.served} served, {len(visitors.lost)} lost: {visitors.lost[:3]}"
        after = self.ask_all(but=before)
        assert not set(after) & set(before)

    def stop(self):
        self.ask_all()
        before, lines = self.words(), len(self.pid1.err)
        begin = time.monotonic()
        self.pid1.send(signal.SIGTERM)
        code = self.code = self.pid1.wait(DEADLINE)
        took = time.monotonic() - begin
        wanted = shell_code(self.alone.code) if self.program.stays else 0
        assert code == wanted, f"ended with {code}, alone {self.alone.code}"
        expected = Counter({line: count * self.workers for line, count in self.alone.stop_words.items()})
        said = self.words() - before
        assert said == expected, f"said {said}, expected {expected}"
        assert took < self.alone.seconds + 3, f"{took:.1f} s, alone {self.alone.seconds:.1f} s"
        assert "SIGKILL" not in self.pid1.err[lines:], self.pid1.err[lines:]


def shell_code(code):
    """As a shell tells the end by a signal."""
    return code if code >= 0 else 128 - code


### The table


def row(program, result):
    workers = f"one, with `NODEINIT_MODE=single`: {program.because}" if program.stays else "several"
    name = program.package or program.name
    return f"| {program.name} | {name} {homes.version(program)} | `{shown(program)}` | {workers} | {shell_code(result.code_alone)} → {result.code} |"


def shown(program):
    return program.command.replace("@PORT@", "3000")


def table(results):
    head = ["| program | package | started by | workers | exit code of a stop, alone → here |", "|---|---|---|---|---|"]
    return "\n".join(head + [row(program, results[program.name]) for program in PROGRAMS])


def between(text):
    before, rest = text.split(BEGIN)
    inside, after = rest.split(END)
    return before, inside, after


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", metavar="FILE")
    parser.add_argument("programs", nargs="*")
    asked = parser.parse_args()
    results = {}
    for program in PROGRAMS:
        if asked.programs and program.name not in asked.programs:
            continue
        began = time.monotonic()
        with tempfile.TemporaryDirectory() as folder:
            os.chmod(folder, 0o755)
            results[program.name] = result = judge(program, folder)
        print(program.name, f"{time.monotonic() - began:.1f} s", *(result.failed() or "+"), sep="\n    ", flush=True)
    if any(result.failed() for result in results.values()):
        return 1
    if len(results) == len(PROGRAMS):
        print(table(results))
        if asked.write:
            before, _, after = between(Path(asked.write).read_text())
            Path(asked.write).write_text(f"{before}{BEGIN}\n\n{table(results)}\n\n{END}{after}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
