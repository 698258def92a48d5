"""The termination log of single mode: what the one command said last, read without being in its way."""

import os
import re
import signal
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from pathlib import Path

import pytest

from support import nodeinit

# Bytes that are no text, and no newline at the end.
BINARY = bytes(range(256)) * 3 + b"\n\x00\xff no end"
SHELL_SAYS = "echo no database >&2; "


@contextmanager
def started(tmp_path, command, err, *options, **env):
    """As an ordinary process, its stderr `err`; "@log" of the result is the termination log."""
    env = {"PATH": nodeinit.PATH, "NODEINIT_MODE": "single", "NODEINIT_TERMINATION_LOG": str(tmp_path / "log"), **env}
    words = [nodeinit.binary(), *options, "--", *map(str, command)]
    with subprocess.Popen(words, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=err) as running:
        try:
            yield running
        finally:
            running.poll() is None and running.kill()


def finished(tmp_path, command, *options, **env):
    """(code, bytes of stderr, termination log or None)"""
    with started(tmp_path, command, subprocess.PIPE, *options, **env) as running:
        _, err = running.communicate(timeout=30)
    log = tmp_path / "log"
    return running.returncode, err, log.read_text() if log.exists() else None


def worker_of(pid):
    def found():
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        return int(children[0]) if children else None

    return nodeinit.wait_for(found, what="the worker")


def stderr_of(pid):
    return os.readlink(f"/proc/{pid}/fd/2")


def descriptors_of(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))


def test_the_command_its_code_and_its_last_words_are_there(tmp_path):
    code, err, log = finished(tmp_path, ["sh", "-c", SHELL_SAYS + "printf 'giving up' >&2; exit 7"])
    assert code == 7
    assert err == b"no database\ngiving up"
    first, _, rest = log.partition("\n")
    assert re.fullmatch(r"nodeinit: ended with exit code 7: sh -c '.*' \(pid \d+\) has ended: exit code 7", first)
    assert rest.startswith("last words of sh -c ") and rest.endswith(":\n  no database\n  giving up\n")


def test_the_signal_that_ended_it_is_named(tmp_path):
    code, _, log = finished(tmp_path, ["sh", "-c", SHELL_SAYS + "kill -KILL $$"])
    assert code == 137
    assert "was killed by SIGKILL" in log and "\n  no database\n" in log


def test_much_is_cut_to_what_kubernetes_shows(tmp_path):
    script = "i=0; while [ $i -lt 3000 ]; do echo \"line $i is one of many\"; i=$((i+1)); done >&2; exit 1"
    _, err, log = finished(tmp_path, ["sh", "-c", script + " # " + "x" * 5000])
    assert len(log.encode()) <= 4096
    assert log.endswith("  line 2999 is one of many\n") and "has ended: exit code 1" in log
    assert err.count(b"\n") == 3000


def test_one_that_cannot_be_started_says_why(tmp_path):
    code, err, log = finished(tmp_path, ["/nowhere"])
    assert code == 127
    assert log == "nodeinit: ended with exit code 127: cannot execute /nowhere: No such file or directory\n"
    assert b"cannot execute /nowhere" in err


def test_bytes_arrive_as_they_were(tmp_path):
    (tmp_path / "bytes").write_bytes(BINARY)
    code, err, log = finished(tmp_path, ["sh", "-c", f"readlink /proc/self/fd/2; cat {tmp_path}/bytes >&2; exit 3"])
    assert (code, err) == (3, BINARY)
    assert "no end" in log


def test_an_unfinished_line_arrives_at_once(tmp_path):
    reader, writer = os.pipe()
    with started(tmp_path, ["sh", "-c", "printf 'password: ' >&2; exec sleep 60"], writer) as running:
        os.close(writer)
        assert os.read(reader, 100) == b"password: "
        assert stderr_of(worker_of(running.pid)) != stderr_of(running.pid), "it went through nodeinit"
        running.terminate()
        assert running.wait(20) == 143
    os.close(reader)
    log = (tmp_path / "log").read_text()
    assert "was killed by SIGTERM (asked to stop by SIGTERM)" in log
    assert "last words" not in log, "it has obeyed"


def test_nothing_is_lost_through_a_slow_reader(tmp_path):
    lines = 60_000
    write = f"import os\nfor i in range(0, {lines}, 100): os.write(2, b''.join(b'%059d\\n' % n for n in range(i, i + 100)))"
    reader, writer = os.pipe()
    with started(tmp_path, [sys.executable, "-c", write + "\nos._exit(4)"], writer) as running:
        os.close(writer)
        time.sleep(0.5)  # it is full long since
        pieces = []
        while piece := os.read(reader, 50_000):
            pieces.append(piece)
            time.sleep(0.002)
        assert running.wait(20) == 4
    os.close(reader)
    assert b"".join(pieces) == b"".join(b"%059d\n" % n for n in range(lines))
    assert f"  {lines - 1:059d}\n" in (tmp_path / "log").read_text()


