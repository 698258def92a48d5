"""kill -9 of any worker under 64 clients that open a connection for each request: whoever the dead worker had not yet
accepted is served by another one, and nobody is refused, reset or left waiting."""

import collections
import os
import random
import signal
import socket

import pytest
from support import http, node, nodeinit

# Notes who has been accepted, at once: the address is the client's name.
SERVER = """
const fs = require('fs');
const notes = fs.openSync(`notes.${process.pid}`, 'a');
require('http').createServer((_, answer) => answer.end('done'))
  .on('connection', (socket) => fs.writeSync(notes, socket.remoteAddress.replace('::ffff:', '') + '\\n'))
  .listen(process.env.PORT);
"""
REQUEST = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
CLIENTS = 64
HUNG = 30


class Clients(http.Clients):
    def __init__(self, port):
        self.port, self.answered, self.lost = port, 0, {}  # lost: address -> what the client saw
        self._next = 0
        super().__init__(CLIENTS, HUNG + 5)

    def _client(self, _):
        while not self.is_over():
            with self._lock:
                self._next += 1
                number = self._next
            # An address for each connection, so that no note can mean another one.
            address = f"127.{1 + (number >> 16)}.{(number >> 8) & 255}.{number & 255}"
            seen = self._ask(address)
            with self._lock:
                if seen == "done":
                    self.answered += 1
                else:
                    self.lost[address] = seen

    def _ask(self, address):
        try:
            with socket.create_connection(("127.0.0.1", self.port), HUNG, (address, 0)) as connection:
                connection.sendall(REQUEST)
                answer = b"".join(iter(lambda: connection.recv(65536), b""))
                return "done" if answer.endswith(b"done") else "cut"
        except ConnectionRefusedError:
            return "refused"
        except (ConnectionResetError, BrokenPipeError):
            return "reset"
        except (socket.timeout, TimeoutError):
            return "hung"


@pytest.mark.timeout(600)
def test_only_what_the_dead_worker_had_accepted_is_lost(request, tmp_path):
    kills = 50 if request.config.getoption("--long") else 8
    (tmp_path / "app.js").write_text(SERVER)
    port, chance = nodeinit.free_port(), random.Random(9)
    settings = ["--workers", "2", "--restart-backoff", "1ms..20ms", "--restart-limit", "1000/60s"]
    killed = set()
    with nodeinit.start([node.path(24), "app.js"], settings, {"PORT": port}, cwd=tmp_path) as pid1:
        def wait_ready(times):
            pid1.wait_for(lambda: pid1.err.count("is ready after") >= times, 60, "two ready workers")

        wait_ready(2)
        with Clients(port) as clients:
            for round_ in range(kills):
                wait_ready(2 + round_)
                answered = clients.answered
                pid1.wait_for(lambda n=answered: clients.answered > n + 2 * CLIENTS, 60, "answers")
                victim = chance.choice(pid1.workers())
                killed.add(victim.inner_pid)
                os.kill(victim.pid, signal.SIGKILL)
            pid1.wait_for(lambda n=clients.answered: clients.answered > n + 2 * CLIENTS, 60, "answers")
        notes = [tmp_path / f"notes.{pid}" for pid in killed]
        accepted = {line for file in notes if file.exists() for line in file.read_text().split()}
        kinds = collections.Counter(clients.lost.values())
        unknown = {address: seen for address, seen in clients.lost.items() if address not in accepted}
        print(f"{kills} kills, {clients.answered} answered, lost: {dict(kinds)}, without a note: {unknown}")
        assert set(kinds) <= {"reset", "cut"}, kinds
        # A worker may die between accept(2) and its note: at most one of each.
        assert len(unknown) <= kills, unknown
        assert pid1.stop() == 0
