"""Spares: loaded and parked, promoted by an answer; and the ways to be ready."""

import json
import os
import signal
import time

import pytest
from support import http


def loaded(service):
    return service.pid1.err.count("is loaded and waits")


@pytest.mark.parametrize("major", [20, 22, 24, "newest"])
def test_a_spare_waits_for_ever_serves_nobody_and_takes_a_dead_workers_place(start, major):
    service = start(major=major, NODEINIT_SPARES=1, NODEINIT_READY_TIMEOUT="1s")
    service.pid1.wait_line("spare: worker \\d+ is loaded and waits")
    time.sleep(2.5)  # more than the ready timeout
    before = service.pids()
    assert len(before) == 3 and "was not ready" not in service.pid1.err
    assert len({service.ask()["pid"] for _ in range(40)}) == 2, "the spare serves nobody"
    (program,) = json.loads(service.pid1.ctl("status", "--json").out)["programs"]
    assert program["spares"] == {"wanted": 1, "ready": 1, "deaths": 0}
    assert "1 of 1 spares" in service.pid1.ctl("status").out
    os.kill(min(before), signal.SIGKILL)
    service.pid1.wait_line(r"slot 0: worker \d+ was a spare and takes the slot")
    service.pid1.wait_for(lambda: loaded(service) == 2, what="the next spare")
    service.pid1.wait_for(lambda: len({service.ask()["pid"] for _ in range(40)}) == 2)
    numbers = lambda: {service.ask()["slot"] for _ in range(40)}
    service.pid1.wait_for(lambda: numbers() == {"0", "1"}, what="the numbers that serve are whole again")
    assert service.pid1.stop() == 0, service.pid1.told()


def test_a_reload_renews_the_spare_and_loses_nothing(start):
    service = start(NODEINIT_SPARES=1)
    service.pid1.wait_for(lambda: loaded(service) == 1)
    before = service.pids()
    with http.Load(service.port, "/slow?ms=20", clients=8) as kept:
        service.pid1.send(signal.SIGHUP)
        service.pid1.wait_line("reload done")
    service.pid1.wait_for(lambda: len(service.pids()) == 3)
    assert not before & service.pids()
    assert (dict(kept.tally.errors), kept.tally.stale) == ({}, 0), kept.tally
    assert service.pid1.stop() == 0, service.pid1.told()


def test_a_spare_is_used_when_the_container_grows(start):
    service = start(NODEINIT_SPARES=1)
    service.pid1.wait_for(lambda: loaded(service) == 1)
    service.pid1.send(signal.SIGTTIN)
    service.pid1.wait_line("slot 2: worker \\d+ was a spare and takes the slot")
    service.pid1.wait_for(lambda: loaded(service) == 2)
    assert len(service.pids()) == 4


def test_workers_are_ready_by_their_message(start, tmp_path):
    script = tmp_path / "server.js"
    script.write_text(
        "require('http').createServer((q, r) => r.end('{}')).listen(+process.env.PORT,"
        " () => setTimeout(() => process.send('ready'), 700));"
    )
    service = start(script=script, ready=False, NODEINIT_READY="message")
    service.pid1.wait_port(service.port)
    assert not service.is_ready()
    service.wait_ready()
    assert service.is_ready()
    assert service.pid1.stop() == 0, service.pid1.told()


def test_consumers_that_listen_on_nothing_are_ready_when_online(start, tmp_path):
    script = tmp_path / "consumer.js"
    script.write_text("setInterval(() => {}, 1000);")
    service = start(workers=3, script=script, NODEINIT_READY="online", NODEINIT_RESTART_BACKOFF="50ms..100ms")
    assert len(service.pids()) == 3 and service.is_ready()
    before = service.pids()
    os.kill(max(before), signal.SIGKILL)
    service.wait_replaced(before)
    assert service.pid1.stop() == 0, service.pid1.told()
