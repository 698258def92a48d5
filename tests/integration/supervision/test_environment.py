"""What a worker is given: user, priority to the OOM killer, variables, limits, the directory of its release."""

import json
import os
import resource
import signal
from pathlib import Path

import pytest
from support import node, nodeinit

from .conftest import SERVICE


def score(pid):
    return int(Path(f"/proc/{pid}/oom_score_adj").read_text())


@pytest.fixture
def open_script(tmp_path):
    """The service where every user may read it, unlike a checkout in root's home or pytest's own folders."""
    script = tmp_path / "server.js"
    script.write_text(SERVICE.read_text())
    for folder in (tmp_path, *tmp_path.parents):
        if folder.owner() == "root" and not folder.stat().st_mode & 0o001:
            folder.chmod(0o755)
    return script


@pytest.mark.parametrize("user", [None, 1234])
def test_the_oom_killer_takes_workers_before_pid_1(start, open_script, user):
    service = start(script=open_script, user=user)
    ours = score(service.pid1.pid)
    assert all(score(pid) > ours for pid in service.pids())
    before = service.pids()
    os.kill(min(before), signal.SIGKILL)
    service.wait_replaced(before)
    assert all(score(pid) > ours for pid in service.pids())


def test_a_score_that_cannot_be_higher_is_no_trouble(tmp_path):
    script = tmp_path / "server.js"
    script.write_text(SERVICE.read_text())
    port = nodeinit.free_port()
    highest = f"echo 1000 > /proc/self/oom_score_adj; exec {nodeinit.binary()} -- {node.path()} {script}"
    with nodeinit.start([], env={"PORT": port, "NODEINIT_WORKERS": 2}, program="/bin/sh", options=["-c", highest],
                        pid1=False) as pid1:  # fmt: skip
        pid1.wait_line("slot 1: worker \\d+ is ready")
        assert {score(worker.pid) for worker in pid1.workers()} == {1000}
        assert "oom" not in pid1.err
        pid1.stop()


@pytest.mark.parametrize("major", [20, 22, "newest"])
def test_workers_run_as_the_user_asked_for(start, open_script, major):
    service = start(script=open_script, major=major, NODEINIT_USER="1234:2345")
    answer = service.ask()
    assert (answer["uid"], answer["gid"]) == (1234, 2345)
    assert set(answer["groups"]) <= {2345}
    before = service.pids()
    for pid in before:
        status = dict(line.split(":\t", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines() if ":\t" in line)
        assert int(status["CapEff"], 16) == 0
        assert status["Uid"].split() == ["1234"] * 4
    os.kill(min(before), signal.SIGKILL)
    service.wait_replaced(before)
    service.pid1.send(signal.SIGHUP)
    service.pid1.wait_line("reload done")
    assert service.ask()["uid"] == 1234
    assert service.pid1.stop() == 0, service.pid1.told()


def test_another_user_may_open_its_output_by_name(open_script):
    open_script.write_text("""
        for (const name of ['/dev/stdout', '/dev/stderr']) require('fs').writeFileSync(name, 'by name\\n');
        require('http').createServer(() => {}).listen(process.env.PORT)""")
    with nodeinit.start([node.path(), open_script], ["--workers=2", "--log=lines"],
                        {"PORT": nodeinit.free_port(), "NODEINIT_USER": "1234:2345"}) as pid1:  # fmt: skip
        pid1.wait_line("slot 1: worker \\d+ is ready")
        pid1.wait_for(lambda: pid1.out.count("by name\n") == 2 and pid1.err.count("by name\n") == 2)


def test_a_user_name_is_looked_up_in_the_passwd_file(start, open_script):
    answer = start(script=open_script, NODEINIT_USER="nobody").ask()
    assert answer["uid"] == 65534


def test_each_worker_has_variables_of_its_own(start, tmp_path):
    config = tmp_path / "nodeinit.toml"
    config.write_text('[env]\nFROM_TOML = "first"\n')
    service = start(workers=3, NODEINIT_CONFIG=config, FROM_CONTAINER="kept")
    seen = {}
    service.pid1.wait_for(lambda: seen.setdefault((e := service.ask()["env"])["NODE_APP_INSTANCE"], e) and len(seen) == 3)
    assert set(seen) == {"0", "1", "2"}
    for slot, env in seen.items():
        assert (env["NODEINIT_SLOT"], env["NODEINIT_SLOTS"]) == (slot, "3")
        assert (env["FROM_TOML"], env["FROM_CONTAINER"]) == ("first", "kept")
        assert not {"NODE_CHANNEL_FD", "NODE_UNIQUE_ID", "NODE_CHANNEL_SERIALIZATION_MODE"} & set(env)
    config.write_text('[env]\nFROM_TOML = "second"\n')
    service.pid1.send(signal.SIGHUP)
    service.pid1.wait_line("reload done")
    assert service.ask()["env"]["FROM_TOML"] == "second"


def test_umask_and_limits_are_inherited(tmp_path):
    script = tmp_path / "server.js"
    script.write_text(SERVICE.read_text())
    port = nodeinit.free_port()
    narrow = f"umask 027; ulimit -n 777; exec {nodeinit.binary()} -- {node.path()} {script}"
    with nodeinit.start([], env={"PORT": port, "NODEINIT_WORKERS": 1}, program="/bin/sh", options=["-c", narrow],
                        pid1=False) as pid1:  # fmt: skip
        pid1.wait_line("is ready")
        (worker,) = pid1.workers()
        assert resource.prlimit(worker.pid, resource.RLIMIT_NOFILE)[0] == 777
        text = Path(f"/proc/{worker.pid}/status").read_text()
        assert "Umask:\t0027" in text
        pid1.stop()


@pytest.fixture
def releases(tmp_path):
    """Two releases of a service, and a link `current` that a function turns to one of them."""
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "server.js").write_text(
            f"require('http').createServer((q, r) => r.end(JSON.stringify({{pid: process.pid, release: '{name}'}})))"
            ".listen(+process.env.PORT);"
        )
    current = tmp_path / "current"

    def turn(name):
        scratch = tmp_path / "next"
        scratch.symlink_to(name)
        scratch.rename(current)

    turn("one")
    return current, turn


