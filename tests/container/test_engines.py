"""nodeinit in real container engines, as their users start it."""

import json
import os
import pty
import time

import pytest
from container.conftest import HARDENED, IMAGE
from support import http, nodeinit, wrk


def service(engine, app="express", flags=(), cpus="1.5", **env):
    """A hardened service that answers, and its port."""
    port = nodeinit.free_port()
    environment = [w for k, v in ({"PORT": port, "NODE_ENV": "production"} | env).items() for w in ("-e", f"{k}={v}")]
    container = engine.start(IMAGE, "node", f"{app}/server.js" if "." not in app else app, flags=[
        *HARDENED, "--cpus", cpus, "--memory", "512m", "--pids-limit", "256", *environment, *flags])  # fmt: skip

    def answers():
        assert container.state["Status"] == "running", container.logs()
        try:
            return http.get(port, timeout=1).status == 200
        except http.Failure:
            return False

    nodeinit.wait_for(answers, 30, "an answer")
    return container, port


def workers(container):
    """PIDs of the direct children of PID 1, as the host sees them; zombies are told apart."""
    pid1, live, zombies = container.pid, [], []
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                with open(f"/proc/{entry}/stat") as file:
                    fields = file.read().rsplit(")", 1)[1].split()
            except OSError:
                continue
            if int(fields[1]) == pid1:
                (zombies if fields[0] == "Z" else live).append(int(entry))
    return live, zombies


def count_is(container, wanted):
    nodeinit.wait_for(lambda: len(workers(container)[0]) == wanted, 20, f"{wanted} workers")


@pytest.mark.parametrize("app", ["express", "fastify"])
def test_a_hardened_service_serves_and_stops_without_a_lost_request(engine, app):
    container, port = service(engine, app)
    count_is(container, 2)
    with open(f"/proc/{container.pid}/status") as file:
        status = dict(line.rstrip("\n").split(":\t", 1) for line in file if ":\t" in line)
    assert status["Uid"].split()[0] == "10001"
    assert int(status["CapEff"], 16) == 0
    assert status["NoNewPrivs"] == "1"
    assert status["Seccomp"] == "2"
    report = wrk.run(port, seconds=2, connections=16)
    assert report.requests > 100 and report.failed == 0, report.text
    slow = http.burst(port, "/slow?ms=1500", 4)
    with http.Load(port, clients=2, pause=0.005) as load:
        nodeinit.wait_for(lambda: load.tally.ok > 20)
        code, took = container.stop(10)
    assert code == 0, container.logs()
    assert took < 8
    assert [request.result().status for request in slow] == [200] * 4
    load.tally.errors.pop("refused", None)  # after its end
    assert not load.tally.errors, load.tally


def test_a_killed_worker_is_replaced_and_no_zombie_is_left(engine):
    container, port = service(engine)
    count_is(container, 2)
    victim = workers(container)[0][0]
    with http.Load(port, clients=2, keep_alive=False, pause=0.005) as load:
        os.kill(victim, 9)
        nodeinit.wait_for(lambda: victim not in workers(container)[0] and len(workers(container)[0]) == 2)
        seen = load.tally.ok
        nodeinit.wait_for(lambda: load.tally.ok > seen + 20)
    assert "refused" not in load.tally.errors and "timeout" not in load.tally.errors, load.tally
    nodeinit.wait_for(lambda: not workers(container)[1], 5, "no zombies")
    assert container.stop()[0] == 0


def test_orphans_of_workers_are_reaped(engine):
    container, _ = service(engine, "orphans.js")
    time.sleep(3)
    nodeinit.wait_for(lambda: not workers(container)[1], 5, "no zombies")
    container.remove()


@pytest.mark.parametrize("code", [0, 7])
def test_a_one_shot_runs_once_and_its_code_is_the_containers(engine, code):
    assert engine.run(IMAGE, "node", "exit.js", code, flags=HARDENED).code == code


