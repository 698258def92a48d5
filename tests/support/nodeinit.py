"""nodeinit as PID 1 of a PID namespace of its own.

    start(command, options=(), env=None, ...) -> Nodeinit      use it as a context manager
        env        added to a small environment (PATH, HOME); values may be numbers
        cwd        working directory
        namespaces further namespaces: {"net", "ipc", "uts", "cgroup"}; with "net", loopback is up
        group      a cgroup.Group to start in
        user       uid (= gid) to run as, without any capability and with no_new_privs
        pid1       False: an ordinary process, in the test's own PID namespace
        program    the binary; default $NODEINIT or build/nodeinit
    run(command, ..., timeout) -> Finished(code, out, err)     start, wait for the end
    free_port() -> int

    Nodeinit.pid               PID of nodeinit as the test sees it
    .wait_port(port)           until something accepts there; fails when nodeinit ends before
    .wait_line(regex, stream="err") -> re.Match      the first line, past or future, that matches
    .wait_for(question)        until question() is true; returns what it said
    .err, .out                 what was written so far (str)
    .send(signal.SIGHUP)       to nodeinit
    .wait(timeout) -> code     until it ends; 128 + signal when killed
    .stop(signal.SIGTERM) -> code
    .processes() -> [Process(pid, parent, inner_pid, state, name, arguments, started)]    all in its namespace but nodeinit
    .workers()                 those whose parent is nodeinit, zombies excluded
    .zombies()
    .ctl("status", "--json") -> Finished      `nodeinit ctl …` inside its namespaces
    .ctl_started("events") -> subprocess.Popen      the same, that goes on

Every wait has a deadline (DEADLINE seconds unless told) and fails with what nodeinit has written.
"""

import atexit
import codecs
import functools
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
DEADLINE = 30
# unshare(1) of util-linux 2.38 fails when it wants to die of SIGKILL as its PID 1 did: the last thing it says.
_UNSHARE_AFTER_KILL = "unshare: sigprocmask unblock failed"
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def binary() -> str:
    named = os.environ.get("NODEINIT")
    return _reachable(Path(named).resolve() if named else TOP / "build" / "nodeinit")


