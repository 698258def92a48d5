"""An init under test, alone in a PID namespace, and what a case may ask of it.

    INITS                          {name: Init}: how each is started
    Init.start(words, ...) -> Run  runs the init with a command; use it as a context manager
        stage     options of helpers/stage.c; default ["-p"]: PID 1 of a namespace of its own
        env       the whole environment of the init; default: PATH and HOME
        stdin, stdout, stderr      as for Popen; default: null, a pipe, a pipe
        options   options of the init itself, before the command
    PROBE                          helpers/probe.c, compiled: the command most cases run
    Run.line(prefix)               waits for a line on stdout that begins so; its rest
    Run.lines                      all lines seen so far
    Run.pid                        the init, as seen from here
    Run.main()                     its first worker; Run.below() every process the init is the parent of
    Run.kill(sig, times=1), Run.end(timeout) -> exit code, Run.err (after end)
    case(name, tag)                registers a function(init) that raises when the init fails

Every wait is bounded; what a case started is killed with it.
"""

import functools
import os
import select
import shutil
import signal
import subprocess
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

from support import nodeinit

HERE = Path(__file__).resolve().parent
TOP = HERE.parents[2]
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
CASES = {}


class Failed(AssertionError):
    pass


class Skip(Exception):
    """The machine cannot show it (no such cgroup controller, …)."""


@dataclass
class Case:
    name: str
    tag: str
    what: str
    judge: callable


def case(name, tag="init"):
    def register(judge):
        assert name not in CASES, name
        CASES[name] = Case(name, tag, " ".join(judge.__doc__.split()), judge)
        return judge

    return register


def check(held, why="wrong"):
    if not held:
        raise Failed(why)


def until(question, what, seconds=5, pause=0.005):
    end = time.monotonic() + seconds
    while True:
        answer = question()
        if answer:
            return answer
        if time.monotonic() > end:
            raise Failed(f"{what}: not within {seconds} s")
        time.sleep(pause)


@functools.cache
def tools() -> Path:
    """The compiled helpers, in a folder that every user may enter."""
    folder = Path(tempfile.mkdtemp(prefix="nodeinit-probes-"))
    folder.chmod(0o755)
    for name in ("stage", "probe"):
        subprocess.run(["cc", "-O1", "-static", "-o", folder / name, HERE / "helpers" / f"{name}.c"],
                       check=True, timeout=60)  # fmt: skip
    import atexit

    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


@functools.cache
def can_unshare() -> bool:
    return subprocess.run([str(tools() / "stage"), "-p", "--", "true"], stderr=subprocess.DEVNULL).returncode == 0


def probe(*words):
    return [str(tools() / "probe"), *map(str, words)]


@dataclass
class Init:
    name: str
    command: list
    group_options: list = field(default_factory=list)  # signals go to the whole process group
    group_env: dict = field(default_factory=dict)

    def start(self, words, stage=("-p",), env=None, options=(), stdin=subprocess.DEVNULL,
              stdout=subprocess.PIPE, stderr=subprocess.PIPE, pass_fds=(), setup=None, cwd="/tmp"):  # fmt: skip
        environment = {"PATH": PATH, "HOME": "/tmp"} if env is None else env
        arguments = [self.command[0], *options, *self.command[1:], *words]
        return Run(list(stage), arguments, environment, stdin, stdout, stderr, pass_fds, setup, cwd)

    def run(self, words, timeout=10, **how):
        """Starts, waits for the end; (exit code, stdout, stderr)."""
        with self.start(words, **how) as run:
            code = run.end(timeout)
            return code, run.out, run.err


def _bash():
    # A shell as many images have it: CMD in shell form, or an entrypoint script without exec.
    return ["bash", "-c", '"$@"; exit $?', "bash"]


INITS = {
    "nodeinit": Init("nodeinit", [nodeinit.binary(), "--"], group_env={"NODEINIT_SIGNALS": "TERM=group"}),
    "tini": Init("tini", ["tini", "--"], ["-g"]),
    "dumb-init": Init("dumb-init", ["dumb-init", "--"]),
    "catatonit": Init("catatonit", ["catatonit", "--"], ["-g"]),
    "bash": Init("bash", _bash()),
}


