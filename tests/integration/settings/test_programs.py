"""Several programs in one container, the hooks around them, and their environment files."""

import signal
import urllib.request

import pytest

from support import node, nodeinit

SERVER = "require('http').createServer((q, s) => s.end(String(process.env.ANSWER))).listen(process.env.PORT)"
CONSUMER = "setInterval(() => {}, 1000); console.log('consuming as', process.env.ROLE)"


def get(port):
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=10) as answer:
        return answer.read().decode()


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "web.js").write_text(SERVER)
    (tmp_path / "queue.js").write_text(CONSUMER)
    return tmp_path


def configuration(folder, text):
    file = folder / "nodeinit.toml"
    file.write_text(text.replace("NODE", node.path()))
    return ["--config", str(file)]


TWO = """
[[program]]
name = "web"
command = "NODE web.js"
workers = 2
[[program]]
name = "queue"
command = "NODE queue.js"
workers = 1
ready = "online"
restart = "never"
env = { ROLE = "queue" }
essential = ESSENTIAL
"""


def start_two(folder, essential):
    options = configuration(folder, TWO.replace("ESSENTIAL", "true" if essential else "false"))
    port = nodeinit.free_port()
    return port, nodeinit.start([], options, env={"PORT": port, "ANSWER": "web"}, cwd=folder)


def consumer(running):
    return next(each for each in running.workers() if any("queue.js" in word for word in each.arguments))


def test_two_programs_run_side_by_side_and_stop_in_order(folder):
    port, running = start_two(folder, essential=True)
    with running:
        running.wait_port(port)
        running.wait_line("consuming as queue", stream="out")
        running.wait_for(lambda: len(running.workers()) == 3)
        assert get(port) == "web"
        assert running.stop() == 0


def test_an_essential_program_that_ends_takes_the_container_with_it(folder):
    port, running = start_two(folder, essential=True)
    with running:
        running.wait_port(port)
        running.wait_line("consuming as queue", stream="out")
        nodeinit.os.kill(consumer(running).pid, signal.SIGKILL)
        assert running.wait() == 137
        assert "queue: every worker has ended" in running.err


def test_a_program_that_is_not_essential_does_not(folder):
    port, running = start_two(folder, essential=False)
    with running:
        running.wait_port(port)
        running.wait_line("consuming as queue", stream="out")
        nodeinit.os.kill(consumer(running).pid, signal.SIGKILL)
        running.wait_line("queue has ended for good with code 137 .* the others go on")
        assert get(port) == "web"
        assert running.stop() == 0


@pytest.mark.parametrize("mode", ["cluster", "single"])
def test_hooks_run_before_the_first_worker_and_after_the_last(folder, mode):
    port = nodeinit.free_port()
    options = [f"--mode={mode}", "--pre-start", "sh -c 'echo before $ANSWER'", "--post-stop", "sh -c 'echo after; pwd'"]
    with nodeinit.start([node.path(), "web.js"], options, env={"PORT": port, "ANSWER": "web"}, cwd=folder) as running:
        running.wait_port(port)
        assert "before web" in running.out
        assert "after" not in running.out
        # Node in single mode has no handler for SIGTERM: its end is the container's.
        assert running.stop() == (0 if mode == "cluster" else 143)
        assert f"after\n{folder}\n" in running.out


@pytest.mark.parametrize("mode", ["cluster", "single"])
@pytest.mark.parametrize("hook, code, told", [
    ("sh -c 'echo it is broken >&2; exit 3'", 3, "pre_start: ended (exit code 3)"),
    ("/does/not/exist", 127, "pre_start: could not be started: cannot execute /does/not/exist"),
])  # fmt: skip
def test_a_failed_pre_start_ends_the_container_with_its_code(folder, mode, hook, code, told):
    options = [f"--mode={mode}", "--pre-start", hook, "--post-stop", "echo after"]
    done = nodeinit.run([node.path(), "web.js"], options, env={"PORT": nodeinit.free_port()}, cwd=folder)
    assert done.code == code
    assert told in done.err
    assert "slot 0" not in done.err and "after" not in done.out


@pytest.mark.parametrize("mode", ["cluster", "single"])
def test_a_stop_during_pre_start_ends_it_and_starts_nothing(folder, mode):
    options = [f"--mode={mode}", "--pre-start", "sh -c 'echo preparing; exec sleep 100'"]
    with nodeinit.start([node.path(), "web.js"], options, env={"PORT": nodeinit.free_port()}, cwd=folder) as running:
        running.wait_line("preparing", stream="out")
        assert running.stop() == 143
        assert "slot 0" not in running.err


@pytest.mark.parametrize("mode", ["cluster", "single"])
def test_a_post_stop_that_hangs_is_killed(folder, mode):
    port = nodeinit.free_port()
    options = [f"--mode={mode}", "--grace", "2s", "--post-stop", "sh -c 'trap \"\" TERM; echo staying; sleep 100'"]
    with nodeinit.start([node.path(), "web.js"], options, env={"PORT": port}, cwd=folder) as running:
        running.wait_port(port)
        assert running.stop() == (0 if mode == "cluster" else 143)
        assert "staying" in running.out


@pytest.mark.parametrize("mode", ["cluster", "single"])
def test_an_environment_file_reaches_the_program(folder, mode):
    (folder / "secrets.env").write_text("# comment\nexport ANSWER='from the file'\nPORT=1\n")
    port = nodeinit.free_port()
    options = configuration(folder, f'mode = "{mode}"\nenv_file = "secrets.env"\n[env]\nPORT = "{port}"\n')
    with nodeinit.start([node.path(), "web.js"], options, env={"ANSWER": "given"}, cwd=folder) as running:
        running.wait_port(port)
        assert get(port) == "from the file"


def test_an_environment_file_is_read_again_at_a_reload(folder):
    secrets = folder / "secrets.env"
    secrets.write_text("ANSWER=old\n")
    port = nodeinit.free_port()
    options = ["--workers", "2", "--env-file", "secrets.env"]
    with nodeinit.start([node.path(), "web.js"], options, env={"PORT": port}, cwd=folder) as running:
        running.wait_port(port)
        assert get(port) == "old"
        secrets.write_text("ANSWER=new\n")
        running.send(signal.SIGHUP)
        running.wait_line("reload.*(done|finished|complete|replaced)")
        assert get(port) == "new"
        secrets.write_text("not a variable\n")
        running.send(signal.SIGHUP)
        running.wait_line("reload .* refused.*secrets.env:1: not a NAME=VALUE line")
        assert get(port) == "new"


def test_a_missing_environment_file_is_told_with_where_it_was_named(folder):
    done = nodeinit.run([node.path(), "web.js"], env={"NODEINIT_ENV_FILE": "nowhere.env"}, cwd=folder)
    assert done.code == 78
    assert "NODEINIT_ENV_FILE: cannot open nowhere.env: No such file or directory" in done.err
    assert "nothing was started: 1 problem" in done.err
    # It may be mounted only in the running container.
    checked = nodeinit.run([node.path(), "web.js"], ["--check"], env={"NODEINIT_ENV_FILE": "nowhere.env"}, cwd=folder)
    assert checked.code == 0 and "nowhere.env" in checked.err