def test_signals_are_passed_on_while_nobody_reads(tmp_path):
    flood = "trap 'echo heard; exit 9' USR1; echo ready; yes >&2 & wait; wait"
    reader, writer = os.pipe()
    with started(tmp_path, ["sh", "-c", flood], writer, "--grace=1s") as running:
        os.close(writer)
        assert running.stdout.readline() == b"ready\n"
        time.sleep(0.5)  # both pipes are full
        began = time.monotonic()
        running.send_signal(signal.SIGUSR1)
        assert running.stdout.readline() == b"heard\n"
        assert time.monotonic() - began < 1
        assert running.wait(20) == 9
        assert time.monotonic() - began < 6, "nobody waits for a reader for ever"
    os.close(reader)
    assert "has ended: exit code 9" in (tmp_path / "log").read_text()


def test_signals_are_passed_on_amid_a_flood_and_the_flood_amid_signals(tmp_path):
    flood = "trap 'n=$((n+1)); echo $n' USR1; echo ready; yes >&2 & while :; do wait; done"
    with started(tmp_path, ["sh", "-c", flood], subprocess.PIPE) as running:
        count = 0

        def drain():
            nonlocal count
            while piece := os.read(running.stderr.fileno(), 1 << 16):
                count += len(piece)

        thread = threading.Thread(target=drain)
        thread.start()
        assert running.stdout.readline() == b"ready\n"
        for i in range(1, 51):
            running.send_signal(signal.SIGUSR1)
            assert running.stdout.readline() == b"%d\n" % i
        before, end = count, time.monotonic() + 1
        while time.monotonic() < end:
            running.send_signal(signal.SIGWINCH)
        assert count > before, "output came meanwhile"
        running.send_signal(signal.SIGKILL)  # its worker goes with it
        thread.join(20)
        assert not thread.is_alive()


def test_a_grandchild_that_holds_stderr_holds_up_nothing(tmp_path):
    script = "import os, sys, signal\nif os.fork() == 0:\n  os.setsid(); signal.signal(signal.SIGTERM, signal.SIG_IGN)\n" \
             "  print('daemon', flush=True); signal.pause()\nsys.stdin\nos.read(0, 1)\nos.write(2, b'no database\\n'); os._exit(5)"  # fmt: skip
    began = time.monotonic()
    code, err, log = finished(tmp_path, [sys.executable, "-c", script], "--grace=1s")
    assert (code, err) == (5, b"no database\n")
    assert "\n  no database\n" in log
    assert time.monotonic() - began < 4.5


def test_it_passes_on_during_the_farewell(tmp_path):
    script = "(trap 'echo tidied up >&2; exit' TERM; sleep 60 & wait) & sleep 0.3; exit 6"
    code, err, log = finished(tmp_path, ["sh", "-c", script])
    assert (code, err) == (6, b"tidied up\n")
    assert "\n  tidied up" not in log, "not the command's"


def test_a_pre_start_that_fails_is_named_with_its_words(tmp_path):
    code, err, log = finished(tmp_path, ["true"], "--pre-start=sh -c 'echo no such table >&2; exit 3'")
    assert code == 3
    assert err.startswith(b"no such table\nnodeinit: ")
    assert re.match(r"nodeinit: ended with exit code 3: pre_start \(pid \d+\) has ended: exit code 3\n", log)
    assert log.endswith("last words of pre_start:\n  no such table\n")


def test_words_of_hooks_are_not_those_of_the_command(tmp_path):
    code, err, log = finished(tmp_path, ["sh", "-c", SHELL_SAYS + "exit 4"], "--pre-start=sh -c 'echo migrated >&2'",
                              "--post-stop=sh -c 'echo no bucket >&2; exit 2'")  # fmt: skip
    assert code == 4
    assert err.startswith(b"migrated\nno database\nno bucket\n")
    assert "migrated" not in log and "no bucket" not in log and "\n  no database\n" in log
    assert re.search(r"^post_stop \(pid \d+\) has ended: exit code 2$", log, re.MULTILINE)


def test_an_asked_end_is_explained_when_it_fails(tmp_path):
    script = "trap 'echo cannot flush >&2; exit 9' TERM; echo ready; while :; do sleep 0.05; done"
    with started(tmp_path, ["sh", "-c", script], subprocess.PIPE) as running:
        assert running.stdout.readline() == b"ready\n"
        running.terminate()
        _, err = running.communicate(timeout=20)
    log = (tmp_path / "log").read_text()
    assert running.returncode == 9 and err == b"cannot flush\n"
    assert "has ended: exit code 9 (asked to stop by SIGTERM)" in log and "\n  cannot flush\n" in log


