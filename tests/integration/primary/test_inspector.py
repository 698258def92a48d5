"""--inspect with several workers: each has its own port, and a restarted one that of its slot."""

import os
import re
import signal

import pytest
from support import node, nodeinit

SERVER = "require('http').createServer((q, s) => s.end()).listen(0);"


def ports(pid1):
    """In the order in which they were opened."""
    return [int(port) for port in re.findall(r"^Debugger listening on ws://[^/]*:(\d+)/", pid1.err, re.MULTILINE)]


def wait_ports(pid1, count):
    pid1.wait_for(lambda: len(ports(pid1)) == count, what=f"{count} inspectors that were opened")
    return ports(pid1)


@pytest.fixture
def start(tmp_path):
    def begin(*options, major=24, program=SERVER, **env):
        script = tmp_path / "app.js"
        script.write_text(program)
        command = [node.path(major), *options, script]
        settings = ["--workers", "3", "--restart-backoff", "1ms..10ms"]
        # Nobody else's ports: a network of its own.
        return nodeinit.start(command, settings, env, namespaces={"net"})

    return begin


@pytest.mark.parametrize("major", [18, 24])
@pytest.mark.parametrize("options, env, base", [
    (["--inspect"], {}, 9229),
    (["--inspect=0.0.0.0:9400"], {}, 9400),
    ([], {"NODE_OPTIONS": "--inspect"}, 9229),
])  # fmt: skip
def test_each_worker_has_an_inspector(start, major, options, env, base):
    with start(*options, major=major, **env) as pid1:
        assert set(wait_ports(pid1, 3)) == {base, base + 1, base + 2}
        assert pid1.stop() == 0
        assert "address already in use" not in pid1.err


@pytest.mark.parametrize("options, env, major", [
    (["--inspect"], {}, 24),
    (["--inspect=9400"], {}, 24),
    ([], {"NODE_OPTIONS": "--inspect"}, 24),
    (["--inspect=0"], {}, 18),
    (["--inspect=0"], {}, 24),
    ([], {"NODE_OPTIONS": "--inspect=127.0.0.1:0"}, 22),
])  # fmt: skip
def test_the_inspector_is_not_taken_for_the_server(start, options, env, major):
    with start(*options, major=major, program=f"setTimeout(() => {{ {SERVER} }}, 2000)", **env) as pid1:
        for slot in range(3):
            pid1.wait_line(f"slot {slot}: worker .* is ready")
        assert "by itself" not in pid1.err and pid1.stop() == 0
    with start(*options, major=major, program="setTimeout(() => process.exit(5), 2000)", **env) as pid1:
        assert pid1.wait() == 5  # it is a job, not a server


@pytest.mark.parametrize("options", [["--inspect=0"], ["--inspect-port=0"], ["--inspect"]])
@pytest.mark.parametrize("major", [18, 22, 24])
def test_a_server_of_its_own_is_found_beside_the_inspector(start, options, major):
    alone = "require('http').createServer((q, s) => s.end()).listen({port: 8000, exclusive: true});"
    with start(*options, major=major, program=alone) as pid1:
        pid1.wait_line("listens on port 8000 by itself")
        pid1.wait_line("slot 0: worker .* is ready")
        assert pid1.stop() == 0


def test_port_0_is_left_to_the_system(start):
    with start("--inspect=0") as pid1:
        assert len(set(wait_ports(pid1, 3))) == 3


def test_a_restarted_worker_has_its_slots_port_and_a_reload_finds_free_ones(start):
    with start("--inspect") as pid1:
        wait_ports(pid1, 3)
        found = pid1.wait_line(r"slot 1: worker (\d+) is ready")
        (victim,) = [worker.pid for worker in pid1.workers() if worker.inner_pid == int(found[1])]
        os.kill(victim, signal.SIGKILL)
        assert wait_ports(pid1, 4)[3] == 9230
        pid1.wait_for(lambda: len(re.findall("slot 1: .* is ready", pid1.err)) == 2, what="its readiness")
        assert pid1.ctl("reload").code == 0
        wait_ports(pid1, 7)
        assert "address already in use" not in pid1.err, pid1.told()


def test_signal_usr1_opens_the_inspector_of_the_first_worker_alone(start):
    with start() as pid1:
        for slot in range(3):
            pid1.wait_line(rf"slot {slot}: worker \d+ is ready")
        pid1.send(signal.SIGUSR1)
        assert wait_ports(pid1, 1) == [9229]
        assert pid1.stop() == 0
        assert len(ports(pid1)) == 1


def test_with_inspect_brk_the_others_wait_for_the_first(start):
    with start("--inspect-brk") as pid1:
        assert wait_ports(pid1, 1) == [9229]
        assert len(pid1.workers()) == 1
