"""nodeinit in real container engines, as their users start it: life, ends, namespaces, terminals."""

import json
import os

import pytest
from container.conftest import HARDENED, IMAGE
from container.life import answers, count_is, no_zombies, service, terminal, workers
from support import http, nodeinit, wrk


def shows(row):
    return pytest.mark.shows(row)


@shows("uid 10001, read-only root with node alone, no capabilities, no-new-privileges, seccomp: serves")
@pytest.mark.parametrize("app", ["express", "fastify"])
def test_a_hardened_service_serves(engine, app):
    container, port = service(engine, app)
    count_is(container, 2)
    with open(f"/proc/{container.pid}/status") as file:
        status = dict(line.rstrip("\n").split(":\t", 1) for line in file if ":\t" in line)
    assert status["Uid"].split()[0] == "10001"
    assert int(status["CapEff"], 16) == 0
    assert status["NoNewPrivs"] == "1"
    assert status["Seccomp"] == "2"
    assert status["NSpid"].split()[-1] == "1"
    report = wrk.run(port, seconds=2, connections=16)
    assert report.requests > 100 and report.failed == 0, report.text
    container.remove()


@shows("a stop of a loaded service, requests of 1.5 s in flight: none lost, exit code 0")
def test_a_stop_of_a_loaded_service_loses_nothing(engine):
    container, port = service(engine)
    count_is(container, 2)
    slow = http.burst(port, "/slow?ms=1500", 4)
    with http.Load(port, clients=2, pause=0.005) as load:
        nodeinit.wait_for(lambda: load.tally.ok > 20)
        code, took = container.stop(30)
    assert code == 0, container.logs()
    assert took < 20
    assert [request.result().status for request in slow] == [200] * 4
    load.tally.errors.pop("refused", None)  # after its end
    assert not load.tally.errors, load.tally
    container.remove()


@shows("a program that does not stop: killed, 137, within the grace")
def test_a_program_that_does_not_stop_is_killed_within_the_grace(engine):
    container = engine.start(IMAGE, "node", "stubborn.js", flags=[*HARDENED, "-e", "NODEINIT_GRACE=2s"])
    nodeinit.wait_for(lambda: "ready" in container.logs(), 60, pause=0.05)
    code, took = container.stop(30)
    assert code == 137, container.logs()
    assert took < 15
    container.remove()


@shows("a killed worker is replaced, nobody is refused, no zombie is left")
def test_a_killed_worker_is_replaced_and_no_zombie_is_left(engine):
    container, port = service(engine)
    count_is(container, 2)
    pid = container.pid
    victim = workers(pid)[0][0]
    with http.Load(port, clients=2, keep_alive=False, pause=0.005) as load:
        os.kill(victim, 9)
        nodeinit.wait_for(lambda: victim not in workers(pid)[0] and len(workers(pid)[0]) == 2, pause=0.05)
        seen = load.tally.ok
        nodeinit.wait_for(lambda: load.tally.ok > seen + 20)
    assert "refused" not in load.tally.errors and "timeout" not in load.tally.errors, load.tally
    no_zombies(container)
    container.remove()


@shows("orphans of workers are reaped")
def test_orphans_of_workers_are_reaped(engine):
    container, _ = service(engine, "orphans.js")
    reaped(container)
    container.remove()


# Until orphans have come and gone; a zombie is one for a moment only.
def reaped(container):
    def count():
        done = container.execute("/sbin/nodeinit", "ctl", "status", "--json")
        return json.loads(done.out)["orphans_reaped"] if done.code == 0 else 0

    nodeinit.wait_for(lambda: count() >= 2, 60, "reaped orphans", pause=0.2)
    no_zombies(container)


@shows("a one-shot program runs once, its exit code is the container's")
@pytest.mark.parametrize("code", [0, 7])
def test_a_one_shot_runs_once_and_its_code_is_the_containers(engine, code):
    assert engine.run(IMAGE, "node", "exit.js", code, flags=HARDENED).code == code


@shows("codes of what cannot run: 127, 126, 78 for a wrong setting, 64 for a wrong option")
def test_codes_of_commands_that_cannot_run(engine):
    assert engine.run(IMAGE, "nothing", flags=HARDENED).code == 127
    assert engine.run(IMAGE, "/etc/passwd", flags=HARDENED).code == 126
    assert engine.run(IMAGE, "--wrokers", "2", "node", "exit.js", "0", flags=HARDENED).code == 64
    wrong = engine.run(IMAGE, "node", "exit.js", flags=[*HARDENED, "-e", "NODEINIT_WORKERS=many"])
    assert wrong.code == 78, wrong
    assert "NODEINIT_WORKERS" in wrong.err + wrong.out


@shows("limits found in a private cgroup namespace")
def test_the_limits_are_found_in_a_private_cgroup_namespace(engine):
    if engine.name == "containerd":
        pytest.skip("CRI has no field for it: on cgroup v1 containerd gives the host's")
    limits_are_found(engine, "private")


@shows("limits found in the host's cgroup namespace")
def test_the_limits_are_found_in_the_hosts_cgroup_namespace(engine):
    limits_are_found(engine, "host")


