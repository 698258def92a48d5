"""What a person finds at `kubectl describe pod`: the termination log."""

import os
import signal
import subprocess
from pathlib import Path

import pytest

from support import node, nodeinit

THROWS = "throw new TypeError('no database')"
SERVES = "require('net').createServer().listen(0)"
# Kubernetes' own file, in a /dev of our own: "$1" is a folder, the rest is run.
IN_POD = """
set -e
dev=$1; shift
mkdir "$dev"
for name in null zero full random urandom; do : > "$dev/$name"; mount --bind "/dev/$name" "$dev/$name"; done
: > "$dev/termination-log"
mount --rbind "$dev" /dev
exec "$@"
"""


def start(tmp_path, program, *options, **env):
    (tmp_path / "app.js").write_text(program)
    log = tmp_path / "termination-log"
    env = {"NODEINIT_TERMINATION_LOG": log, **env}
    return log, nodeinit.start([node.path(), "app.js"], list(options), env=env, cwd=tmp_path)


def test_a_crash_loop_leaves_the_code_and_the_last_words(tmp_path):
    program = "require('net').createServer().listen(0, () => { throw new TypeError('no database') })"
    log, running = start(tmp_path, program, "--workers=2", "--restart-limit=3/60s", "--restart-backoff=10ms..20ms",
                         "--log=lines", "--ready=message")  # fmt: skip
    with running:
        code = running.wait()
    text = log.read_text()
    assert text.startswith(f"nodeinit: ended with exit code {code}: restart limit reached: 3 deaths")
    assert "slot 0: worker" in text and "TypeError: no database" in text
    assert "last words of slot" in text
    assert len(text.encode()) <= 4096


@pytest.mark.parametrize("log_mode, told", [
    ("auto", "TypeError: no database"),
    ("inherit", "unknown, its stderr passed as it is; NODEINIT_LOG=lines keeps them"),
])  # fmt: skip
def test_a_crash_loop_of_one_worker_is_explained_without_being_asked_for(tmp_path, log_mode, told):
    program = """
    console.log('to stdout', require('fs').readlinkSync('/proc/self/fd/1'));
    require('net').createServer().listen(0, () => { throw new TypeError('no database') });"""
    log, running = start(tmp_path, program, "--workers=1", "--restart-limit=3/60s", "--restart-backoff=10ms..20ms",
                         f"--log={log_mode}")  # fmt: skip
    with running:
        running.wait()
    assert told in log.read_text()
    assert running.err.count("TypeError: no database") >= 3, "all of stderr arrived"
    assert len({line for line in running.out.splitlines() if "pipe:" in line}) == 1, "stdout is ours each time"


@pytest.mark.parametrize("setting", ["a path", "Kubernetes' own"])
def test_the_only_death_of_one_worker_is_explained(tmp_path, setting):
    """A one-shot: there is no second death to learn from."""
    script = tmp_path / "app.js"
    script.write_text("process.stderr.write('connecting ..'); process.stderr.write('.\\n');" + THROWS)
    command, log = [nodeinit.binary(), node.path(), str(script)], tmp_path / "log"
    env = {"PATH": nodeinit.PATH, "NODEINIT_WORKERS": "1"}
    if setting == "a path":
        env["NODEINIT_TERMINATION_LOG"] = str(log)
    else:
        log = tmp_path / "dev" / "termination-log"
        isolate = ["unshare", "--mount", *([] if os.geteuid() == 0 else ["--user", "--map-root-user"])]
        command = [*isolate, "sh", "-c", IN_POD, "sh", str(tmp_path / "dev"), *command]
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL)
    assert done.returncode == 1, done.stderr
    text = log.read_text()
    assert text.startswith("nodeinit: ended with exit code 1: the program ended without listening")
    assert "died: exit code 1, its last words: TypeError: no database" in text
    words = text[text.index("last words of slot 0: worker") :]
    assert "\n  connecting ...\n" in words and "\n  TypeError: no database\n" in words and "app.js:" in words
    assert done.stderr.count("connecting ...\n") == 1 and done.stderr.count("TypeError: no database\n    at ") == 1


def test_a_failed_hook_is_explained(tmp_path):
    log, running = start(tmp_path, SERVES, "--pre-start=sh -c 'echo no such table >&2; exit 3'", "--workers=1")
    with running:
        assert running.wait() == 3
    assert "last words of the hook" in log.read_text() and "\n  no such table\n" in log.read_text()


