"""Ends of workers and of the container, one real program for each row of the table in docker/docs/behaviour.md."""

import os
import re
import signal
import time

import pytest
from support import http

QUICK = {"NODEINIT_RESTART_BACKOFF": "50ms..200ms"}


def ended_or_replaced(service, before):
    service.pid1.wait_for(lambda: service.pids() != before, what="an end")
    time.sleep(1)
    return service.pids()


LEAVING = {
    "exit 0": ("/exit?code=0", "left by itself"),
    "exit 3": ("/exit?code=3", "died: exit code 3|died: 3"),
    "kill()": ("/kill", "left by itself"),
    "disconnect()": ("/disconnect", "left by itself"),
}


@pytest.mark.parametrize("policy", ["always", "on-failure", "never"])
@pytest.mark.parametrize("how", LEAVING)
def test_whether_a_worker_that_leaves_is_replaced(start, policy, how):
    service = start(NODEINIT_RESTART=policy, **QUICK)
    before = service.pids()
    service.provoke(LEAVING[how][0])
    replaced = policy == "always" or (policy == "on-failure" and how == "exit 3")
    if replaced:
        assert len(service.wait_replaced(before)) == 1
        service.pid1.wait_for(service.is_ready)
    else:
        assert len(ended_or_replaced(service, before)) == 1
        assert service.ask()["pid"], "the other one serves"
    assert service.pid1.stop() == 0, service.pid1.told()


@pytest.mark.parametrize(("policy", "code", "ends"), [("on-failure", 0, 0), ("never", 0, 0), ("never", 7, 7)])
def test_when_nobody_is_to_be_replaced_the_container_ends(start, policy, code, ends):
    service = start(NODEINIT_RESTART=policy)
    for _ in range(2):
        service.pid1.wait_for(lambda: http.get(service.port).status == 200)
        service.provoke(f"/exit?code={code}")
        time.sleep(0.3)
    assert service.pid1.wait(10) == ends, service.pid1.told()


def test_a_stop_code_is_not_restarted(start):
    service = start(NODEINIT_STOP_CODES="42", **QUICK)
    before = service.pids()
    service.provoke("/exit?code=42")
    assert len(ended_or_replaced(service, before)) == 1
    service.provoke("/exit?code=42")
    assert service.pid1.wait(10) == 42, service.pid1.told()


def test_a_worker_that_disconnects_finishes_its_requests_in_its_slot(start):
    service = start(workers=1, **QUICK)
    (first,) = service.pids()
    slow = http.burst(service.port, "/slow?ms=1500", 1)
    time.sleep(0.3)
    service.provoke("/disconnect")
    time.sleep(0.5)
    assert service.pids() == {first}, "it keeps its slot while it finishes"
    assert not service.is_ready(), "and is not ready"
    assert slow[0].result().status == 200
    service.wait_replaced({first})
    service.pid1.wait_for(service.is_ready)
    assert service.ask()["pid"]


def test_who_closes_its_last_server_is_not_ready(start):
    service = start(workers=1)
    assert service.is_ready()
    service.ask("/close")
    service.pid1.wait_for(lambda: not service.is_ready())
    assert "closed its last server" in service.pid1.err
    assert service.pid1.stop() == 0, service.pid1.told()


def test_too_late_is_a_failure(start, tmp_path):
    script = tmp_path / "late.js"
    mark = tmp_path / "mark"
    script.write_text(
        f"const fs = require('fs'); const late = fs.existsSync('{mark}'); fs.writeFileSync('{mark}', '');"
        "setTimeout(() => require('http').createServer((q, r) => r.end('{}')).listen(+process.env.PORT), late ? 60000 : 1);"
        "setInterval(() => {}, 1000);"
    )
    service = start(workers=2, script=script, ready=False, NODEINIT_READY_TIMEOUT="1s", **QUICK)
    service.pid1.wait_line("slot 1: worker \\d+ was not ready within 1s")
    service.pid1.wait_line(r"slot 1: worker \d+ died: .*restarting in")
    assert service.is_ready(), "degraded, but the other one serves"


