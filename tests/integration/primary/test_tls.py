"""A TLS session that one worker has given is resumed by the others: they share the keys of their tickets."""

import json
import os
import shutil
import signal
import socket
import ssl

import pytest
from integration.primary import reach
from support import node, nodeinit

SERVER = """
const fs = require('fs');
const pair = { key: fs.readFileSync('key.pem'), cert: fs.readFileSync('cert.pem') };
require('https').createServer(pair, (_, answer) => answer.end(JSON.stringify({ pid: process.pid })))
  .listen(process.env.PORT);
"""


@pytest.fixture(params=[18, 24])
def service(request, tmp_path):
    for file in reach.certificate():
        shutil.copy(file, tmp_path)
    (tmp_path / "app.js").write_text(SERVER)
    port = nodeinit.free_port()
    with nodeinit.start([node.path(request.param), "app.js"], ["--workers", "2"], {"PORT": port}, cwd=tmp_path) as pid1:
        pid1.port = port
        for slot in range(2):
            pid1.wait_line(rf"slot {slot}: worker \d+ is ready")
        yield pid1


def context(version):
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.check_hostname = False
    made.verify_mode = ssl.CERT_NONE
    made.minimum_version = made.maximum_version = version
    return made


def ask(made, port, session=None):
    """Who answered, whether the session was resumed, and the session for the next time."""
    with socket.create_connection(("127.0.0.1", port), timeout=20) as plain:
        with made.wrap_socket(plain, session=session) as secure:
            secure.sendall(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
            answer = b"".join(iter(lambda: secure.recv(65536), b""))
            return json.loads(answer.partition(b"\r\n\r\n")[2])["pid"], secure.session_reused, secure.session


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3], ids=["1.2", "1.3"])
def test_sessions_resume_whoever_answers(service, version):
    made = context(version)
    first, reused, session = ask(made, service.port)
    assert not reused

    def another_answers():
        pid, resumed, _ = ask(made, service.port, session)
        assert resumed, "a full handshake though the session was known"
        return pid != first

    service.wait_for(another_answers, what="an answer of the other worker")
    # Also those who come after it: the keys are the program's, not a worker's.
    (victim,) = [worker.pid for worker in service.workers() if worker.inner_pid == first]
    before = {worker.pid for worker in service.workers()}
    os.kill(victim, signal.SIGKILL)
    service.wait_for(lambda: len({w.pid for w in service.workers()} - before) == 1, what="its successor")

    def successor_answers():
        pid, resumed, _ = ask(made, service.port, session)
        assert resumed, "a full handshake though the session was known"
        return pid in {worker.inner_pid for worker in service.workers() if worker.pid not in before}

    service.wait_for(successor_answers, what="an answer of the successor")
    assert service.stop() == 0
