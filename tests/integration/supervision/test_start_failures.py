"""fork and exec that fail become a backoff with a clear message; reloads at bad moments."""

import os
import signal
import subprocess
import time

import pytest
from support import cgroup, node, nodeinit

from .conftest import SERVICE


class PidsGroup:
    """A cgroup with a limit of processes, of v2 or v1."""

    def __init__(self):
        v2 = cgroup.is_v2()
        self.folder = cgroup.ROOT / ("" if v2 else "pids") / f"nodeinit-test-pids-{os.getpid()}"
        self.folder.mkdir()
        self.limit(None)

    def enter(self):
        (self.folder / "cgroup.procs").write_text(str(os.getpid()))

    def limit(self, most):
        (self.folder / "pids.max").write_text("max" if most is None else str(most))

    def remove(self):
        nodeinit.wait_for(lambda: not (self.folder / "cgroup.procs").read_text(), 10, "an empty cgroup")
        self.folder.rmdir()


@pytest.fixture
def pids_group():
    try:
        group = PidsGroup()
    except OSError as why:
        pytest.skip(f"no cgroup with a pids limit may be made here: {why}")
    yield group
    group.remove()


def test_a_pids_limit_is_a_backoff_and_a_message(start, pids_group):
    service = start(group=pids_group, NODEINIT_RESTART_BACKOFF="200ms..500ms")
    before = service.pids()
    pids_group.limit(1)
    os.kill(max(before), signal.SIGKILL)
    service.pid1.wait_line(r"could not be started: cannot start .*node: Resource temporarily unavailable "
                           r"\(no more processes are allowed: a pids limit, or ulimit -u\); restarting in")  # fmt: skip
    assert service.ask()["pid"], "the other one serves"
    pids_group.limit(None)
    service.pid1.wait_for(lambda: len(service.pids()) == 2)
    service.pid1.close()


def test_an_executable_that_is_gone_is_a_backoff_until_it_is_back(start, tmp_path):
    link = tmp_path / "node"
    link.symlink_to(node.path())
    port = nodeinit.free_port()
    env = {"PORT": port, "NODEINIT_WORKERS": 2, "NODEINIT_RESTART_BACKOFF": "100ms..300ms"}
    with nodeinit.start([link, SERVICE], env=env) as pid1:
        pid1.wait_line("slot 1: worker \\d+ is ready")
        link.unlink()
        os.kill(pid1.workers()[-1].pid, signal.SIGKILL)
        pid1.wait_line(r"could not be started: cannot execute .*node: No such file or directory; restarting in")
        assert pid1.ctl("health", "ready").code == 0
        link.symlink_to(node.path())
        pid1.wait_for(lambda: len(pid1.workers()) == 2)
        for worker in pid1.workers():  # and when nobody is left it ends with the shell's code
            link.unlink(missing_ok=True)
            os.kill(worker.pid, signal.SIGKILL)
        assert pid1.wait() == 127, pid1.told()


def reload_ended(service, count=1):
    ends = ("reload done", "reload failed", "reload refused")
    service.pid1.wait_for(lambda: sum(service.pid1.err.count(end) for end in ends) >= count, what="its end")


def test_a_reload_during_a_reload_ends_with_new_workers(start):
    service = start(workers=3)
    before = service.pids()
    service.pid1.send(signal.SIGHUP)
    service.pid1.wait_line("is being replaced")
    service.pid1.send(signal.SIGHUP)
    service.pid1.wait_line("reload started anew")
    reload_ended(service)
    assert "reload done" in service.pid1.err
    service.pid1.wait_for(lambda: len(service.pids()) == 3)
    assert not before & service.pids()


def test_a_reload_during_a_resize(start):
    service = start(workers=2)
    before = service.pids()
    service.pid1.send(signal.SIGTTIN)
    service.pid1.send(signal.SIGHUP)
    reload_ended(service)
    service.pid1.send(signal.SIGHUP)
    service.pid1.send(signal.SIGTTOU)
    reload_ended(service, 2)
    assert service.pid1.err.count("reload done") == 2, service.pid1.told()
    service.pid1.wait_for(lambda: len(service.pids()) == 2)
    assert not before & service.pids()
    assert service.pid1.stop() == 0