def test_what_is_read_for_it_passes_on_at_once(tmp_path):
    """A prompt, or dots of progress: byte for byte while the worker lives, and never another line's beginning."""
    (tmp_path / "app.js").write_text(SERVES + """.on('listening', () => {
    const dots = ['pass', 'word: ', '*', '*'];
    const more = setInterval(() => { process.stderr.write(dots.shift()); if (!dots.length) clearInterval(more); }, 100);
    process.on('SIGUSR2', () => process.stderr.write('!\\r\\n'));
    });""")  # fmt: skip
    reader, writer = os.pipe()
    env = {"PATH": nodeinit.PATH, "NODEINIT_WORKERS": "1", "NODEINIT_LOG_LEVEL": "error",
           "NODEINIT_TERMINATION_LOG": str(tmp_path / "log")}  # fmt: skip
    with subprocess.Popen([nodeinit.binary(), node.path(), "app.js"], env=env, cwd=tmp_path, stdin=subprocess.DEVNULL,
                          stdout=subprocess.DEVNULL, stderr=writer) as running:  # fmt: skip
        os.close(writer)
        os.set_blocking(reader, False)
        got = b""

        def arrived(wanted):
            nonlocal got
            try:
                got += os.read(reader, 4096)
            except BlockingIOError:
                pass
            return got == wanted

        try:
            nodeinit.wait_for(lambda: arrived(b"password: **"), what="the prompt")
            (worker,) = Path(f"/proc/{running.pid}/task/{running.pid}/children").read_text().split()
            assert stderr_of(worker) != stderr_of(running.pid), "it went through nodeinit"
            running.send_signal(signal.SIGUSR2)
            nodeinit.wait_for(lambda: arrived(b"password: **!\r\n"), what="the end of the line")
        finally:
            running.terminate()
    os.close(reader)
    assert running.returncode == 0


def stderr_of(pid):
    return os.readlink(f"/proc/{pid}/fd/2")


@pytest.mark.parametrize("log_mode, wanted, is_read", [
    ("auto", "a path", True),
    ("auto", "off", False),
    ("auto", "auto", False),  # the tests' machine has no such file
    ("inherit", "a path", False),
])  # fmt: skip
def test_stderr_is_read_only_where_somebody_wants_the_log(tmp_path, log_mode, wanted, is_read):
    if wanted == "auto" and os.access("/dev/termination-log", os.W_OK):
        pytest.skip("this machine is itself a pod")
    setting = tmp_path / "termination-log" if wanted == "a path" else wanted
    _, running = start(tmp_path, SERVES, f"--log={log_mode}", "--workers=1", NODEINIT_TERMINATION_LOG=setting)
    with running:
        running.wait_line("is ready")
        (worker,) = running.workers()
        assert (stderr_of(worker.pid) != stderr_of(running.pid)) == is_read
        assert os.readlink(f"/proc/{worker.pid}/fd/1") == os.readlink(f"/proc/{running.pid}/fd/1")


def test_only_an_end_that_nobody_asked_for_begins_reading(tmp_path):
    """SIGTERM is how a reload ends this one: no failure. A crash is one."""
    _, running = start(tmp_path, SERVES, "--workers=1", "--stop=signal", "--restart-backoff=10ms..20ms",
                       NODEINIT_TERMINATION_LOG="off")  # fmt: skip
    with running:
        running.wait_line("is ready")
        for reloads in (1, 2):
            running.send(signal.SIGHUP)
            running.wait_for(lambda: running.err.count("reload done") == reloads, what="a reload")
            running.wait_for(lambda: running.err.count("ended (SIGTERM)") == reloads, what="the old one's end")
        (worker,) = running.workers()
        assert stderr_of(worker.pid) == stderr_of(running.pid)
        ready = running.err.count("is ready")
        os.kill(worker.pid, signal.SIGKILL)
        running.wait_for(lambda: running.err.count("is ready") > ready, what="the next one")
        (worker,) = running.workers()
        assert stderr_of(worker.pid) != stderr_of(running.pid)


def test_words_at_an_asked_end_do_not_replace_those_of_the_failure(tmp_path):
    """One worker is the crash loop; the other, of a slot that had died as often before, is stopped because of it and ends
    with a code of its own, talking."""
    program = """
    const fs = require('fs');
    require('net').createServer().listen(0);
    if (process.env.NODEINIT_SLOT === '1') setTimeout(() => { throw new TypeError('no database'); }, 500);
    fs.appendFileSync('lives', process.env.NODEINIT_SLOT);
    if (fs.readFileSync('lives', 'utf8').split('0').length <= 4 && process.env.NODEINIT_SLOT === '0') setTimeout(() => process.exit(1), 30);
    process.on('SIGTERM', () => process.stderr.write('bye for now\\n', () => process.exit(9)));"""
    log, running = start(tmp_path, program, "--workers=2", "--stop=signal", "--ready=message",
                         "--restart-limit=3/60s", "--restart-backoff=10ms..20ms")  # fmt: skip
    with running:
        assert running.wait() == 1
    assert "bye for now" in running.err
    assert "last words of slot 1" in log.read_text() and "bye for now" not in log.read_text()


def test_an_orderly_stop_leaves_it_alone(tmp_path):
    log, running = start(tmp_path, "require('net').createServer().listen(0)")
    with running:
        running.wait_line("is ready")
        assert running.stop() == 0
    assert not log.exists()


def test_a_worker_that_had_to_be_killed_is_named(tmp_path):
    program = "process.on('SIGTERM', () => {}); require('net').createServer().listen(0); setInterval(() => {}, 1000)"
    log, running = start(tmp_path, program, "--grace=1s", "--stop=signal", "--workers=1")
    with running:
        running.wait_line("is ready")
        assert running.stop() == 137
    assert "slot 0: worker 2 did not end in time: SIGKILL" in log.read_text()


def test_a_log_that_cannot_be_written_is_a_warning(tmp_path):
    done = nodeinit.run(["sh", "-c", "exit 7"], env={"NODEINIT_TERMINATION_LOG": "/nowhere/log"})
    assert done.code == 7
    assert "cannot open /nowhere/log: No such file or directory" in done.err
