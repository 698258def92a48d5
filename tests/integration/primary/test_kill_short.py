"""kill -9 of any worker under 64 clients that open a connection for each request: whoever the dead worker had not yet
accepted is served by another one, and nobody is refused, reset or left waiting."""

import collections
import os
import random
import signal

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
CLIENTS = 64


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
        with http.NamedClients(port, CLIENTS) as clients:
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