def limits_are_found(engine, namespace):
    done = engine.run(IMAGE, "--explain", "--json", "node", "express/server.js", flags=[
        *HARDENED, "--cgroupns", namespace, "--cpus", "1.5", "--memory", "512m"])  # fmt: skip
    assert done.code == 0, done
    plan = json.loads(done.out)
    assert (plan["cpu_limit"], plan["memory_limit"], plan["workers"]) == (1.5, 512 << 20, 2)


@shows("`run -it image node`: the REPL, its code passed on")
def test_a_terminal_belongs_to_the_command(engine):
    with terminal(engine, "node") as keyboard:
        keyboard.until(b"> ")
        keyboard.type(b"6 * 7\r")
        keyboard.until(b"42")
        keyboard.type(b"process.exit(process.stdin.isTTY ? 9 : 1)\r")
        assert keyboard.code() == 9


@shows("`run -it image sh`: job control, Ctrl-C, Ctrl-Z")
def test_a_shell_has_job_control(engine):
    # The image has no shell: one that needs the C library only, which node's own libraries have.
    with terminal(engine, "sh", flags=["-v", f"{os.path.realpath('/bin/dash')}:/sbin/sh"]) as keyboard:
        keyboard.until(b"$ ")
        # What the terminal echoes is not what is waited for: 4 * 11, "re" + "sumed".
        program = "setInterval(() => {}, 1e3); process.on(`SIGCONT`, () => console.log(`re` + `sumed`)); console.log(4*11)"
        keyboard.type(f"node -e '{program}'\r".encode())
        keyboard.until(b"44")
        keyboard.type(b"\x1a")  # Ctrl-Z
        keyboard.until(b"Stopped")
        keyboard.type(b"fg\r")
        keyboard.until(b"resumed")
        keyboard.type(b"\x03")  # Ctrl-C
        keyboard.type(b"echo still $((50 + 5)); exit 5\r")
        keyboard.until(b"still 55")
        assert keyboard.code() == 5


@shows("Ctrl-C at the terminal of a service stops it in order")
def test_ctrl_c_stops_a_service_in_order(engine):
    port = nodeinit.free_port()
    with terminal(engine, "node", "http/server.js", flags=["-e", f"PORT={port}", "-e", "NODEINIT_WORKERS=2"]) as keys:
        nodeinit.wait_for(lambda: answers(port), 60, "an answer", pause=0.05)
        keys.until(b"slot 1: worker")
        keys.type(b"\x03")
        assert keys.code() == 0, keys.said


@shows("`npm start` without npm in the image")
def test_npm_start_is_resolved_without_npm(engine):
    port = nodeinit.free_port()
    container = engine.start(IMAGE, "npm", "start", flags=[*HARDENED, "-e", f"PORT={port}", "--cpus", "2"])
    nodeinit.wait_for(lambda: answers(port), 60, "an answer", pause=0.05)
    count_is(container, 2)
    assert container.stop()[0] == 0, container.logs()
    container.remove()


@shows("the host's PID namespace: not PID 1, still reaps, stops in order")
def test_in_the_hosts_pid_namespace_it_is_not_pid_1_and_still_reaps(engine):
    container, _ = service(engine, "orphans.js", flags=["--pid", "host"])
    assert container.pid != 1
    with open(f"/proc/{container.pid}/status") as file:
        inner = next(line for line in file if line.startswith("NSpid")).split()
    assert inner[-1] != "1"
    reaped(container)
    assert container.stop()[0] == 0, container.logs()
    container.remove()


@shows("a PID namespace shared with another container: the same")
def test_in_a_shared_pid_namespace_it_is_not_pid_1_and_still_reaps(engine):
    other, first = service(engine)
    container, second = service(engine, "orphans.js", flags=["--pid", f"container:{other.identity}"])
    with open(f"/proc/{container.pid}/status") as file:
        inner = next(line for line in file if line.startswith("NSpid")).split()
    assert inner[-1] != "1"
    reaped(container)
    assert container.stop()[0] == 0, container.logs()
    assert answers(first)
    assert other.stop()[0] == 0, other.logs()
    container.remove()
    other.remove()


@shows("two containers side by side on the host's network, each with its own `ctl`")
def test_two_containers_share_a_network_namespace(engine):
    (first, one), (second, other) = service(engine), service(engine, "fastify")
    assert http.get(one).json()["app"] == "express"
    assert http.get(other).json()["app"] == "fastify"
    assert first.execute("/sbin/nodeinit", "ctl", "health", "ready").code == 0
    assert first.stop()[0] == 0
    assert http.get(other).json()["app"] == "fastify"
    assert second.execute("/sbin/nodeinit", "ctl", "health", "ready").code == 0
    assert second.stop()[0] == 0
    first.remove()
    second.remove()


@shows("memory that runs out: 137, and PID 1 lives to say so")
def test_memory_that_runs_out_is_137_and_pid_1_survives_to_say_so(engine):
    container = engine.start(IMAGE, "node", "hog.js", flags=[
        *HARDENED, "--memory", "128m", "--memory-swap", "128m"])  # fmt: skip
    assert container.wait() == 137, container.logs()
    assert "out of memory" in container.logs().lower(), container.logs()
    if engine.name == "docker":  # podman 4 on cgroup v1 does not know
        assert container.state["OOMKilled"]
    container.remove()