class Run:
    def __init__(self, stage, arguments, environment, stdin, stdout, stderr, pass_fds, setup, cwd):
        report, theirs = os.pipe()
        self._stderr = tempfile.TemporaryFile() if stderr == subprocess.PIPE else None
        self._process = subprocess.Popen(
            [str(tools() / "stage"), "-r", str(theirs), *stage, "--", *arguments],
            env=environment, stdin=stdin, stdout=stdout, stderr=self._stderr or stderr, cwd=cwd,
            pass_fds=(theirs, *pass_fds), preexec_fn=setup,
        )  # fmt: skip
        os.close(theirs)
        self._text = b""
        self._over = False
        self.pid = 0
        with os.fdopen(report) as file:
            self.pid = int(file.readline() or 0)
        if not self.pid:
            self._process.wait(5)
            raise Failed("the scene could not be set: " + self.err)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self._process.poll() is None:
            everyone = [self.pid, *descendants(self.pid)]
            for pid in everyone:  # the init first: as PID 1 it takes all others along
                _kill(pid, signal.SIGCONT)
                _kill(pid, signal.SIGKILL)
            try:
                self._process.wait(10)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        for stream in (self._process.stdout, self._process.stdin, self._stderr):
            if stream:
                stream.close()

    # What the init and its worker have written.

    def _read(self, seconds):
        stream = self._process.stdout
        if stream is None or self._over:
            time.sleep(min(max(seconds, 0), 0.01))
            return
        ready, _, _ = select.select([stream], [], [], max(seconds, 0))
        if ready:
            data = os.read(stream.fileno(), 1 << 16)
            self._over = not data
            self._text += data

    @property
    def lines(self):
        return self._text.decode(errors="replace").split("\n")[:-1]

    def drain(self, seconds=0.0):
        end = time.monotonic() + seconds
        while self._process.stdout and not self._over:
            before = len(self._text)
            self._read(end - time.monotonic())
            if time.monotonic() >= end and len(self._text) == before:
                return self.lines

        return self.lines

    def line(self, prefix="", seconds=10, count=1):
        end = time.monotonic() + seconds
        while True:
            found = [line for line in self.lines if line.startswith(prefix)]
            if len(found) >= count:
                return found[count - 1][len(prefix) :].strip()
            late = time.monotonic() > end
            if late or self._over:
                raise Failed(f"no line {prefix!r} (×{count}) within {seconds} s but {self.lines[-5:]} {self.err[-300:]}")
            self._read(min(0.2, end - time.monotonic()))

    @property
    def out(self):
        return self._text.decode(errors="replace")

    @property
    def err(self):
        if not self._stderr:
            return ""
        return os.pread(self._stderr.fileno(), 1 << 16, 0).decode(errors="replace")

    # Processes.

    def below(self):
        return workers_of(self.pid)

    def main(self):
        return until(self.below, "a worker of the init")[0]

    def state(self, key, pid=None):
        return status(pid or self.pid, key)

    def kill(self, number, pid=None):
        os.kill(pid or self.pid, number)

    def statuses(self):
        return statuses(self.pid)

    def running(self):
        return self._process.poll() is None

    def end(self, seconds=10):
        limit = time.monotonic() + seconds
        while self._process.poll() is None:
            if time.monotonic() > limit:
                raise Failed(f"still running after {seconds} s; {self.lines[-3:]}")
            self._read(0.02)
        self.drain()
        return self._process.returncode

    def expect(self, code, seconds=10):
        found = self.end(seconds)
        check(found == code, f"exit code {found}, not {code}; {self.err[-300:]}")


def _kill(pid, number):
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        pass


def statuses(pid):
    try:
        text = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return {}
    return {key: value.strip() for key, _, value in (line.partition(":") for line in text.splitlines())}


def status(pid, key):
    return statuses(pid).get(key)


def workers_of(pid):
    try:
        return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


def descendants(pid):
    found = []
    for worker in workers_of(pid):
        found += [worker, *descendants(worker)]
    return found


def executable_of(pid):
    try:
        return os.readlink(f"/proc/{pid}/exe")
    except OSError:
        return None
