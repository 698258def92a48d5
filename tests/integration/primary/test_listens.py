"""Every way a program listens, side by side with Node's own cluster primary: same addresses, modes and errors."""

import collections
import os
import signal
import socket
import subprocess
from pathlib import Path

import pytest
from support import http, node, nodeinit

HERE = Path(__file__).parent
LISTENS = HERE / "listens.js"
NAMES = {"any", "any-again", "v4", "v6", "v6only", "backlog", "path", "udp",
         "not-ours", "no-folder", "no-descriptor", "in-use"}  # fmt: skip
MAJORS = [14, 18, 22, 26]


@pytest.fixture
def busy():
    """The port of a listener of another program of the same user, who would share it."""
    with socket.socket(socket.AF_INET6) as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        other.bind(("::", 0))
        other.listen()
        yield other.getsockname()[1]


def told(text):
    """name -> what each worker said of it"""
    result = collections.defaultdict(list)
    for line in text.splitlines():
        name, _, what = line.partition(" ")
        if name in NAMES:
            result[name].append(what)
    return result


def complete(text):
    said = told(text)
    return said if set(said) == NAMES and all(len(what) >= 2 for what in said.values()) else None


def under_node(major, env):
    process = subprocess.Popen(
        [node.path(major), HERE / "node_primary.js", LISTENS], env=os.environ | env, text=True, stdout=subprocess.PIPE
    )
    try:
        text = ""
        while not (said := complete(text)):
            text += process.stdout.readline()
        return said
    finally:
        process.kill()
        process.wait()


@pytest.mark.timeout(120)
@pytest.mark.parametrize("major", MAJORS)
def test_a_program_meets_the_same_addresses_and_errors_as_under_nodes_own_primary(major, busy, tmp_path):
    path = tmp_path / "app.sock"
    env = {"BUSY": str(busy), "SOCKET_PATH": str(path)}
    theirs = under_node(major, env)
    path.unlink(missing_ok=True)
    with nodeinit.start([node.path(major), LISTENS], ["--workers", "2"], env) as pid1:
        ours = pid1.wait_for(lambda: complete(pid1.out), what="two workers that have tried everything")
        ports = {}
        for name in NAMES:
            mine = set(ours[name])
            assert len(mine) == 1, f"the workers differ: {name} {mine}"
            one = mine.pop()
            if name in {"any", "any-again", "v4", "v6", "v6only", "backlog", "udp"}:
                ports[name] = int(one)
            else:
                assert one == theirs[name][0], name
        assert ports["any"] != ports["any-again"]
        for host, name in (("127.0.0.1", "any"), ("::1", "any"), ("127.0.0.1", "v4"), ("::1", "v6"),
                           ("::1", "v6only"), ("127.0.0.1", "backlog")):  # fmt: skip
            assert http.get(ports[name], host=host).status == 200
        with pytest.raises(OSError):
            socket.create_connection(("127.0.0.1", ports["v6only"]), timeout=2).close()
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(path))
            client.sendall(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
            assert client.recv(65536).startswith(b"HTTP/1.1 200")
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.settimeout(5)
            client.sendto(b"?", ("127.0.0.1", ports["udp"]))
            assert client.recv(100).isdigit()
        pid1.stop()
        assert not path.exists(), "the path of a pipe is removed at the end"


@pytest.mark.timeout(120)
@pytest.mark.parametrize("balance", ["kernel", "shared", "round-robin", "client-ip"])
def test_killed_workers_cost_only_what_they_had_accepted(balance, tmp_path):
    port = nodeinit.free_port()
    app = tmp_path / "app.js"
    app.write_text(
        "require('http').createServer((q, r) => r.end(JSON.stringify({pid: process.pid}))).listen(process.env.PORT)"
    )
    options = ["--workers", "3", "--balance", balance]
    with nodeinit.start([node.path(22), app], options, {"PORT": port}) as pid1:
        pid1.wait_port(port)
        pid1.wait_for(lambda: len(pid1.workers()) == 3, what="three workers")
        with http.Load(port, clients=8, keep_alive=False, pause=0.002) as load:
            for _ in range(4):
                before = {worker.pid for worker in pid1.workers()}
                answered = load.tally.ok
                os.kill(min(before), signal.SIGKILL)
                pid1.wait_for(
                    lambda: len({w.pid for w in pid1.workers()} - before) == 1 and len(pid1.workers()) == 3,
                    what="a new worker",
                )
                pid1.wait_for(lambda: load.tally.ok > answered + 50, what="answers after the death")
        tally = load.tally
        lost = tally.errors.pop("reset", 0) + tally.errors.pop("empty", 0)
        assert not tally.errors, tally
        assert lost <= 4 * 8, tally
        assert pid1.stop() == 0