@functools.cache
def _reachable(path: Path) -> str:
    """`path`, or a copy of it where a checkout below /root would keep other users out."""
    if all(folder.stat().st_mode & 0o001 for folder in path.parents):
        return str(path)
    folder = tempfile.mkdtemp(prefix="nodeinit-binary-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    os.chmod(folder, 0o755)
    return shutil.copy(path, folder)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@dataclass
class Finished:
    code: int
    out: str
    err: str


@dataclass
class Process:
    pid: int
    parent: int
    inner_pid: int
    state: str
    name: str
    arguments: list
    started: int  # clock ticks since boot: tells two users of one pid apart


def start(command, options=(), env=None, cwd=None, namespaces=(), group=None, user=None, pid1=True,
          program=None, stdin=subprocess.DEVNULL) -> "Nodeinit":  # fmt: skip
    program = program or binary()
    arguments = [str(word) for word in [*options, *(["--", *command] if command else [])]]

    def find_pid(started):
        if not pid1:
            return started
        # unshare(1) is what we started, PID 1 its only child (after setpriv and the like have replaced themselves).
        words = _text(f"/proc/{started}/task/{started}/children").split()
        # Until exec of nodeinit itself, signals would reach the wrapper.
        return int(words[0]) if words and _runs(int(words[0]), program) else None

    def ctl(pid):
        enter = ["nsenter", "-t", str(pid), "-p", "-n", "-m"] if pid1 or namespaces else []
        return [*enter, program, "ctl"]

    wrapping = _wrapping(pid1, namespaces, user)
    return Nodeinit([*wrapping, program, *arguments], find_pid, env, cwd, group, stdin, ctl, own_namespace=pid1)


def run(command, options=(), env=None, timeout=DEADLINE, **how) -> Finished:
    with start(command, options, env, **how) as pid1:
        code = pid1.wait(timeout)
        return Finished(code, pid1.out, pid1.err)


def wait_for(question, deadline=DEADLINE, what=None, pause=0.01):
    end = time.monotonic() + deadline
    while True:
        answer = question()
        if answer:
            return answer
        if time.monotonic() > end:
            raise TimeoutError(f"{what or question} not within {deadline} s")
        time.sleep(pause)


class Nodeinit:
    """A running nodeinit. `command` ends in it: unshare(1), setpriv(1), a container engine in front; find_pid
    tells its PID once it has become PID 1 (None: not yet)."""

    def __init__(self, command, find_pid, env=None, cwd=None, group=None, stdin=subprocess.DEVNULL,
                 ctl=None, own_namespace=True):  # fmt: skip
        environment = {"PATH": PATH, "HOME": "/tmp"} | {k: str(v) for k, v in (env or {}).items()}
        self._process = subprocess.Popen(
            command, env=environment, cwd=cwd, stdin=stdin, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, start_new_session=True,
            preexec_fn=(lambda: group.enter()) if group else None,
        )  # fmt: skip
        self._written = {"out": [], "err": []}
        self._news = threading.Condition()
        self._readers = [self._read(n, getattr(self._process, f"std{n}")) for n in ("out", "err")]
        self._ctl = ctl
        self.pid = None
        self.pid = self._find_pid(find_pid)
        self._namespace = _namespace_of(self.pid) if own_namespace else None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    # Ends whatever is left. Killing PID 1 ends its whole namespace; unshare(1) reaps it and ends, too.
    def close(self):
        if self._process.poll() is None:
            if self.pid:
                _kill(self.pid, signal.SIGKILL)
            try:
                self._process.wait(5 if self.pid else 0)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait(DEADLINE)
        for reader in self._readers:
            reader.join(2)

    @property
    def out(self) -> str:
        return "".join(self._written["out"])

    @property
    def err(self) -> str:
        return "".join(self._written["err"])

    def running(self) -> bool:
        return self._process.poll() is None

    def wait_for(self, question, deadline=DEADLINE, what=None):
        def asked():
            answer = question()
            assert answer or self.running(), f"nodeinit ended: {self.told()}"
            return answer

        try:
            return wait_for(asked, deadline, what)
        except TimeoutError as late:
            raise AssertionError(f"{late}\n{self.told()}") from None

    def wait_port(self, port, host="127.0.0.1", deadline=DEADLINE):
        def answers():
            try:
                socket.create_connection((host, port), 1).close()
                return True
            except OSError:
                return False

        self.wait_for(answers, deadline, f"a listener on port {port}")

    def wait_line(self, pattern, stream="err", deadline=DEADLINE) -> re.Match:
        wanted = re.compile(pattern, re.MULTILINE)
        end = time.monotonic() + deadline
        with self._news:
            while True:
                ended = not self.running() and not any(r.is_alive() for r in self._readers)
                text = "".join(self._written[stream])
                found = wanted.search(text if ended else text[: text.rfind("\n") + 1])
                if found:
                    return found
                if ended or time.monotonic() > end:
                    raise AssertionError(f"no line {pattern!r} in std{stream}\n{self.told()}")
                self._news.wait(0.1)

    def send(self, number):
        os.kill(self.pid, number)

    def wait(self, timeout=DEADLINE) -> int:
        try:
            code = self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"still running after {timeout} s\n{self.told()}") from None
        for reader in self._readers:
            reader.join(5)
        if code == 1 and _UNSHARE_AFTER_KILL in self.err:
            return 128 + signal.SIGKILL
        return code if code >= 0 else 128 - code

    def stop(self, number=signal.SIGTERM, timeout=DEADLINE) -> int:
        self.send(number)
        return self.wait(timeout)

    def processes(self) -> list:
        found = [_process(int(p.name)) for p in Path("/proc").iterdir() if p.name.isdigit()]
        return [p for p in found if p and p.pid != self.pid and self._is_inside(p)]

    def workers(self) -> list:
        return [p for p in self.processes() if p.parent == self.pid and p.state not in "ZX"]

    def zombies(self) -> list:
        return [p for p in self.processes() if p.state == "Z"]

    def ctl(self, *words, timeout=DEADLINE) -> Finished:
        done = subprocess.run(
            [*self._ctl(self.pid), *words], env={"PATH": PATH}, stdin=subprocess.DEVNULL,
            capture_output=True, text=True, timeout=timeout,
        )  # fmt: skip
        return Finished(done.returncode, done.stdout, done.stderr)

    def ctl_started(self, *words) -> subprocess.Popen:
        return subprocess.Popen(
            [*self._ctl(self.pid), *words], env={"PATH": PATH}, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, text=True,
        )  # fmt: skip

    def told(self) -> str:
        code = self._process.poll()
        return (f"nodeinit {'runs' if code is None else f'ended with {code}'}\n"
                f"--- stdout\n{self.out[-4000:]}\n--- stderr\n{self.err[-8000:]}")  # fmt: skip

    def _read(self, name, stream):
        def pump():
            decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
            for piece in iter(lambda: os.read(stream.fileno(), 65536), b""):
                with self._news:
                    self._written[name].append(decoder.decode(piece))
                    self._news.notify_all()

        thread = threading.Thread(target=pump, daemon=True)
        thread.start()
        return thread

    def _find_pid(self, find_pid):
        def look():
            # Ended at once? Its code is still to be had by wait().
            return find_pid(self._process.pid) if self.running() else self._process.pid

        try:
            return wait_for(look, what="PID 1 in its namespace", pause=0.002)
        except TimeoutError as late:
            self.close()
            raise AssertionError(f"{late}\n{self.told()}") from None

    def _is_inside(self, process) -> bool:
        if self._namespace:
            return _namespace_of(process.pid) == self._namespace
        while process and process.parent > 1:
            if process.parent == self.pid:
                return True
            process = _process(process.parent)
        return False


