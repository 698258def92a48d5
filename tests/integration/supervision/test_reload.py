"""Rolling reloads of a service without any signal code of its own, watched by a client that forgives nothing: a
kept-alive connection that is closed between two requests counts as an error too."""

import json
import signal
import time

import pytest
from support import http, node, nodeinit

SERVICE = """
const http = require('http');
http.createServer((request, response) => {
  setTimeout(() => response.end(JSON.stringify({pid: process.pid})), 1 + Math.floor(Math.random() * 200));
}).listen(+process.env.PORT);
"""
BROKEN = {
    "throws": "throw new Error('broken release');",
    "exits": "process.exit(3);",
    "never listens": "setInterval(() => {}, 1000);",
}
WORKERS = 2


@pytest.fixture
def service(tmp_path):
    """A function: the service runs under nodeinit on this Node; gives (pid1, port, file of its script)."""
    opened = []

    def start(major, **env):
        script = tmp_path / "server.js"
        script.write_text(SERVICE)
        port = nodeinit.free_port()
        settings = {"PORT": port, "NODEINIT_WORKERS": WORKERS, "NODEINIT_GRACE": "10s"} | env
        pid1 = nodeinit.start([node.path(major), str(script)], env=settings)
        opened.append(pid1)
        for slot in range(WORKERS):
            pid1.wait_line(rf"slot {slot}: worker \d+ is ready")
        return pid1, port, script

    yield start
    for pid1 in opened:
        pid1.close()


def reload_and_wait(pid1, ends="reload done", deadline=60):
    before = pid1.err.count(ends)
    pid1.send(signal.SIGHUP)
    pid1.wait_for(lambda: pid1.err.count(ends) > before, deadline=deadline, what=ends)


@pytest.mark.parametrize("major", [20, 22, 24, "newest"])
def test_reloads_under_load_cost_no_request(service, major, reloads):
    pid1, port, _ = service(major)
    with http.Load(port, clients=32, keep_alive=True) as kept, http.Load(port, clients=32, keep_alive=False) as short:
        for _ in range(reloads):
            before = {worker.pid for worker in pid1.workers()}
            reload_and_wait(pid1)
            assert not before & {worker.pid for worker in pid1.workers()}, "every worker is a new one"
    for tally in (kept.tally, short.tally):
        assert tally.ok > 100
        assert (dict(tally.errors), tally.stale) == ({}, 0), tally
    assert pid1.stop() == 0, pid1.told()


@pytest.mark.parametrize("broken", BROKEN)
def test_a_broken_release_costs_nothing_and_the_old_one_goes_on(service, broken):
    pid1, port, script = service(22, NODEINIT_READY_TIMEOUT="2s")
    before = {worker.pid for worker in pid1.workers()}
    with http.Load(port, clients=4, keep_alive=True) as kept, http.Load(port, clients=4, keep_alive=False) as short:
        script.write_text(BROKEN[broken])
        reload_and_wait(pid1, ends="reload failed")
        time.sleep(0.5)
        assert {worker.pid for worker in pid1.workers()} == before
        script.write_text(SERVICE)
        reload_and_wait(pid1)
    for tally in (kept.tally, short.tally):
        assert (dict(tally.errors), tally.stale) == ({}, 0), tally
    assert pid1.stop() == 0, pid1.told()


def test_surge_0_takes_one_worker_down_at_a_time(service):
    pid1, port, _ = service(22, NODEINIT_SURGE=0)
    with http.Load(port, clients=8, keep_alive=False) as short:
        reload_and_wait(pid1)
    assert not short.tally.errors, short.tally
    assert pid1.stop() == 0, pid1.told()


def test_scaling_by_signals_loses_no_request_and_keeps_slot_0(service):
    pid1, port, _ = service(22)
    leader = min(worker.pid for worker in pid1.workers())
    with http.Load(port, clients=8, keep_alive=True) as kept:
        pid1.send(signal.SIGTTIN)
        pid1.wait_line(r"slot 2: worker \d+ is ready")
        for _ in range(4):
            pid1.send(signal.SIGTTOU)
            time.sleep(0.2)
        pid1.wait_for(lambda: [worker.pid for worker in pid1.workers()] == [leader], what="slot 0 alone")
    assert (dict(kept.tally.errors), kept.tally.stale) == ({}, 0), kept.tally
    assert pid1.stop() == 0, pid1.told()


@pytest.fixture
def configured(tmp_path):
    """A service by a configuration file: (pid1, a function that writes the file with these settings on top)."""
    script, config, port = tmp_path / "server.js", tmp_path / "nodeinit.toml", nodeinit.free_port()
    script.write_text(SERVICE)

    def write(**settings):
        lines = {"workers": WORKERS, "command": [node.path(22), str(script)]} | settings
        config.write_text("".join(f"{key} = {json.dumps(value)}\n" for key, value in lines.items()))

    write(grace="9s")
    with nodeinit.start([], env={"PORT": port, "NODEINIT_CONFIG": config}) as pid1:
        for slot in range(WORKERS):
            pid1.wait_line(rf"slot {slot}: worker \d+ is ready")
        yield pid1, write


def test_a_reload_applies_what_has_changed(configured, tmp_path):
    pid1, write = configured
    write(grace="4s", stop_delay="100ms", signals=["USR2=reload"], post_stop=f"touch {tmp_path}/after")
    done = pid1.ctl("reload")
    assert done.code == 0 and "not to be had" not in done.out
    pid1.wait_line("in force from now on: grace, stop_delay, signals, post_stop$")
    pid1.send(signal.SIGUSR2)
    pid1.wait_for(lambda: pid1.err.count("reload done") == 2)
    assert pid1.stop() == 0
    assert "2 workers to end within 4s" in pid1.err
    assert (tmp_path / "after").exists()


def test_a_reload_names_what_it_cannot_apply(configured):
    pid1, write = configured
    write(grace="9s", balance="client-ip", http=f"127.0.0.1:{nodeinit.free_port()}", surge=2)
    for _ in range(2):  # the second time, too: it is still not in force
        done = pid1.ctl("reload")
        assert done.code == 0
        assert done.out.rstrip().endswith("changed, but not to be had without a new container: http, balance")
    assert pid1.err.count("in force from now on: surge") == 1
    write(grace="9s")
    assert "not to be had" not in pid1.ctl("reload").out


def test_a_wrong_configuration_refuses_the_reload_whole(configured):
    pid1, write = configured
    write(grace="soon", surge=2)
    done = pid1.ctl("reload")
    assert done.code == 1 and "grace" in done.err
    assert pid1.stop() == 0
    assert "2 workers to end within 9s" in pid1.err