def test_a_reload_with_a_dead_slot_heals_it(start, tmp_path):
    script = tmp_path / "server.js"
    bad = tmp_path / "bad"
    script.write_text(f"if (require('fs').existsSync('{bad}')) process.exit(9);\n" + SERVICE.read_text())
    service = start(script=script, NODEINIT_RESTART_BACKOFF="100ms..60s")
    bad.write_text("")
    os.kill(max(service.pids()), signal.SIGKILL)
    for _ in range(3):
        service.pid1.wait_line("(?s)(died: .*){3}restarting in")
    bad.unlink()
    service.pid1.send(signal.SIGHUP)
    service.pid1.wait_line("reload done")
    assert len(service.pids()) == 2
    assert service.pid1.stop() == 0


def test_a_reload_during_a_stop_is_refused_and_the_stop_goes_on(start):
    service = start(NODEINIT_STOP_DELAY="1s")
    waits = subprocess.Popen([*service.pid1._ctl(service.pid1.pid), "reload"], stderr=subprocess.PIPE,
                             stdout=subprocess.PIPE)  # fmt: skip
    service.pid1.wait_line("reload started")
    service.pid1.send(signal.SIGTERM)
    time.sleep(0.1)
    service.pid1.send(signal.SIGHUP)
    assert service.pid1.wait(10) == 0, service.pid1.told()
    out, err = waits.communicate(timeout=10)
    assert waits.returncode in (0, 1), (out, err)


RUNS = "require('fs').writeFileSync(process.env.RAN, ''); require('http').createServer().listen(process.env.PORT)"


def without(capability):
    """A PID 1 that is root without that right."""
    return {"program": "/usr/bin/setpriv", "pid1": False,
            "options": [f"--bounding-set=-{capability}", nodeinit.binary()]}  # fmt: skip


@pytest.mark.parametrize("mode", ["cluster", "single"])
@pytest.mark.parametrize(("wanted", "how", "told"), [
    ("nobody-of-this-name", {}, "not in /etc/passwd"),
    ("1000:no-group-of-this-name", {}, "not in /etc/group"),
    ("1000:1000", {"user": 1234}, "nodeinit runs as 1234:1234 without"),
    ("1234:1235", {"user": 1234}, "nodeinit runs as 1234:1234 without"),
    ("1000:1000", without("setuid"), "without the capability SETUID"),
    ("1000:1000", without("setgid"), "without the capability SETGID"),
])  # fmt: skip
def test_a_user_that_cannot_be_had_is_a_wrong_setting(tmp_path, mode, wanted, how, told):
    """Said before anything is started, its hook neither."""
    tmp_path.chmod(0o777)
    ran = tmp_path / "ran"
    settings = {"RAN": ran, "PORT": nodeinit.free_port(), "NODEINIT_USER": wanted, "NODEINIT_MODE": mode,
                "NODEINIT_PRE_START": f"touch {ran}"}  # fmt: skip
    script = tmp_path / "app.js"
    script.write_text(RUNS)
    done = nodeinit.run([node.path(), str(script)], env=settings, **how)
    assert done.code == 78, done.err
    assert told in done.err and "Traceback" not in done.err
    assert not ran.exists()


@pytest.mark.parametrize("mode", ["cluster", "single"])
def test_the_user_that_nodeinit_is_already_can_be_had_without_rights(tmp_path, mode):
    settings = {"NODEINIT_USER": "1234:1234", "NODEINIT_MODE": mode}
    assert nodeinit.run([node.path(), "-e", "process.exit(process.getuid() === 1234 ? 0 : 1)"], env=settings, user=1234).code == 0


def test_a_reload_with_a_user_that_cannot_be_had_is_refused(start, tmp_path):
    config = tmp_path / "nodeinit.toml"
    config.write_text("")
    tmp_path.chmod(0o755)
    service = start(NODEINIT_CONFIG=config)
    config.write_text('user = "nobody-of-this-name"\n')
    asked = service.pid1.ctl("reload")
    assert asked.code != 0 and "nobody-of-this-name" in asked.err
    assert service.ask()["pid"]
