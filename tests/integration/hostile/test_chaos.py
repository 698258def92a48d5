"""Kills, stops, reloads, scales, resizes and floods at random under load. After each round of them PID 1 must be as it
was: nobody is lost but who was inside a killed worker, nobody hangs, no zombie, no descriptor and no memory stays.

NODEINIT_SEED=N does the same again, as far as a machine does; --long goes on for an hour (NODEINIT_CHAOS: seconds)."""

import collections
import json
import os
import random
import re
import signal
import socket
import subprocess
import time
from pathlib import Path

import pytest
from support import cgroup, crowd, http, node, nodeinit

# Notes who has been accepted, at once: the address is the client's name.
SERVER = """
const fs = require('fs');
const notes = fs.openSync(`notes.${process.pid}`, 'a');
require('http').createServer((_, answer) => setTimeout(() => answer.end('done'), Math.random() * 20))
  .on('connection', (socket) => fs.writeSync(notes, socket.remoteAddress.replace('::ffff:', '') + '\\n'))
  .listen(process.env.PORT);
"""
SHORT, LONG = 25, 3600  # seconds
WORKERS = 2
WARM = 2  # rounds
MIB = 1 << 20

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root: it goes into the namespace of PID 1")


class Probe(http.Clients):
    """Asks /livez the whole time."""

    def __init__(self, web):
        self.web, self.asked, self.failed, self.slowest = web, 0, [], 0.0
        super().__init__(1, 20)

    def _client(self, _):
        while not self.is_over():
            began = time.monotonic()
            status, body = crowd.ask(self.web, "/livez", 10)
            self.slowest = max(self.slowest, time.monotonic() - began)
            self.asked += 1
            if status != 200:
                self.failed.append((status, body))
            time.sleep(0.02)


class Chaos:
    def __init__(self, pid1, port, web, group, seed):
        self.pid1, self.port, self.web, self.group = pid1, port, web, group
        self.chance = random.Random(seed)
        self.killed, self.done = set(), collections.Counter()
        # So many of each among a hundred or so: the cheap ones more often.
        self.actions = [self.kill] * 6 + [self.pause] * 2 + [self.reload] * 3 + [self.scale] * 4 + [self.restart] * 3
        self.actions += [self.flood_http, self.flood_port, self.flood_control, self.orphan] * 2
        self.actions += [self.resize] * 2 if group else []

    def round(self):
        """One to three things at nearly the same time."""
        for _ in range(self.chance.choice([1, 1, 2, 3])):
            action = self.chance.choice(self.actions)
            self.done[action.__name__] += 1
            action()
            time.sleep(self.chance.choice([0, 0.05, 0.3]))

    def kill(self):
        workers = self.pid1.workers()
        if workers:
            victim = self.chance.choice(workers)
            self.killed.add(victim.inner_pid)
            signal_or_gone(victim.pid, signal.SIGKILL)

    def pause(self):
        workers = self.pid1.workers()
        if workers:
            victim = self.chance.choice(workers)
            signal_or_gone(victim.pid, signal.SIGSTOP)
            time.sleep(0.2)
            signal_or_gone(victim.pid, signal.SIGCONT)

    def reload(self):
        self.pid1.send(signal.SIGHUP)

    def scale(self):
        self.pid1.ctl("scale", str(self.chance.choice([1, 2, 3, 4])))

    def restart(self):
        self.pid1.ctl("restart", str(self.chance.choice([0, 1])))

    def resize(self):
        self.group.set_memory(self.chance.choice([512, 768, 1024]) * MIB)

    def orphan(self):
        """Children that nobody waits for but PID 1."""
        script = "for i in 1 2 3 4 5; do (sleep 0.05 &) ; done"
        subprocess.run(["nsenter", "-t", str(self.pid1.pid), "-p", "-m", "sh", "-c", script], check=False)

    def flood_http(self):
        held = [self._connect(self.web) for _ in range(80)]
        for number, client in enumerate(held):
            if client:
                send_or_gone(client, [b"GET /metrics HTTP/1.0\r\n\r\n", b"GET /li", b"\x16\x03"][number % 3])
        close(held)

    def flood_port(self):
        held = [self._connect(self.port) for _ in range(80)]
        for client in held[::2]:
            if client:
                send_or_gone(client, b"GET / HTTP/1.1\r\n")
        close(held)

    def flood_control(self):
        name = f"\0nodeinit/{os.stat(f'/proc/{self.pid1.pid}/ns/pid').st_ino}"
        held = []
        for number in range(60):
            client = socket.socket(socket.AF_UNIX)
            client.settimeout(2)
            held.append(client)
            try:
                client.connect(name)
            except OSError:
                continue
            send_or_gone(client, [b"", b'{"nodeinit":1,"verb":"status"}\n', b"\xff\n", b"{"][number % 4])
        close(held)

    def _connect(self, port):
        try:
            return socket.create_connection(("127.0.0.1", port), timeout=2)
        except OSError:
            return None

    def settle(self):
        """So many workers as at the start, all ready, nothing under way."""
        if self.group:
            self.group.set_memory(512 * MIB)
        deadline = time.monotonic() + 60
        is_scaled = False
        while not is_scaled or not self._is_at_rest():
            is_scaled = is_scaled or self.pid1.ctl("scale", str(WORKERS)).code == 0
            assert self.pid1.running(), self.pid1.told()
            assert time.monotonic() < deadline, f"not at rest: {self.pid1.ctl('status').out}\n{self.pid1.told()}"
            time.sleep(0.1)

    def _is_at_rest(self):
        told = self.pid1.ctl("status", "--json")
        if told.code != 0:
            return False
        (program,) = json.loads(told.out)["programs"]
        states = [slot["state"] for slot in program["slots"]]
        return not program.get("rolling") and states == ["ready"] * WORKERS and len(self.pid1.workers()) == WORKERS


