"""Bun and Deno: which of their servers share a port under nodeinit, and how they stop."""

import pytest
from integration.primary import reach
from support import http, nodeinit, runtimes

# Each answers with its pid, at /slow when the test opens the gate.
NODE_HTTP = """
const work = require('./work.js');
require('http').createServer(work.handler).listen(Number(process.env.PORT));
"""
BUN_SERVE = """
const work = require('./work.js');
Bun.serve({ port: Number(process.env.PORT), reusePort: true, idleTimeout: 60, async fetch(request) {
  return Response.json(request.url.endsWith('/slow') ? await work.slow() : work.who());
}});
"""
DENO_SERVE = """
Deno.serve({ port: Number(Deno.env.get('PORT')), reusePort: REUSE }, () => Response.json({ pid: Deno.pid }));
"""
DENO = ["run", "--allow-all", "--unstable-net"]  # reusePort is an unstable API there


@pytest.fixture
def start(tmp_path):
    opened = []

    def begin(runtime, program, *options, name="app.cjs"):
        home = reach.home("apps", tmp_path)
        (tmp_path / name).write_text(program)
        port = nodeinit.free_port()
        command = [runtimes.path(runtime), *(DENO if runtime == "deno" else []), name]
        settings = ["--workers", "2", "--grace", "60s", *options]
        env = {"PORT": port, "GATE": home.gate, "DENO_DIR": tmp_path / "deno", "HOME": tmp_path}
        pid1 = nodeinit.start(command, settings, env, cwd=tmp_path)
        opened.append(pid1)
        pid1.port, pid1.gate = port, tmp_path / "gate"
        return pid1

    yield begin
    for pid1 in opened:
        pid1.close()


def wait_ready(pid1):
    for slot in range(2):
        pid1.wait_line(rf"slot {slot}: worker \d+ is ready", deadline=60)


def both_answer(pid1):
    both = {worker.inner_pid for worker in pid1.workers()}
    seen = set()

    def look():
        seen.add(http.get(pid1.port, "/api/who", timeout=20).json()["pid"])
        return seen == both

    pid1.wait_for(look, 60, "answers of both")


def stops_without_a_loss(pid1):
    (slow,) = http.burst(pid1.port, "/api/slow", 1, timeout=60)
    nodeinit.wait_for(lambda: pid1.gate.with_name("gate.reached").exists(), 30, "the slow request's arrival")
    pid1.send(15)
    pid1.wait_line("stopping: SIGTERM")
    pid1.gate.touch()
    assert slow.result(60).status == 200
    assert pid1.wait(30) == 0, pid1.told()  # long before the grace is over


@pytest.mark.parametrize("runtime, program", [
    ("bun", NODE_HTTP), ("bun", BUN_SERVE), ("deno", NODE_HTTP),
], ids=["bun node:http", "Bun.serve", "deno node:http"])  # fmt: skip
def test_two_workers_answer_and_a_stop_loses_no_request(start, runtime, program):
    pid1 = start(runtime, program, "--mode", "cluster")
    wait_ready(pid1)
    both_answer(pid1)
    stops_without_a_loss(pid1)


def test_deno_serve_shares_its_port_when_it_says_so(start):
    pid1 = start("deno", DENO_SERVE.replace("REUSE", "true"), "--mode", "cluster", name="app.mjs")
    wait_ready(pid1)
    both_answer(pid1)
    assert pid1.stop() == 0


def test_deno_serve_alone_is_one_worker_and_the_fix_is_named(start):
    pid1 = start("deno", DENO_SERVE.replace("REUSE", "false"), "--mode", "cluster", name="app.mjs")
    pid1.wait_line("shares it with nobody .*: only one worker can run, not 2; listen with `reusePort: true`")
    pid1.wait_line(r"slot 0: worker \d+ is ready")
    assert len(pid1.workers()) == 1
    assert pid1.stop() == 0


@pytest.mark.parametrize("runtime", ["bun", "deno"])
def test_without_a_mode_they_are_one_process_and_the_fix_is_named(start, runtime):
    pid1 = start(runtime, NODE_HTTP)
    pid1.wait_line(f"{runtime} runs as one process; NODEINIT_MODE=cluster has several share the port")
    pid1.wait_port(pid1.port)
    assert len(pid1.workers()) == 1
