"""kill -9 at random under load: what was inside the killed worker is lost, and nothing else."""

import http.client
import os
import random
import signal
import statistics
import time

import pytest
from support import http as strict
from support import nodeinit

# Notes each request before it answers, so that one which was inside is known afterwards.
SERVICE = """
const fs = require('fs');
const notes = fs.openSync(`${process.env.NOTES}/${process.pid}`, 'a');
require('http').createServer((request, response) => {
  fs.writeSync(notes, request.url + '\\n');
  setTimeout(() => response.end(JSON.stringify({pid: process.pid})), 1 + Math.floor(Math.random() * 50));
}).listen(+process.env.PORT);
"""


class Clients(strict.Clients):
    """Each request has a number of its own. errors: (number, kind, pid of the last answer on that connection)."""

    def __init__(self, port, keep_alive, count):
        self.port, self.keep_alive = port, keep_alive
        self.errors, self.answered = [], 0
        super().__init__(count, patience=15)

    def _client(self, index):
        connection, answered_by, number = None, None, 0
        while not self.is_over():
            number += 1
            name = f"/{'k' if self.keep_alive else 's'}{index}-{number}"
            if connection is None:
                connection, answered_by = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10), None
            headers = {} if self.keep_alive else {"Connection": "close"}
            try:
                answer = strict._ask(connection, name, headers, fresh=answered_by is None)
                answered_by = answer.json()["pid"]
                with self._lock:
                    self.answered += 1
                if self.keep_alive and connection.sock is not None:
                    continue
            except strict.Failure as failure:
                with self._lock:
                    self.errors.append((name, failure.kind, answered_by))
            connection.close()
            connection = None


@pytest.mark.timeout(400)
@pytest.mark.parametrize("spares", [0, 1])
def test_kill_9_at_random_loses_only_what_was_inside(start, tmp_path, is_long, spares):
    script = tmp_path / "server.js"
    script.write_text(SERVICE)
    notes = tmp_path / "notes"
    notes.mkdir()
    service = start(workers=2, script=script, NOTES=notes, NODEINIT_SPARES=spares,
                    NODEINIT_RESTART_BACKOFF="10ms..50ms")  # fmt: skip
    inner = {w.pid: w.inner_pid for w in service.pid1.workers()}
    killed = set()
    rng = random.Random(7)
    end = time.monotonic() + (120 if is_long else 15)
    with Clients(service.port, True, 8) as kept, Clients(service.port, False, 8) as short:
        while time.monotonic() < end:
            time.sleep(rng.uniform(0.3, 1.5))
            workers = service.pid1.workers()
            if len(workers) < 2 + spares:
                continue  # the last of two would take everything along
            victim = rng.choice(workers)
            inner[victim.pid] = victim.inner_pid
            killed.add(victim.inner_pid)
            os.kill(victim.pid, signal.SIGKILL)
    assert len(killed) >= (50 if is_long else 5)
    inside = {line for pid in killed if (notes / str(pid)).exists() for line in (notes / str(pid)).read_text().split()}
    errors = kept.errors + short.errors
    assert {kind for _, kind, _ in errors} <= {"reset", "empty", "stale"}, errors
    elsewhere = [e for e in errors if e[0] not in inside and e[2] not in killed]
    # Accepted and not yet read when the worker died: inside it, too, but it could not note that.
    assert len(elsewhere) <= len(killed), (elsewhere, len(errors), len(killed))
    assert kept.answered > 100 and short.answered > 100
    print(f"{len(killed)} kills, {kept.answered + short.answered} answers, {len(errors)} lost, {len(elsewhere)} unread")
    assert service.pid1.stop() == 0, service.pid1.told()


def time_to_answer(start, tmp_path, spares, rounds):
    """From the death of the only worker to the first answer of the next one; seconds."""
    script = tmp_path / "server.js"
    script.write_text("require('http').createServer((q, r) => r.end(JSON.stringify({pid: process.pid})))"
                      ".listen(+process.env.PORT)")  # fmt: skip
    service = start(workers=1, script=script, NODEINIT_SPARES=spares, NODEINIT_RESTART_BACKOFF="1ms..1ms",
                    NODEINIT_RESTART_LIMIT="1000/60s")  # fmt: skip
    took = []
    for count in range(rounds):
        if spares:
            service.pid1.wait_for(lambda n=count: service.pid1.err.count("is loaded and waits") > n)
            time.sleep(0.2)
        (serving,) = [w for w in service.pid1.workers() if w.inner_pid == service.ask()["pid"]]
        os.kill(serving.pid, signal.SIGKILL)
        nodeinit.wait_for(lambda p=serving.pid: not os.path.exists(f"/proc/{p}"), 5, "its end", pause=0.0005)
        began = time.monotonic()
        service.ask(timeout=10)
        took.append(time.monotonic() - began)
    service.pid1.close()
    return took


def test_a_spare_answers_long_before_a_new_worker_could(start, tmp_path, is_long):
    rounds = 30 if is_long else 9
    spare = statistics.median(time_to_answer(start, tmp_path, 1, rounds))
    fresh = statistics.median(time_to_answer(start, tmp_path, 0, rounds))
    print(f"first answer: spare {spare * 1000:.1f} ms, new worker {fresh * 1000:.1f} ms")
    # 10 ms, most of which is Node answering its first request; a busy machine is slower at both.
    assert spare < max(0.010, fresh / 2), (spare, fresh)
