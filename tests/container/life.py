"""What the tests of every engine do: start a hardened service, look at its workers, type at a terminal."""

import os
import pty
import select
import subprocess
import time
from contextlib import contextmanager

from container.conftest import HARDENED, IMAGE
from support import http, nodeinit


def service(engine, app="express", flags=(), cpus="1.5", image=IMAGE, **env):
    """A hardened service that answers, and its port."""
    port = nodeinit.free_port()
    environment = [w for k, v in ({"PORT": port, "NODE_ENV": "production"} | env).items() for w in ("-e", f"{k}={v}")]
    container = engine.start(image, "node", f"{app}/server.js" if "." not in app else app, flags=[
        *HARDENED, "--cpus", cpus, "--memory", "512m", "--pids-limit", "256", *environment, *flags])  # fmt: skip

    def answering():
        assert container.running, container.logs()
        return answers(port)

    nodeinit.wait_for(answering, 60, "an answer", pause=0.05)
    return container, port


def answers(port) -> bool:
    try:
        return http.get(port, timeout=1).status == 200
    except http.Failure:
        return False


def workers(pid1):
    """PIDs of the direct children of PID 1, as the host sees them; zombies are told apart."""
    live, zombies = [], []
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                with open(f"/proc/{entry}/stat") as file:
                    fields = file.read().rsplit(")", 1)[1].split()
            except OSError:
                continue
            if int(fields[1]) == pid1:
                (zombies if fields[0] == "Z" else live).append(int(entry))
    return live, zombies


def count_is(container, wanted, within=40):
    pid = container.pid
    nodeinit.wait_for(lambda: len(workers(pid)[0]) == wanted, within, f"{wanted} workers", pause=0.05)


def no_zombies(container, within=20):
    pid = container.pid
    nodeinit.wait_for(lambda: not workers(pid)[1], within, "no zombies", pause=0.05)


class Keyboard:
    def __init__(self, descriptor, process):
        self._descriptor, self._process = descriptor, process
        self.said = b""

    def type(self, text):
        os.write(self._descriptor, text)

    def until(self, wanted, within=60):
        end = time.monotonic() + within
        while wanted not in self.said:
            assert time.monotonic() < end, self.said
            if select.select([self._descriptor], [], [], 0.2)[0]:
                try:
                    self.said += os.read(self._descriptor, 4096)
                except OSError:  # EIO: nobody has the terminal any more
                    raise AssertionError(self.said) from None

    # The screen is read on: who writes to one that nobody reads does not end.
    def code(self, within=60) -> int:
        end = time.monotonic() + within
        while self._process.poll() is None:
            assert time.monotonic() < end, self.said
            if select.select([self._descriptor], [], [], 0.05)[0]:
                try:
                    self.said += os.read(self._descriptor, 4096)
                except OSError:
                    time.sleep(0.05)
        return self._process.returncode


@contextmanager
def terminal(engine, *command, flags=()):
    """`run -it` by a person: yields a Keyboard."""
    controller, inside = pty.openpty()
    process = subprocess.Popen(engine.interactive(IMAGE, *command, flags=[*HARDENED, *flags]), cwd=engine.folder,
                               env=engine.environment() | {"TERM": "xterm"}, stdin=inside, stdout=inside,
                               stderr=inside, start_new_session=True, preexec_fn=_take_terminal)  # fmt: skip
    os.close(inside)
    try:
        yield Keyboard(controller, process)
    finally:
        process.kill()
        process.wait()
        os.close(controller)


def _take_terminal():
    import fcntl
    import termios

    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
