"""A cluster on a terminal (docker run -it): one keyboard, many workers. While the first is alone all is as in single
mode (test_cluster_alone.py); from here on it is a service."""

import fcntl
import re
import signal
import struct
import tempfile
import termios
from contextlib import contextmanager
from pathlib import Path

import pytest
from support import node, nodeinit

from . import cluster, harness
from .cases_tty import LEADERS, Terminal
from .harness import Init, probe, status, until

pytestmark = pytest.mark.skipif(not harness.can_unshare(), reason="needs the right to make PID namespaces (root)")

OPTIONS = ["--mode", "cluster", "--workers", "2", "--log-level", "warn"]
SERVICE = Init("nodeinit-cluster", [nodeinit.binary(), *OPTIONS, "--ready", "online", "--"])
AUTO = Init("nodeinit-cluster", [nodeinit.binary(), "--workers", "2", "--log-level", "warn", "--"])

# Listens after a moment, and reads its standard input as development servers do.
READER = """
process.stdin.on('data', (text) => console.log(process.env.NODEINIT_SLOT, 'read', String(text).trim()))
process.stdin.on('end', () => console.log(process.env.NODEINIT_SLOT, 'end'))
process.on('SIGTERM', () => { console.log('term'); process.exit(0) })
require('http').createServer(() => {}).listen(0, () => console.log('listening', process.env.NODEINIT_SLOT))
"""


@contextmanager
def script(text):
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        Path(folder, "server.js").write_text(text)
        yield [node.path(22), str(Path(folder, "server.js"))]


def told(terminal, number):
    return [line for line in re.findall(r"signal \d+ at \d", terminal.text) if line.startswith(f"signal {number} ")]


@pytest.mark.parametrize("leader", LEADERS, ids=["container", "unshare"])
def test_ctrl_c_stops_the_service_once_and_window_sizes_reach_every_worker(leader):
    with Terminal(SERVICE, probe("record", "2=0"), leader) as terminal:
        terminal.wait("ready", count=2)
        terminal.settle()
        assert "signal" not in terminal.text
        fcntl.ioctl(terminal.ours, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 100, 0, 0))
        terminal.wait("signal 28", count=2)
        assert sorted(told(terminal, 28)) == ["signal 28 at 0", "signal 28 at 1"]
        terminal.type("\x1a")  # Ctrl-Z: nobody could resume it
        terminal.settle()
        assert not terminal.run.state("State").startswith("T") and "signal 20" not in terminal.text
        terminal.type("\x03")
        terminal.expect(0)
        terminal.settle()
        assert sorted(told(terminal, 2)) == ["signal 2 at 0", "signal 2 at 1"]
        assert not told(terminal, 15)


def test_a_terminal_that_goes_away_stops_the_service():
    with Terminal(SERVICE, probe("record", "15=0"), ["-p", "-t"]) as terminal:
        terminal.wait("ready", count=2)
        terminal.hang_up()
        terminal.run.expect(0)


@pytest.mark.parametrize("leader", LEADERS, ids=["container", "unshare"])
def test_a_server_that_reads_the_terminal_gets_it_and_ctrl_c_still_stops(leader):
    with script(READER) as command, Terminal(AUTO, command, leader, env=None) as terminal:
        terminal.wait("listening 1", 20)
        terminal.type("hello\n")
        terminal.wait("0 read hello")  # it was stopped by SIGTTIN for a moment
        terminal.wait("1 end")  # the others have an empty standard input
        until(lambda: len(cluster.workers(terminal.run)) == 2, "both workers")
        assert not any((status(pid, "State") or "").startswith("T") for pid in terminal.run.below())
        # Ctrl-C is the reader's now; it dies of it, and the service stops.
        terminal.type("\x03")
        terminal.expect(0)


def test_a_job_may_ask_questions_under_auto_mode():
    text = "require('readline').createInterface({ input: process.stdin, output: process.stdout })" \
           ".question('name? ', (name) => { console.log('hello ' + name); process.exit(3) })"  # fmt: skip
    for leader in LEADERS:
        with script(text) as command, Terminal(AUTO, command, leader) as terminal:
            terminal.wait("name? ", 20)
            terminal.type("world\n")
            terminal.wait("hello world")
            terminal.expect(3)


def test_workers_that_write_to_a_terminal_with_tostop_go_on():
    words = ["sh", "-c", "trap 'exit 0' TERM; while :; do echo tick $NODEINIT_SLOT; sleep 0.1; done"]
    with Terminal(SERVICE, words, ["-p", "-t"], tostop=True) as terminal:
        terminal.wait("tick 0", count=5)
        terminal.wait("tick 1", count=5)
        terminal.run.kill(signal.SIGTERM)
        terminal.expect(0)


def test_no_controlling_terminal_no_foreground_no_harm():
    with Terminal(SERVICE, probe("record", "15=0"), ["-p"]) as terminal:
        terminal.wait("ready", count=2)
        terminal.run.kill(signal.SIGTERM)
        terminal.expect(0)