def test_an_orderly_end_leaves_it_alone(tmp_path):
    assert finished(tmp_path, ["sh", "-c", "echo done >&2"]) == (0, b"done\n", None)


@pytest.mark.parametrize("setting", [
    {"NODEINIT_LOG": "inherit"},
    {"NODEINIT_LOG": "lines"},
    {"NODEINIT_TERMINATION_LOG": "off"},
    {"NODEINIT_TERMINATION_LOG": "auto"},  # the tests' machine has no such file
    {},
])  # fmt: skip
def test_stderr_is_read_only_where_somebody_wants_the_log(tmp_path, setting):
    if setting.get("NODEINIT_TERMINATION_LOG") == "auto" and os.access("/dev/termination-log", os.W_OK):
        pytest.skip("this machine is itself a pod")
    with started(tmp_path, ["sleep", "60"], subprocess.PIPE, **setting) as running:
        worker = worker_of(running.pid)
        nodeinit.wait_for(lambda: Path(f"/proc/{worker}/comm").read_text() == "sleep\n", what="the program")
        assert (stderr_of(worker) != stderr_of(running.pid)) == (setting == {})
        assert os.listdir(f"/proc/{worker}/fd") == ["0", "1", "2"]
        held = 6 if setting == {} else 3  # pipe, signals, the way out
        # The worker's exec is seen here before nodeinit has read of it and closed the pipe that told it.
        nodeinit.wait_for(lambda: descriptors_of(running.pid) == held, what=f"{held} descriptors")
        time.sleep(0.2)
        assert descriptors_of(running.pid) == held
        running.terminate()
        assert running.wait(20) == 143


def test_at_rest_it_sleeps(tmp_path):
    with started(tmp_path, ["sleep", "60"], subprocess.PIPE) as running:
        worker_of(running.pid)
        time.sleep(0.5)

        def switches():
            return re.findall(r"ctxt_switches:\s+(\d+)", Path(f"/proc/{running.pid}/status").read_text())

        before = switches()
        time.sleep(2)
        assert switches() == before
        running.terminate()
        running.wait(20)


def test_an_inherit_that_was_asked_for_says_what_would_help(tmp_path):
    code, err, log = finished(tmp_path, ["sh", "-c", SHELL_SAYS + "exit 7"], NODEINIT_LOG="inherit")
    assert (code, err) == (7, b"no database\n")
    assert "has ended: exit code 7" in log and "NODEINIT_LOG=auto keeps them" in log


def test_descriptors_that_were_passed_on_are_let_go(tmp_path):
    """The reader of an inherited pipe sees its end when the worker closes it; the relay stays."""
    reader, writer = os.pipe()
    env = {"PATH": nodeinit.PATH, "NODEINIT_MODE": "single", "NODEINIT_TERMINATION_LOG": str(tmp_path / "log")}
    script = f"import os; os.close({writer}); os.read(0, 1); os.write(2, b'no database\\n'); os._exit(5)"
    words = [nodeinit.binary(), "--post-stop=sh -c 'echo tidied >&2'", "--", sys.executable, "-c", script]
    with subprocess.Popen(words, env=env, stdin=subprocess.PIPE, stderr=subprocess.PIPE,
                          pass_fds=(writer,)) as running:  # fmt: skip
        os.close(writer)
        assert os.read(reader, 1) == b"", "nobody holds it"
        _, err = running.communicate(b"go\n", timeout=20)
    os.close(reader)
    assert (running.returncode, err) == (5, b"no database\ntidied\n")
    assert "\n  no database\n" in (tmp_path / "log").read_text()


@pytest.mark.skipif(os.geteuid() != 0, reason="needs the right to change the user")
def test_a_worker_of_another_user_may_open_its_stderr_by_name(tmp_path):
    code, err, log = finished(tmp_path, ["sh", "-c", "echo by name > /dev/stderr; exit 3"], "--user=65534:65534")
    assert (code, err) == (3, b"by name\n")
    assert "\n  by name\n" in log


def test_a_reader_that_is_gone_ends_nobody(tmp_path):
    reader, writer = os.pipe()
    with started(tmp_path, ["sh", "-c", "read x; echo a >&2; sleep 0.2; echo b >&2; exit 8"], writer) as running:
        os.close(writer)
        os.close(reader)
        assert running.wait(20) == 8
    assert (tmp_path / "log").read_text().endswith("  a\n  b\n")
