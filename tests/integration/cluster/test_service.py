"""Real services from npm, unmodified, under nodeinit as PID 1, for a client that counts every error."""

import json
import os
import signal
import time

import pytest
from support import http, nodeinit, wrk

WORKERS = 2
APPS = ["express", "fastify"]


def serving(place, app, **env):
    """Started, and every worker has answered."""
    port = nodeinit.free_port()
    pid1 = place(app, {"PORT": port} | env)
    pid1.wait_port(port)
    pid1.wait_for(lambda: len(pid1.workers()) == WORKERS, what=f"{WORKERS} workers")
    answered = set()

    def all_answered():
        answered.add(http.get(port).json()["pid"])
        return len(answered) == WORKERS

    pid1.wait_for(all_answered, what=f"answers of {WORKERS} workers")
    return pid1, port


@pytest.mark.parametrize("app", APPS)
def test_all_workers_share_the_port_and_wrk_sees_no_error(place, app):
    pid1, port = serving(place, app)
    first = http.get(port).json()
    assert first["app"] == app
    assert first["worker"] > 0, "the program must see itself as a cluster worker"
    assert first["slot"] in {"0", "1"}
    for keep_alive in (True, False):
        report = wrk.run(port, seconds=3, connections=32, keep_alive=keep_alive)
        assert report.requests > 100
        assert report.failed == 0, report.text
    assert not pid1.zombies()
    assert pid1.stop() == 0, pid1.told()


@pytest.mark.parametrize("app", APPS)
def test_a_killed_worker_is_replaced_while_the_port_never_refuses(place, app):
    pid1, port = serving(place, app)
    with http.Load(port, clients=4, keep_alive=False, pause=0.005) as load:
        for _ in range(3):
            before = {worker.pid for worker in pid1.workers()}
            answered = load.tally.ok
            victim = sorted(before)[0]
            os.kill(victim, signal.SIGKILL)
            pid1.wait_for(lambda: replaced(pid1, before, victim), what="a new worker")
            pid1.wait_for(lambda: load.tally.ok > answered + 50, what="answers after the death")
    tally = load.tally
    # A request which the dead worker was answering is lost with it; a connection that waited is not.
    lost = tally.errors.pop("reset", 0) + tally.errors.pop("empty", 0)
    assert lost <= 3 * 4, tally
    assert not tally.errors, tally
    nodeinit.wait_for(lambda: not pid1.zombies(), 5, "no zombies")
    assert pid1.stop() == 0, pid1.told()


def replaced(pid1, before, victim):
    now = {worker.pid for worker in pid1.workers()}
    return len(now) == WORKERS and victim not in now and now != before


@pytest.mark.parametrize("app", APPS)
def test_a_worker_that_leaves_by_itself_is_replaced(place, app):
    pid1, port = serving(place, app)
    gone = {worker.pid for worker in pid1.workers()}
    with pytest.raises(http.Failure):
        http.get(port, "/exit?code=3")
    pid1.wait_for(lambda: {w.pid for w in pid1.workers()} - gone and len(pid1.workers()) == WORKERS)
    assert http.get(port).status == 200
    assert pid1.stop() == 0, pid1.told()


@pytest.mark.parametrize("app", APPS)
def test_requests_of_two_seconds_in_flight_survive_sigterm(place, app):
    pid1, port = serving(place, app)
    requests = http.burst(port, "/slow?ms=2000", 8)
    time.sleep(0.7)  # they have been accepted: nothing tells from outside
    began = time.monotonic()
    assert pid1.stop() == 0, pid1.told()
    took = time.monotonic() - began
    assert [(r.result().status, r.result().body) for r in requests] == [(200, b"done")] * 8
    assert 1 < took < 6, f"stopped after {took:.1f} s"


@pytest.mark.parametrize("app", APPS)
def test_a_stop_under_load_loses_no_request(place, app):
    pid1, port = serving(place, app)
    with http.Load(port, clients=4, pause=0.002) as load:
        pid1.wait_for(lambda: load.tally.ok > 100)
        assert pid1.stop() == 0, pid1.told()
    # When it has ended the port refuses, of course; until then every request is answered.
    load.tally.errors.pop("refused", None)
    assert not load.tally.errors, load.tally


@pytest.mark.parametrize("app", APPS)
def test_the_limits_of_the_group_are_seen_and_said(place, app):
    pid1, port = serving(place, app)
    started = pid1.err
    assert "1.5" in started and "2 workers" in started, started
    heaps = {a for w in pid1.workers() for a in w.arguments if a.startswith("--max-old-space-size=")}
    # (768 - 38.4 MiB) / 2 - 40 - 3 * 4
    assert heaps == {"--max-old-space-size=312"}, heaps
    assert pid1.stop() == 0


def test_explain_gives_the_plan_as_json(place):
    port = nodeinit.free_port()
    pid1 = place("express", {"PORT": port}, options=("--explain", "--json"))
    assert pid1.wait() == 0, pid1.told()
    plan = json.loads(pid1.out)
    assert plan["cpu_limit"] == 1.5
    assert plan["memory_limit"] == 768 << 20
    assert plan["workers"] == WORKERS
    assert plan["heap_mb"] == 312
    assert not pid1.workers()


def test_a_second_sigterm_stops_at_once(place):
    pid1, port = serving(place, "express", NODEINIT_GRACE="25s")
    hanging = http.burst(port, "/slow?ms=60000", 2, timeout=30)
    time.sleep(0.5)
    pid1.send(signal.SIGTERM)
    time.sleep(1.2)
    assert pid1.running()
    began = time.monotonic()
    pid1.stop(timeout=10)
    assert time.monotonic() - began < 5
    for request in hanging:
        with pytest.raises(http.Failure):
            request.result()


def test_what_hangs_is_killed_within_the_grace_and_the_code_says_so(place):
    pid1, port = serving(place, "express", NODEINIT_GRACE="3s")
    hanging = http.burst(port, "/slow?ms=60000", 1, timeout=30)
    (worker,) = [w for w in pid1.workers()][:1]
    os.kill(worker.pid, signal.SIGSTOP)  # neither the disconnect act nor SIGTERM moves it
    began = time.monotonic()
    code = pid1.stop(timeout=10)
    assert time.monotonic() - began < 5
    assert code == 137, pid1.told()
    del hanging
