"""Programs that listen without asking the cluster primary: found from outside, and told of where it cannot work."""

import urllib.request

from support import node, nodeinit

SERVER = """
const server = require('http').createServer((q, s) => s.end(String(process.pid)));
server.listen({port: Number(process.env.PORT), host: '127.0.0.1', OPTION: true});
"""


def start(folder, program, *options, **env):
    (folder / "app.js").write_text(program)
    command = [node.path(24), "app.js"]
    return nodeinit.start(command, ["--workers", "3", *options], env=env, cwd=folder)


def get(port):
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=10) as answer:
        return answer.read().decode()


def test_reuse_port_listens_make_all_workers_ready(tmp_path):
    port = nodeinit.free_port()
    with start(tmp_path, SERVER.replace("OPTION", "reusePort"), PORT=port) as running:
        for slot in range(3):
            running.wait_line(f"slot {slot}: worker .* is ready")
        assert len({get(port) for _ in range(60)}) == 3
        assert running.ctl("health").code == 0
        assert running.stop() == 0


def test_an_exclusive_listen_is_ready_and_stays_alone(tmp_path):
    port = nodeinit.free_port()
    with start(tmp_path, SERVER.replace("OPTION", "exclusive"), PORT=port) as running:
        running.wait_line(rf"slot 0: worker [0-9]+ listens on port {port} by itself and shares it with nobody")
        running.wait_line("slot 0: worker .* is ready")
        assert get(port) == str(running.workers()[0].inner_pid)
        assert running.ctl("health").code == 0
        assert len(running.workers()) == 1 and "EADDRINUSE" not in running.err
        assert running.stop() == 0


def test_exclusive_unix_sockets_make_all_workers_ready(tmp_path):
    server = "require('http').createServer((q, s) => s.end()).listen({path: `${process.pid}.sock`, exclusive: true});"
    with start(tmp_path, server) as running:
        for slot in range(3):
            running.wait_line(f"slot {slot}: worker .* is ready")
        assert {f"{worker.inner_pid}.sock" for worker in running.workers()} == {path.name for path in tmp_path.glob("*.sock")}
        assert running.ctl("health").code == 0 and running.ctl("reload").code == 0
        assert running.stop() == 0
        assert "SIGKILL" not in running.err


def test_a_descendant_that_listens_is_told_of(tmp_path):
    port = nodeinit.free_port()
    (tmp_path / "server.js").write_text(SERVER.replace("OPTION", "exclusive"))
    program = """
const env = {...process.env}; delete env.NODE_UNIQUE_ID; delete env.NODE_CHANNEL_FD;
require('child_process').spawn(process.execPath, ['server.js'], {env, stdio: 'inherit'});
"""
    with start(tmp_path, program, PORT=port) as running:
        told = running.wait_line(r"slot 0: worker [0-9]+ does not listen, but process ([0-9]+) below it does")
        assert f"(port {port})" in told.string
        assert running.ctl("health").code == 1
        running.stop()


def test_a_program_that_never_says_online_is_told_of(tmp_path):
    pretender = tmp_path / "node"
    pretender.write_text("#!/bin/sh\nexec sleep 60\n")
    pretender.chmod(0o755)
    (tmp_path / "app.js").write_text("")
    with nodeinit.start([str(pretender), "app.js"], ["--workers", "2"], cwd=tmp_path) as running:
        running.wait_line("slot 0: worker [0-9]+ runs but has not spoken over its channel")
        running.stop()


def test_a_job_that_runs_on_is_looked_at_less_and_less(tmp_path):
    with start(tmp_path, "setTimeout(() => process.exit(5), 4000)") as running:
        assert running.wait() == 5
        assert "listens" not in running.err