def test_codes_of_commands_that_cannot_run(engine):
    assert engine.run(IMAGE, "nothing", flags=HARDENED).code == 127
    assert engine.run(IMAGE, "/etc/passwd", flags=HARDENED).code == 126
    wrong = engine.run(IMAGE, "node", "exit.js", flags=[*HARDENED, "-e", "NODEINIT_WORKERS=many"])
    assert wrong.code == 78, wrong
    assert "NODEINIT_WORKERS" in wrong.err + wrong.out


@pytest.mark.parametrize("namespace", ["private", "host"])
def test_the_limits_are_found_in_either_cgroup_namespace(engine, namespace):
    done = engine.run(IMAGE, "--explain", "--json", "node", "express/server.js", flags=[
        *HARDENED, "--cgroupns", namespace, "--cpus", "1.5", "--memory", "512m"])  # fmt: skip
    assert done.code == 0, done
    plan = json.loads(done.out)
    assert (plan["cpu_limit"], plan["memory_limit"], plan["workers"]) == (1.5, 512 << 20, 2)


def test_a_terminal_belongs_to_the_command(engine):
    """`run -it image node`: the REPL works as if node were PID 1, and its code is passed on."""
    controller, terminal = pty.openpty()
    words = ["run", "--rm", "-it", *engine.run_flags, *HARDENED, IMAGE, "node"]
    import subprocess

    process = subprocess.Popen([*engine.base(), *words], env=engine.environment() | {"TERM": "xterm"},
                               stdin=terminal, stdout=terminal, stderr=terminal, start_new_session=True)  # fmt: skip
    os.close(terminal)
    said = b""

    def until(wanted):
        nonlocal said
        end = time.monotonic() + 30
        while wanted not in said:
            assert time.monotonic() < end, said
            said += os.read(controller, 4096)

    try:
        until(b"> ")
        os.write(controller, b"6 * 7\r")
        until(b"42")
        os.write(controller, b"process.exit(process.stdin.isTTY ? 9 : 1)\r")
        assert process.wait(30) == 9
    finally:
        process.kill()
        process.wait()
        os.close(controller)


def test_npm_start_is_resolved_without_npm(engine):
    port = nodeinit.free_port()
    container = engine.start(IMAGE, "npm", "start", flags=[*HARDENED, "-e", f"PORT={port}", "--cpus", "2"])
    nodeinit.wait_for(lambda: answers(port), 30, "an answer")
    count_is(container, 2)
    assert container.stop()[0] == 0, container.logs()


def test_in_the_hosts_pid_namespace_it_is_not_pid_1_and_still_reaps(engine):
    container, _ = service(engine, "orphans.js", flags=["--pid", "host"])
    assert container.pid != 1
    time.sleep(2)
    nodeinit.wait_for(lambda: not workers(container)[1], 5, "no zombies")
    assert container.stop()[0] == 0, container.logs()


def test_two_containers_share_a_network_namespace(engine):
    (first, one), (second, other) = service(engine), service(engine, "fastify")
    assert http.get(one).json()["app"] == "express"
    assert http.get(other).json()["app"] == "fastify"
    assert first.stop()[0] == 0
    assert http.get(other).json()["app"] == "fastify"
    assert second.stop()[0] == 0


def test_memory_that_runs_out_is_137_and_pid_1_survives_to_say_so(engine):
    done = engine.run(IMAGE, "node", "hog.js", flags=[*HARDENED, "--memory", "128m", "--memory-swap", "128m"])
    assert done.code == 137, done


def test_docker_restarts_a_crash_loop_as_its_policy_says(engine):
    if engine.name != "docker":
        pytest.skip("podman's restart policy needs its own cleanup process")
    container = engine.start(IMAGE, "node", "exit.js", 3, flags=[*HARDENED, "--restart", "on-failure:2"])
    nodeinit.wait_for(lambda: container.inspect()["RestartCount"] == 2 and not container.state["Running"], 30)
    assert container.state["ExitCode"] == 3


def answers(port):
    try:
        return http.get(port, timeout=1).status == 200
    except http.Failure:
        return False