def _wrapping(pid1, namespaces, user):
    words = []
    if pid1 or namespaces:
        words = ["unshare", *[f"--{name}" for name in namespaces]]
        if os.geteuid() != 0:
            words += ["--user", "--map-root-user"]
        if pid1:
            words += ["--pid", "--fork", "--mount-proc", "--kill-child"]
    if "net" in namespaces:
        words += ["sh", "-c", 'ip link set lo up && exec "$@"', "sh"]
    if user is not None:
        words += ["setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups",
                  "--bounding-set=-all", "--inh-caps=-all", "--no-new-privs"]  # fmt: skip
    return words


def _text(path) -> str:
    try:
        return Path(path).read_text(errors="replace")
    except OSError:
        return ""


# At most 15 bytes, proc(5).
def _name(pid) -> str:
    return _text(f"/proc/{pid}/comm").strip()


# Some name themselves otherwise: the main thread of Node 24 is MainThread.
def _runs(pid, program) -> bool:
    try:
        return _name(pid) == os.path.basename(program)[:15] or os.path.samefile(f"/proc/{pid}/exe", program)
    except OSError:
        return False


def _namespace_of(pid):
    try:
        return os.readlink(f"/proc/{pid}/ns/pid")
    except OSError:
        return None


def _process(pid):
    stat = _text(f"/proc/{pid}/stat")
    if not stat:
        return None
    name, rest = stat[stat.index("(") + 1 : stat.rindex(")")], stat[stat.rindex(")") + 2 :].split()
    inner = re.search(r"^NSpid:.*?(\d+)$", _text(f"/proc/{pid}/status"), re.MULTILINE)
    arguments = _text(f"/proc/{pid}/cmdline").split("\0")[:-1]
    return Process(pid, int(rest[1]), int(inner[1]) if inner else pid, rest[0], name, arguments, int(rest[19]))


def _kill(pid, number):
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        pass