def signal_or_gone(pid, number):
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        pass


def send_or_gone(client, data):
    try:
        client.sendall(data)
    except OSError:
        pass


def close(sockets):
    for each in sockets:
        if each:
            each.close()


def descriptors(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))


def resident(pid):
    """Bytes that it has written to: pages of the program file are shared, or not, with whoever else runs it."""
    found = re.findall(r"^Private_Dirty: +(\d+) kB", Path(f"/proc/{pid}/smaps_rollup").read_text(), re.MULTILINE)
    return sum(map(int, found)) << 10


def settled(question, limit, deadline=20):
    """The least that is seen until it is at most `limit`."""
    end = time.monotonic() + deadline
    least = question()
    while least > limit and time.monotonic() < end:
        time.sleep(0.1)
        least = min(least, question())
    return least


@pytest.fixture
def group():
    if not cgroup.available():
        yield None
        return
    with cgroup.Group(memory=512 * MIB) as made:
        yield made


@pytest.mark.timeout(LONG + 300)
def test_after_any_of_it_pid1_is_as_it_was(request, tmp_path, group):
    is_long = request.config.getoption("--long")
    seconds = float(os.environ.get("NODEINIT_CHAOS") or (LONG if is_long else SHORT))
    seed = int(os.environ.get("NODEINIT_SEED") or random.randrange(1 << 30))
    print(f"NODEINIT_SEED={seed}")
    (tmp_path / "app.js").write_text(SERVER)
    port, web = nodeinit.free_port(), nodeinit.free_port()
    env = {"PORT": port, "NODEINIT_WORKERS": WORKERS, "NODEINIT_HTTP": f"127.0.0.1:{web}", "NODEINIT_LOG": "lines",
           "NODEINIT_RESTART_BACKOFF": "1ms..20ms", "NODEINIT_RESTART_LIMIT": "1000/60s"}  # fmt: skip
    with nodeinit.start([node.path(24), "app.js"], env=env, cwd=tmp_path, group=group) as pid1:
        chaos = Chaos(pid1, port, web, group, seed)
        for slot in range(WORKERS):
            pid1.wait_line(rf"slot {slot}: worker \d+ is ready")
        rounds, figures = 0, []
        with http.NamedClients(port, 12, pause=0.002) as clients, Probe(web) as probe:
            end = time.monotonic() + seconds
            while time.monotonic() < end or rounds < WARM + 2:
                chaos.round()
                chaos.settle()
                rounds += 1
                # Whatever is opened once is so after the first rounds.
                most = figures[WARM][0] if len(figures) > WARM else 0
                figures.append((settled(lambda: descriptors(pid1.pid), most, 20 if most else 0.5), resident(pid1.pid)))
                assert not settled(lambda: len(pid1.zombies()), 0), pid1.zombies()
        explain(chaos, clients, probe, tmp_path, rounds, figures)
        began = time.monotonic()
        assert pid1.stop() == 0, pid1.told()
        print(f"stopped within {time.monotonic() - began:.1f} s")


def explain(chaos, clients, probe, folder, rounds, figures):
    notes = [folder / f"notes.{pid}" for pid in chaos.killed]
    accepted = {line for file in notes if file.exists() for line in file.read_text().split()}
    unknown = {address: seen for address, seen in clients.lost.items() if address not in accepted}
    kills = len(chaos.killed)
    print(f"{rounds} rounds: {dict(chaos.done)}; {clients.answered} answered, "
          f"lost {dict(collections.Counter(clients.lost.values()))}, without a note: {unknown}; "
          f"{probe.asked} probes, slowest {probe.slowest:.2f} s; (descriptors, bytes): {figures[:3]} … {figures[-3:]}")  # fmt: skip
    assert clients.answered > 100
    assert set(clients.lost.values()) <= {"reset", "cut"}, clients.lost
    # A worker may die between accept(2) and its note: at most one of each.
    assert len(unknown) <= kills, unknown
    assert not probe.failed and probe.slowest < 5, (probe.failed, probe.slowest)
    before, after = figures[WARM], figures[-1]
    assert after[0] <= before[0] + 2, f"descriptors: {[each[0] for each in figures]}"
    # Rings of events and of log lines fill up once: half a MiB, whatever comes; then nothing for each round.
    assert after[1] <= before[1] + MIB + 64 * rounds, f"bytes: {[each[1] for each in figures]}"
