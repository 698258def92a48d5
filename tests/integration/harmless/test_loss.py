"""Nothing in flight is cut by a stop or a reload: under a busy loop, at every length, whoever asks."""

import http.client
import signal
import socket
import threading
import time
import urllib.request

import pytest
from support import nodeinit
from support.crowd import MAJORS, Crowd, seconds


BUSY = """
require('http').createServer((q, r) => { const end = Date.now() + +q.url.slice(1); while (Date.now() < end); r.end('ok'); })
  .listen(+process.env.PORT, '127.0.0.1');
"""
SLOW = """
require('http').createServer((q, r) => setTimeout(() => r.end('ok'), +q.url.slice(1) || 0))
  .listen(+process.env.PORT, '127.0.0.1');
"""


@pytest.mark.parametrize("major", MAJORS)
@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGHUP], ids=["stop", "reload"])
def test_what_lies_unread_before_a_busy_loop_is_answered(program, major, how):
    pid1, port = program(BUSY, major)
    crowd = Crowd(port, ["/100"] * 60)
    time.sleep(0.25)
    pid1.send(how)
    assert not crowd.lost()


@pytest.mark.parametrize("balance", ["shared", "round-robin"])
def test_the_same_however_connections_are_spread(program, balance):
    pid1, port = program(BUSY, NODEINIT_BALANCE=balance)
    crowd = Crowd(port, ["/50"] * 40)
    time.sleep(0.25)
    pid1.send(signal.SIGTERM)
    assert not crowd.lost()


@pytest.mark.parametrize("how", ["stop", "reload"])
def test_a_request_has_the_time_that_the_grace_says(program, how):
    pid1, port = program(SLOW, NODEINIT_GRACE="4s")
    crowd = Crowd(port, ["/3200"])
    time.sleep(0.2)
    pid1.send(signal.SIGTERM if how == "stop" else signal.SIGHUP)
    assert not crowd.lost()


def test_a_reload_waits_longer_than_the_grace(program):
    pid1, port = program(SLOW, NODEINIT_GRACE="1s")
    crowd = Crowd(port, ["/2500"])
    time.sleep(0.2)
    assert pid1.ctl("reload").code == 0
    assert not crowd.lost()


def test_a_drain_of_its_own_length_ends_in_time(program):
    pid1, port = program(SLOW, NODEINIT_DRAIN="1s")
    Crowd(port, ["/20000"])
    time.sleep(0.2)
    assert seconds(lambda: pid1.stop(signal.SIGTERM)) < 4
    assert "drain cut off" in pid1.err


def test_a_reload_that_had_to_cut_says_so_in_every_place(program):
    web = nodeinit.free_port()
    pid1, port = program(SLOW, NODEINIT_DRAIN="1s", NODEINIT_HTTP=f"127.0.0.1:{web}")
    Crowd(port, ["/20000"])
    time.sleep(0.2)
    reload = pid1.ctl("reload")
    assert reload.code == 1
    assert "reloaded, but what 1 old worker had in flight was cut off (NODEINIT_DRAIN)" in reload.err
    pid1.wait_line("every worker is a new one, but what 1 old worker had in flight was cut off")
    assert pid1.ctl("reload").code == 0
    with urllib.request.urlopen(f"http://127.0.0.1:{web}/metrics", timeout=5) as metrics:
        told = metrics.read().decode()
    cut = [line.split()[-1] for line in told.splitlines() if line.startswith("nodeinit_worker_drains_cut_off_total{")]
    assert sorted(cut) == ["0", "1"]
    assert 'nodeinit_rollouts_total{program="node",result="succeeded"} 2\n' in told
    assert 'nodeinit_rollouts_total{program="node",result="failed"} 0\n' in told


def test_ctl_stop_returns_when_what_was_in_flight_is_answered(program):
    pid1, port = program(SLOW)
    crowd = Crowd(port, ["/2000"])
    time.sleep(0.2)
    stop = pid1.ctl("stop")
    assert not crowd.lost()
    assert stop.code == 0
    assert stop.out.splitlines()[-1] == "stopped: every worker has ended"
    assert pid1.wait(10) == 0


@pytest.mark.parametrize("first", ["ctl stop", "SIGINT"])
def test_another_kind_of_stop_does_not_hurry(program, first):
    pid1, port = program(SLOW)
    crowd = Crowd(port, ["/3000"])
    time.sleep(0.2)
    if first == "SIGINT":
        pid1.send(signal.SIGINT)
    else:
        threading.Thread(target=pid1.ctl, args=("stop",), daemon=True).start()
    pid1.wait_line("stopping")
    time.sleep(0.5)
    pid1.send(signal.SIGTERM)
    assert not crowd.lost()
    assert pid1.wait(10) == 0


def test_the_same_signal_again_hurries(program):
    pid1, port = program(SLOW)
    Crowd(port, ["/7000"])
    time.sleep(0.2)
    pid1.send(signal.SIGTERM)
    pid1.wait_line("stopping")
    time.sleep(1.2)
    assert seconds(lambda: pid1.stop(signal.SIGTERM)) < 3.5
    assert "quick stop" in pid1.err


def test_what_outlives_the_grace_is_said(program):
    pid1, port = program(SLOW, NODEINIT_GRACE="2s")
    Crowd(port, ["/9000"])
    time.sleep(0.2)
    pid1.stop(signal.SIGTERM)
    pid1.wait_line(r"drain cut off after .*: 1 request was still in flight")


def test_a_connection_that_never_asked_does_not_hold_up_a_reload(program):
    pid1, port = program(SLOW, workers=1)
    with socket.create_connection(("127.0.0.1", port)):
        time.sleep(0.2)
        assert seconds(lambda: pid1.ctl("reload")) < 5
    assert "reload done" in pid1.err


def test_idle_connections_linger_beside_a_reload_and_are_never_reset(program):
    pid1, port = program(SLOW)
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request("GET", "/")
    assert connection.getresponse().read() == b"ok"
    pid1.send(signal.SIGHUP)
    pid1.wait_for(lambda: pid1.err.count(" is ready") == 4)
    time.sleep(1)
    connection.request("GET", "/")
    assert connection.getresponse().status == 200
