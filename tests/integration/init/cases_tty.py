"""tty.*: a terminal, as `docker run -it` and a shell's job control give it. Each case is run with the init as leader
of the session (a container) and with the session led by a process outside (unshare from a shell)."""

import fcntl
import os
import re
import select
import signal
import struct
import termios
import time

from .harness import Failed, case, check, probe, until

LEADERS = (["-p", "-t"], ["-p", "-T"])


class Terminal:
    """A pseudo terminal with an init in it; what is written there, and typing."""

    def __init__(self, init, words, stage, tostop=False, **how):
        self.ours, theirs = os.openpty()
        self.text = ""
        if tostop:
            attributes = termios.tcgetattr(theirs)
            attributes[3] |= termios.TOSTOP
            termios.tcsetattr(theirs, termios.TCSANOW, attributes)
        try:
            self.run = init.start(words, stage=stage, stdin=theirs, stdout=theirs, stderr=theirs, **how)
        finally:
            os.close(theirs)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.run.__exit__()
        self.hang_up()

    def hang_up(self):
        if self.ours >= 0:
            os.close(self.ours)
        self.ours = -1

    def type(self, text):
        os.write(self.ours, text.encode())

    def read(self, seconds):
        ready, _, _ = select.select([self.ours], [], [], max(0, seconds))
        if ready:
            try:
                self.text += os.read(self.ours, 4096).decode(errors="replace")
            except OSError:  # EIO: nobody holds the other side any more
                return False
        return True

    def wait(self, text, seconds=5, count=1):
        end = time.monotonic() + seconds
        while self.text.count(text) < count:
            if time.monotonic() > end or not self.read(min(0.1, end - time.monotonic())):
                raise Failed(f"{text!r} (×{count}) not within {seconds} s: {self.text[-400:]!r}")

    def settle(self, seconds=0.3):
        end = time.monotonic() + seconds
        while time.monotonic() < end and self.read(0.05):
            pass
        return self.text

    def expect(self, code, seconds=10):
        end = time.monotonic() + seconds
        while self.run.running() and time.monotonic() < end:
            self.read(0.02)
        self.run.expect(code, 1)


@case("tty.foreground")
def _(init):
    """with a controlling terminal the child is in its foreground process group"""
    for stage in LEADERS:
        with Terminal(init, probe("state"), stage) as terminal:
            terminal.expect(0)
            terminal.settle(0.1)
            found = dict(line.split(" ", 1) for line in terminal.text.split("\r\n") if " " in line)
            check(found["foreground"] == found["group"], str(found))


@case("tty.read")
def _(init):
    """the child can read from and write to the terminal (no TTIN/TTOU stop)"""
    for stage in LEADERS:
        with Terminal(init, probe("tty"), stage, tostop=True) as terminal:
            terminal.wait("ready")
            terminal.type("hello\n")
            terminal.wait("read 6 hello")
            terminal.expect(0)


@case("tty.ctrl-c")
def _(init):
    """Ctrl-C ends a child with default INT: status 130"""
    for stage in LEADERS:
        with Terminal(init, ["sh", "-c", "echo started; exec sleep 20"], stage) as terminal:
            terminal.wait("started")
            until(lambda t=terminal: t.run.state("Name", t.run.main()) == "sleep", "sleep")
            terminal.type("\x03")
            terminal.expect(130)


def recorded(terminal):
    return [int(number) for number in re.findall(r"signal (\d+)", terminal.text)]


@case("tty.ctrl-c-once")
def _(init):
    """Ctrl-C reaches the child exactly once (not from the terminal and forwarded as well)"""
    for stage in LEADERS:
        with Terminal(init, probe("record", "15=9"), stage) as terminal:
            terminal.wait("ready")
            for count in range(1, 4):
                terminal.type("\x03")
                terminal.wait("signal 2", count=count)
            terminal.settle()
            check(recorded(terminal) == [2, 2, 2], str(recorded(terminal)))
            terminal.run.kill(signal.SIGTERM)
            terminal.expect(9)


@case("tty.no-stray-signals")
def _(init):
    """nothing arrives at the child at start (HUP/CONT from the terminal hand-over)"""
    for stage in LEADERS:
        with Terminal(init, probe("record", "15=9"), stage) as terminal:
            terminal.wait("ready")
            terminal.settle()
            check(recorded(terminal) == [], str(recorded(terminal)))


@case("tty.winch")
def _(init):
    """a change of the window size reaches the child (SIGWINCH)"""
    for stage in LEADERS:
        with Terminal(init, probe("record", "15=9"), stage) as terminal:
            terminal.wait("ready")
            fcntl.ioctl(terminal.ours, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 100, 0, 0))
            terminal.wait("signal 28")


@case("tty.job-control")
def _(init):
    """an interactive bash has job control: Ctrl-Z stops, jobs lists, fg resumes"""
    for stage in LEADERS:
        words = ["bash", "--norc", "--noprofile", "-i"]
        with Terminal(init, words, stage, env={"PATH": os.environ["PATH"], "PS1": "> ", "TERM": "dumb"}) as terminal:
            terminal.wait("> ")
            terminal.type("sleep 3333\n")
            terminal.settle(0.4)
            terminal.type("\x1a")
            terminal.wait("Stopped")
            terminal.type("jobs\n")
            terminal.wait("Stopped", count=2)
            terminal.type("fg\n")
            terminal.settle(0.3)
            terminal.type("\x03")
            terminal.settle(0.2)
            terminal.type("echo $((6*7)); exit 12\n")
            terminal.wait("42")
            terminal.expect(12)


@case("tty.error-tostop")
def _(init):
    """the error for a missing command comes through although the terminal has TOSTOP set: no stop, no hang"""
    for stage in LEADERS:
        with Terminal(init, ["no-such-command-here"], stage, tostop=True) as terminal:
            terminal.wait("\n")
            end = time.monotonic() + 3
            while terminal.run.running() and time.monotonic() < end:
                terminal.read(0.02)
            check(not terminal.run.running(), "hangs")


@case("tty.hangup")
def _(init):
    """the terminal goes away: the child gets HUP and the container ends (129)"""
    # Only with the init as leader: a session led from outside ends with its leader, and nobody sees the status.
    with Terminal(init, ["sleep", "30"], ["-p", "-t"]) as terminal:
        until(lambda: terminal.run.state("Name", terminal.run.main()) == "sleep", "sleep")
        terminal.hang_up()
        terminal.run.expect(129)


@case("tty.not-controlling")
def _(init):
    """stdin is a terminal but not the controlling one: runs and passes the status on"""
    with Terminal(init, ["sh", "-c", "exit 7"], ["-p"], setup=os.setsid) as terminal:
        terminal.expect(7)


@case("tty.nested", "extra")
def _(init):
    """the init run under itself, with a terminal: Ctrl-C still ends it with 130"""
    for stage in LEADERS:
        words = [*init.command, "sh", "-c", "echo started; exec sleep 20"]
        with Terminal(init, words, stage) as terminal:
            terminal.wait("started")
            time.sleep(0.1)
            terminal.type("\x03")
            terminal.expect(130)