def test_during_the_stop_delay_all_is_served_and_readiness_is_false(start):
    service = start(NODEINIT_STOP_DELAY="1500ms")
    with http.Load(service.port, clients=4) as load:
        service.pid1.send(signal.SIGTERM)
        service.pid1.wait_for(lambda: not service.is_ready())
        answered = load.tally.ok
        time.sleep(0.8)
        assert load.tally.ok > answered + 20, "still serving"
        assert service.pid1.wait(10) == 0, service.pid1.told()
    load.tally.errors.pop("refused", None)
    assert (dict(load.tally.errors), load.tally.stale) == ({}, 0), load.tally


def test_who_left_the_group_is_killed_and_named_and_nothing_outlives_the_deadline(start):
    service = start(NODEINIT_GRACE="2s")
    service.ask("/daemon")
    service.pid1.wait_for(lambda: [p for p in service.pid1.processes() if p.name == "sh"])
    time.sleep(0.2)  # its trap is set
    began = time.monotonic()
    service.pid1.stop()
    assert time.monotonic() - began < 3.5
    assert re.search(r"SIGKILL to .*\d+ \(sh\)", service.pid1.err), service.pid1.told()


def test_a_second_signal_is_quick_and_names_whom_it_had_to_kill(start):
    service = start(NODEINIT_GRACE="20s")
    held = http.burst(service.port, "/slow?ms=60000", 2)
    victim = min(service.pids())
    os.kill(victim, signal.SIGSTOP)
    service.pid1.send(signal.SIGTERM)
    service.pid1.wait_line("stopping")
    service.pid1.send(signal.SIGTERM)  # so soon it is the same wish
    time.sleep(1.2)
    assert "quick stop" not in service.pid1.err
    began = time.monotonic()
    assert service.pid1.stop() == 137, service.pid1.told()
    assert 1 < time.monotonic() - began < 4
    assert re.search(r"slot \d: worker \d+ did not end in time: SIGKILL", service.pid1.err)
    del held


def test_slot_0_is_stable_and_the_highest_leaves_first(start):
    service = start(workers=3)
    leader = next(a for a in iter(service.ask, None) if a["slot"] == "0")["pid"]
    for number in (signal.SIGTTOU, signal.SIGTTOU):
        count = len(service.pids())
        service.pid1.send(number)
        service.pid1.wait_for(lambda: len(service.pids()) == count - 1)
    assert service.ask()["pid"] == leader
    service.pid1.send(signal.SIGTTIN)
    service.pid1.wait_for(lambda: {service.ask()["slot"] for _ in range(10)} == {"0", "1"})


@pytest.mark.parametrize("major", [20, 22, 24, "newest"])
def test_the_last_words_of_a_crash_loop_are_told(start, tmp_path, major):
    script = tmp_path / "server.js"
    mark = tmp_path / "mark"
    script.write_text(
        f"const fs = require('fs'); if (fs.existsSync('{mark}')) throw new TypeError('no database');"
        f"require('http').createServer().listen(0, () => {{ fs.writeFileSync('{mark}', ''); process.exit(1); }});"
    )
    service = start(script=script, major=major, ready=False, NODEINIT_RESTART_LIMIT="3/60s", **QUICK)
    assert service.pid1.wait() == 1
    assert "restart limit reached" in service.pid1.err
    assert re.search(r"restart limit reached.*TypeError: no database", service.pid1.err), service.pid1.told()


def test_a_killed_crash_loop_ends_with_128_and_the_signal(start, tmp_path):
    script = tmp_path / "server.js"
    script.write_text("require('http').createServer().listen(0, () => process.kill(process.pid, 'SIGSEGV'))")
    service = start(script=script, ready=False, NODEINIT_RESTART_LIMIT="3/60s", **QUICK)
    assert service.pid1.wait() == 139, service.pid1.told()
