"""A program's own shutdown runs to its end: in a stop, a reload and a scale-down, in every slot, by the signal that came."""

import os
import signal
import socket
import time

import pytest
from support.crowd import MAJORS, Crowd, seconds


OWN = """
const server = require('http').createServer((q, r) => setTimeout(() => r.end('ok'), +q.url.slice(1) || 0))
  .listen(+process.env.PORT, '127.0.0.1');
process.on('SIGTERM', () => {
  console.log('handler', process.connected, server.listening, server.address().port === +process.env.PORT);
  if (process.send) process.send('bye');
  server.close((error) => {
    console.log('closed', error ? error.code : 'well');
    setTimeout(() => { console.log('cleaned'); process.exit(0); }, 50);
  });
});
"""
TIMER = "setInterval(() => {}, 1000);\n"


def count(pid1, text):
    return pid1.out.count(text)


@pytest.mark.parametrize("major", MAJORS)
@pytest.mark.parametrize("first", ["", TIMER], ids=["empty-loop", "timer"])
@pytest.mark.parametrize("how", ["stop", "reload"])
def test_the_handler_finds_its_server_open_and_its_channel_alive(program, major, first, how):
    pid1, _ = program(first + OWN, major)
    if how == "stop":
        assert seconds(lambda: pid1.stop(signal.SIGTERM)) < 5
        assert pid1.wait(5) == 0
    else:
        assert pid1.ctl("reload").code == 0
    assert count(pid1, "handler true true true") == 2
    assert count(pid1, "closed well") == 2
    assert count(pid1, "cleaned") == 2


def test_a_worker_that_is_scaled_away_shuts_itself_down(program):
    pid1, _ = program(OWN)
    assert pid1.ctl("scale", "1").code == 0
    pid1.wait_line("cleaned", "out")
    assert count(pid1, "closed well") == 1


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGQUIT])
def test_the_signal_is_the_one_that_came(program, number):
    name = signal.Signals(number).name
    pid1, _ = program(OWN + f"process.on('{name}', () => {{ console.log('got {name}'); process.exit(0); }});\n")
    pid1.stop(number)
    assert count(pid1, f"got {name}") == 2


def test_a_program_that_handles_only_sigint_gets_it(program):
    pid1, _ = program(OWN.replace("SIGTERM", "SIGINT"))
    assert pid1.stop(signal.SIGTERM) == 0
    assert count(pid1, "cleaned") == 2


def test_a_chosen_stop_signal_is_the_only_one(program):
    pid1, _ = program(OWN.replace("SIGTERM", "SIGUSR2"), NODEINIT_STOP_SIGNAL="USR2")
    assert pid1.ctl("reload").code == 0
    assert count(pid1, "cleaned") == 2
    assert pid1.stop(signal.SIGTERM) == 0
    assert count(pid1, "cleaned") == 4


@pytest.mark.parametrize("number", [signal.SIGPWR, signal.SIGRTMIN + 3])
def test_what_lxc_and_podman_send_is_a_stop(program, number):
    pid1, _ = program(OWN)
    assert pid1.stop(number) == 0
    assert count(pid1, "cleaned") == 2


def test_a_handler_that_exits_at_once_cuts_no_request(program):
    exits = OWN[: OWN.index("process.on")] + "process.on('SIGTERM', () => process.exit(0));\n"
    pid1, port = program(exits)
    crowd = Crowd(port, ["/700"] * 6)
    time.sleep(0.3)
    pid1.send(signal.SIGTERM)
    assert not crowd.lost()
    assert pid1.wait(5) == 0


STREAM = """
require('http').createServer((q, r) => {
  r.writeHead(200, {'content-type': TYPE});
  r.write('data: 1\\n\\n');
  setInterval(() => r.write('x'), 100).unref();
}).listen(+process.env.PORT, '127.0.0.1');
HANDLER
"""
HEARS = "process.on('SIGTERM', () => { console.log('heard'); process.exit(0); });"


@pytest.mark.parametrize("kind, handler, least, most", [
    ("'text/event-stream'", HEARS, 0, 1.5),
    ("'application/octet-stream'", HEARS, 1.5, 4.5),  # for all that is known a request: until the bound
    ("'text/event-stream'", "", 1.5, 4.5),
])  # fmt: skip
def test_a_stream_does_not_hold_up_a_stop(program, kind, handler, least, most):
    pid1, port = program(STREAM.replace("TYPE", kind).replace("HANDLER", handler), workers=1, NODEINIT_GRACE="28s")
    with socket.create_connection(("127.0.0.1", port)) as client:
        client.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        assert b"data: 1" in client.recv(1000) + client.recv(1000)
        took = seconds(lambda: pid1.stop(signal.SIGTERM))
    assert least <= took < most
    assert ("heard" in pid1.out) == bool(handler)


def test_a_platform_that_signals_every_process_gives_the_program_one_signal(program):
    pid1, port = program("""
let n = 0;
const s = require('http').createServer((q, r) => setTimeout(() => r.end('ok'), 1500)).listen(+process.env.PORT, '127.0.0.1');
process.on('SIGTERM', () => { if (n++) { console.log('second'); process.exit(1); } s.close(() => process.exit(0)); });
""")
    crowd = Crowd(port, ["/"] * 4)
    time.sleep(0.4)
    pid1.send(signal.SIGTERM)
    for worker in pid1.workers():
        os.kill(worker.pid, signal.SIGTERM)
    assert not crowd.lost()
    assert pid1.wait(10) == 0
    assert "second" not in pid1.out


def test_a_handler_that_only_flushes_does_not_keep_the_program(program):
    pid1, _ = program("""
require('http').createServer((q, r) => r.end('ok')).listen(+process.env.PORT, '127.0.0.1');
process.on('SIGTERM', () => console.log('flushed'));
""", NODEINIT_GRACE="20s")
    assert seconds(lambda: pid1.stop(signal.SIGTERM)) < 5
    assert pid1.wait(5) == 0
    assert count(pid1, "flushed") == 2


def test_a_program_without_a_handler_is_not_waited_for(program):
    pid1, _ = program(TIMER + "require('http').createServer((q, r) => r.end()).listen(+process.env.PORT, '127.0.0.1');")
    assert seconds(lambda: pid1.stop(signal.SIGTERM)) < 2
    assert pid1.wait(5) == 0


def test_a_deaf_module_is_no_module(program):
    pid1, _ = program(OWN + "server.once('listening', () => setTimeout(() => process.removeAllListeners('internalMessage'), 200));\n")
    time.sleep(0.5)
    pid1.stop(signal.SIGTERM)
    assert count(pid1, "handler") == 2, "late, not never"


@pytest.mark.parametrize("style", ["auto", "signal"])
def test_a_program_that_ends_by_its_empty_loop_ends_in_every_slot(program, style):
    pid1, _ = program("""
const s = require('http').createServer((q, r) => r.end('ok')).listen(+process.env.PORT, '127.0.0.1');
process.on('SIGTERM', () => s.close());
""", NODEINIT_STOP=style)
    assert seconds(lambda: pid1.stop(signal.SIGTERM)) < 3
    assert pid1.wait(5) == 0


def test_a_worker_that_somebody_else_kills_by_sigint_is_a_death_like_any_other(program):
    pid1, _ = program(OWN)
    os.kill(pid1.workers()[0].pid, signal.SIGINT)
    pid1.wait_line("died: .*SIGINT")
    pid1.wait_for(lambda: pid1.err.count(" is ready") == 3)