@pytest.mark.parametrize("how", ["PWD", "NODEINIT_DIRECTORY"])
def test_a_reload_enters_the_release_that_the_link_leads_to_now(start, releases, how):
    current, turn = releases
    place = {"cwd": current, "env": {"PWD": str(current)}} if how == "PWD" else {"NODEINIT_DIRECTORY": current}
    service = start(script="server.js", **place)
    assert service.ask()["release"] == "one"
    turn("two")
    before = service.pids()
    os.kill(min(before), signal.SIGKILL)
    service.wait_replaced(before)
    service.wait_ready()
    assert {service.ask()["release"] for _ in range(20)} == {"one"}, "a restart does not mix releases"
    service.pid1.send(signal.SIGHUP)
    service.pid1.wait_line("reload done")
    assert {service.ask()["release"] for _ in range(20)} == {"two"}
    assert service.pid1.stop() == 0, service.pid1.told()


def test_a_reload_that_is_refused_stays_in_the_old_release(start, releases, tmp_path):
    current, turn = releases
    config = tmp_path / "nodeinit.toml"
    config.write_text("workers = 2\n")
    service = start(script="server.js", cwd=current, env={"PWD": str(current)}, NODEINIT_CONFIG=config)
    turn("two")
    config.write_text("workers = many\n")
    service.pid1.send(signal.SIGHUP)
    service.pid1.wait_line("refused, all goes on as it was")
    before = service.pids()
    os.kill(min(before), signal.SIGKILL)
    service.wait_replaced(before)
    service.pid1.wait_for(lambda: service.ask()["release"] == "one")
    assert {service.ask()["release"] for _ in range(20)} == {"one"}


def test_a_reload_takes_settings_and_executable_anew(start, tmp_path):
    config = tmp_path / "nodeinit.toml"
    (tmp_path / "server.js").write_text(SERVICE.read_text())
    link = tmp_path / "node"
    link.symlink_to(node.path(22))
    port = nodeinit.free_port()

    def write(workers):
        config.write_text(f'command = ["{link}", "{tmp_path}/server.js"]\nworkers = {workers}\n')

    write(2)
    with nodeinit.start([], env={"PORT": port, "NODEINIT_CONFIG": config}) as pid1:
        pid1.wait_line("slot 1: worker \\d+ is ready")
        (tmp_path / "scratch").symlink_to(node.path(24))
        (tmp_path / "scratch").rename(link)
        write(3)
        pid1.send(signal.SIGHUP)
        pid1.wait_line("reload done")
        pid1.wait_for(lambda: len(pid1.workers()) == 3, what="three workers")
        versions = {os.readlink(f"/proc/{worker.pid}/exe") for worker in pid1.workers()}
        assert len(versions) == 1 and "24." in versions.pop()
        assert json.loads(pid1.ctl("status", "--json").out)
        assert pid1.stop() == 0, pid1.told()


