"""What a program itself sends over its channel: handles are taken, closed and acknowledged, messages of any size are
passed over at no cost."""

import os
import re
import socket
from pathlib import Path

import pytest
from support import http, node, nodeinit

GIVER = """
const http = require('http');
let given = 0;
http.createServer((request, answer) => {
  if (request.url !== '/give') return answer.end(JSON.stringify({ pid: process.pid, given }));
  process.send({ take: 'this' }, request.socket, (error) => { if (!error) given++; });
}).listen(process.env.PORT);
"""
SENDER = """
const blob = 'x'.repeat(Number(process.env.SIZE));
let sent = 0;
function send() {
  if (sent === 40) return console.log('all sent');
  process.send({ sent: sent++, blob }, send);
}
require('http').createServer((_, answer) => answer.end(JSON.stringify({ sent }))).listen(process.env.PORT, send);
"""


def start(folder, program, major, **env):
    (folder / "app.js").write_text(program)
    port = nodeinit.free_port()
    pid1 = nodeinit.start([node.path(major), "app.js"], ["--workers", "1"], {"PORT": port} | env, cwd=folder)
    pid1.port = port
    return pid1


def descriptors(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))


@pytest.mark.parametrize("major", [14, 18, 24])
def test_handles_that_a_program_sends_are_taken_closed_and_acknowledged(tmp_path, major):
    count = 50
    with start(tmp_path, GIVER, major) as pid1:
        pid1.wait_line(r"slot 0: worker \d+ is ready")
        http.get(pid1.port)
        before = descriptors(pid1.pid)
        for _ in range(count):
            with socket.create_connection(("127.0.0.1", pid1.port), timeout=20) as client:
                client.sendall(b"GET /give HTTP/1.1\r\nHost: a\r\n\r\n")
                assert client.recv(1) == b"", "closed by the one who took it"
        # Each but the first waits in the worker until the one before it is acknowledged.
        pid1.wait_for(lambda: http.get(pid1.port).json()["given"] == count, what="all callbacks")
        pid1.wait_for(lambda: descriptors(pid1.pid) <= before, what="as many descriptors as before")
        assert pid1.stop() == 0


def peak(pid):
    return int(re.search(r"VmHWM:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())[1])


@pytest.mark.parametrize("major", [14, 24])
def test_messages_of_megabytes_cost_no_memory(tmp_path, major):
    with start(tmp_path, SENDER, major, SIZE=100) as pid1:
        pid1.wait_line("all sent", stream="out")
        plain = peak(pid1.pid)
        assert pid1.stop() == 0
    with start(tmp_path, SENDER, major, SIZE=4 << 20) as pid1:
        pid1.wait_line("all sent", stream="out", deadline=60)
        assert peak(pid1.pid) < plain + 1024, "KiB: none of 160 MiB is kept"
        assert http.get(pid1.port).json()["sent"] == 40
        assert pid1.stop() == 0
