"""The tools of the tests themselves, against bare node: a client that misses an error would prove nothing."""

import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from support import apps, cgroup, http, node, nodeinit, wrk


@pytest.fixture
def server():
    """A function that starts a raw TCP server which treats each connection as it is told."""
    sockets = []

    def serve(treat):
        listener = socket.create_server(("127.0.0.1", 0))
        sockets.append(listener)

        def accept():
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                with connection:
                    treat(connection)

        threading.Thread(target=accept, daemon=True).start()
        return listener.getsockname()[1]

    yield serve
    for listener in sockets:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()


def kind_of(port):
    with pytest.raises(http.Failure) as failure:
        http.get(port, timeout=0.3)
    return failure.value.kind


def test_the_client_names_every_kind_of_error(server):
    def reset(connection):
        connection.recv(4096)
        linger = b"\1\0\0\0\0\0\0\0"
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)

    def short(connection):
        connection.recv(4096)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf")

    def silent(connection):
        connection.recv(4096)
        connection.recv(4096)

    assert kind_of(nodeinit.free_port()) == "refused"
    assert kind_of(server(reset)) == "reset"
    assert kind_of(server(short)) == "short"
    assert kind_of(server(lambda connection: connection.recv(4096))) == "empty"
    assert kind_of(server(silent)) == "timeout"


def test_a_closed_keep_alive_connection_is_stale_and_not_an_error(server):
    def once(connection):
        connection.recv(4096)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

    with http.Load(server(once), clients=1, pause=0.01) as load:
        nodeinit.wait_for(lambda: load.tally.ok > 3 and load.tally.stale > 2)
    assert not load.tally.errors


def test_bare_node_answers_wrk(tmp_path):
    app, port = apps.make(tmp_path, "express"), nodeinit.free_port()
    bare = subprocess.Popen([node.path(22), app.script], env={"PORT": str(port)})
    try:
        nodeinit.wait_for(lambda: connects(port))
        report = wrk.run(port, seconds=1, connections=8)
        assert report.requests > 10
        assert report.failed == 0
    finally:
        bare.send_signal(signal.SIGKILL)
        bare.wait()


def test_a_group_limits_and_is_removed():
    if not cgroup.available():
        pytest.skip("cgroups may not be made here")
    with cgroup.Group(cpus=0.5, memory=64 << 20) as group:
        done = subprocess.run(["cat", "/proc/self/cgroup"], preexec_fn=group.enter, capture_output=True, text=True)
        assert group.name in done.stdout
        folder = group.path("cpu")
        assert folder.exists()
    assert not folder.exists()


ENDLESS = """
import time
from support import cgroup, nodeinit

def test_endless():
    with cgroup.Group() as group, nodeinit.start(["sleep", "1000"], group=group) as running:
        running.wait_for(running.workers)
        print(group.path("cpu"), running.pid, flush=True)
        time.sleep(1000)
"""


def test_a_run_that_is_ended_by_sigterm_leaves_nothing_behind(tmp_path):
    if not cgroup.available():
        pytest.skip("cgroups may not be made here")
    (tmp_path / "test_endless.py").write_text(ENDLESS)
    tests = nodeinit.TOP / "tests"
    command = [sys.executable, "-m", "pytest", "-s", "-q", "-c", tests / "pytest.ini", "-p", "conftest", tmp_path]
    with subprocess.Popen(command, cwd=tests, stdout=subprocess.PIPE, text=True) as run:
        folder, pid = next(line.split() for line in run.stdout if line.startswith("/"))
        assert Path(folder).exists() and Path(f"/proc/{pid}").exists()
        run.send_signal(signal.SIGTERM)
        run.communicate(timeout=60)
    assert run.returncode == pytest.ExitCode.INTERRUPTED
    assert not Path(folder).exists()
    assert not Path(f"/proc/{pid}").exists()


def connects(port):
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
        return True
    except OSError:
        return False
