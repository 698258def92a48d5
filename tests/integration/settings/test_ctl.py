"""`nodeinit ctl` against a nodeinit that runs a small service."""

import json
import os
import pty
import select
import socket
import subprocess
import time

import pytest

from support import node, nodeinit

APP = "require('http').createServer((q, s) => s.end('ok')).listen(process.env.PORT)"


class Service:
    def __init__(self, folder):
        (folder / "app.js").write_text(APP)
        self.app = folder / "app.js"
        self.address = f"@nodeinit-test-{os.getpid()}-{time.monotonic_ns()}"
        self.port = nodeinit.free_port()
        env = {"NODEINIT_CONTROL": self.address, "PORT": self.port}
        self.process = nodeinit.start([node.path(), str(self.app)], ["--workers", "2"], env=env, pid1=False)

    def ctl(self, *words):
        return subprocess.run([nodeinit.binary(), "ctl", *words], env={"NODEINIT_CONTROL": self.address},
                              capture_output=True, text=True, timeout=60)  # fmt: skip

    def slots(self):
        return json.loads(self.ctl("status", "--json").stdout)["programs"][0]["slots"]

    def wait_ready(self, workers):
        self.process.wait_for(lambda: [slot["state"] for slot in self.slots()] == ["ready"] * workers)


@pytest.fixture
def service(tmp_path):
    made = Service(tmp_path)
    with made.process:
        made.process.wait_port(made.port)
        made.wait_ready(2)
        yield made


def test_status_health_scale_restart_and_stop(service):
    table = service.ctl("status").stdout
    assert "2 of 2 workers ready" in table and "SLOT" in table
    assert service.ctl("health").returncode == 0
    assert service.ctl("health", "live").returncode == 0

    assert service.ctl("scale", "+1").stdout == "node: 3 workers wanted\n"
    service.wait_ready(3)
    before = service.slots()[1]["pid"]
    assert service.ctl("restart", "1").returncode == 0
    service.process.wait_for(lambda: service.slots()[1].get("pid") not in (before, None))
    wrong = service.ctl("restart", "9")
    assert (wrong.returncode, wrong.stderr) == (1, "nodeinit ctl: node has no slot 9\n")

    told = service.ctl("stop").stdout.splitlines()
    assert (told[0], told[-1]) == ("stopping", "stopped: every worker has ended")
    assert service.process.wait(30) == 0


def test_reload_replaces_every_worker_and_tells_when_it_is_done(service):
    before = {slot["pid"] for slot in service.slots()}
    done = service.ctl("reload")
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith("\nreloaded\n")
    service.wait_ready(2)
    assert not before & {slot["pid"] for slot in service.slots()}


def test_reload_to_a_broken_version_fails_and_costs_nothing(service):
    before = {slot["pid"] for slot in service.slots()}
    service.app.write_text("throw new Error('broken')")
    done = service.ctl("reload")
    assert done.returncode == 1
    assert done.stderr.startswith("nodeinit ctl: reload failed: ")
    assert before == {slot["pid"] for slot in service.slots()}
    assert service.ctl("health").returncode == 0


def test_slow_and_hostile_clients_hold_nobody_up(service):
    crowd = []
    for i in range(100):
        client = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        client.settimeout(5)
        while client.connect_ex("\0" + service.address[1:]) != 0:  # the queue is full for a moment
            time.sleep(0.01)
        crowd.append(client)
        try:
            client.sendall([b"", b"{", b"x" * 8000, b'{"nodeinit":1,"verb":"status"}\n' * 200][i % 4])
        except (BrokenPipeError, ConnectionResetError):
            pass  # it was shown out already
    assert service.ctl("health").returncode == 0
    assert "2 of 2 workers ready" in service.ctl("status").stdout
    for client in crowd:
        client.close()


def test_another_user_is_not_let_in(service):
    if os.geteuid() != 0:
        pytest.skip("needs root to be another user")
    done = subprocess.run(["setpriv", "--reuid=12345", "--regid=12345", "--clear-groups", nodeinit.binary(), "ctl", "stop"],
                          env={"NODEINIT_CONTROL": service.address, "PATH": nodeinit.PATH},
                          capture_output=True, text=True, timeout=20)  # fmt: skip
    told = "nodeinit ctl: not allowed: only root and the user of nodeinit itself are let in\n"
    assert (done.returncode, done.stdout, done.stderr) == (1, "", told)
    assert service.ctl("health").returncode == 0


def test_top_draws_in_a_terminal_and_leaves_it_as_it_was(service):
    screen, slave = pty.openpty()
    top = subprocess.Popen([nodeinit.binary(), "ctl", "top"], stdin=slave, stdout=slave, stderr=slave,
                           env={"NODEINIT_CONTROL": service.address, "TERM": "xterm"})  # fmt: skip
    os.close(slave)
    seen = b""
    deadline = time.monotonic() + 20
    while b"SLOT" not in seen and time.monotonic() < deadline:
        if select.select([screen], [], [], 0.5)[0]:
            seen += os.read(screen, 65536)
    assert b"\x1b[?1049h" in seen and b"q: leave" in seen
    os.write(screen, b"q")
    while select.select([screen], [], [], 5)[0]:
        try:
            seen += os.read(screen, 65536)
        except OSError:
            break  # the terminal has no other end any more
    assert top.wait(10) == 0
    assert seen.rstrip().endswith(b"\x1b[?25h\x1b[?1049l")
    os.close(screen)


def test_without_a_nodeinit_the_reason_is_told():
    done = subprocess.run([nodeinit.binary(), "ctl", "status", "--control", "@nobody-is-here"],
                          capture_output=True, text=True, timeout=20)  # fmt: skip
    assert done.returncode == 1
    assert done.stderr.startswith("nodeinit ctl: cannot reach nodeinit at @nobody-is-here: Connection refused\n")
    long = subprocess.run([nodeinit.binary(), "--control", "/" + "x" * 108, "--check"],
                          capture_output=True, text=True, timeout=20)  # fmt: skip
    assert long.returncode == 78
    assert "allowed: auto, off, or an absolute path or @name of at most 107 bytes" in long.stderr
