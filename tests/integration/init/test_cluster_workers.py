"""What the workers of a cluster are given, first ones and successors alike, and what nodeinit keeps."""

import os
import resource
import signal
import socket
import subprocess
import tempfile
from pathlib import Path

import pytest
from support import node

from . import cluster, harness
from .cases_worker import BAD, WORDS
from .harness import PATH, status, until

pytestmark = pytest.mark.skipif(not harness.can_unshare(), reason="needs the right to make PID namespaces (root)")

SLEEP = ["sleep", "60"]
ADDED = ["NODE_CHANNEL_FD", "NODE_CHANNEL_SERIALIZATION_MODE", "NODE_UNIQUE_ID", "NODE_APP_INSTANCE", "NODEINIT_SLOT",
         "NODEINIT_SLOTS"]  # fmt: skip


def descriptors(pid):
    return sorted(int(name) for name in os.listdir(f"/proc/{pid}/fd"))


def replaced(run, slot=1):
    """Kills a worker; its successor's pid."""
    before = cluster.service(run)[slot]
    run.kill(signal.SIGKILL, before)
    return cluster.successor(run, slot, before)


def first_and_successor(run):
    first = cluster.service(run)[0]
    return first, replaced(run)


def is_exec_of(pid, name):
    until(lambda: status(pid, "Name") == name, f"the exec of {name}")


def test_mask_dispositions_and_group_are_clean():
    stage = ["-p", "-b", "1", "-b", "15", "-i", "13", "-i", "17", "-i", "2"]
    with cluster.start(SLEEP, stage=stage) as run:
        for pid in first_and_successor(run):
            is_exec_of(pid, "sleep")
            found = harness.statuses(pid)
            assert [int(found[key], 16) for key in ("SigBlk", "SigIgn", "ShdPnd")] == [0, 0, 0]
            assert os.getpgid(pid) == pid


def test_arguments_and_environment_are_those_given_and_the_channels():
    env = {"Z": "1", "PATH": PATH, "A": "", "M": "two\nlines", "BAD": os.fsdecode(BAD), "_": "x", "b.c-d": "ü", "E": "==="}
    words = [*SLEEP, *WORDS, os.fsdecode(BAD)]
    with cluster.start(["sh", "-c", "sleep 60; :", *words], "--heap", "off", env=env) as run:
        for pid in first_and_successor(run):
            is_exec_of(pid, "sh")
            entries = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")[:-1]
            assert entries[: len(env)] == [os.fsencode(f"{k}={v}") for k, v in env.items()]
            assert [entry.split(b"=")[0].decode() for entry in entries[len(env) :]] == ADDED
            arguments = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")[:-1]
            assert arguments[3:] == [os.fsencode(word) for word in words]


def test_umask_limits_and_directory_are_those_given():
    files, core = resource.RLIMIT_NOFILE, resource.RLIMIT_CORE
    stage = ["-p", "-d", "/usr/lib", "-m", "027", "-l", f"{core}=12345"]

    def limited():
        resource.setrlimit(files, (321, 4321))  # more is allowed: nodeinit takes it, workers have what was given

    with cluster.start(SLEEP, stage=stage, setup=limited) as run:
        for pid in first_and_successor(run):
            is_exec_of(pid, "sleep")
            assert resource.prlimit(pid, files) == (321, 4321)
            assert resource.prlimit(pid, core) == (12345, 12345)
            assert status(pid, "Umask") == "0027"
            assert os.readlink(f"/proc/{pid}/cwd") == "/usr/lib"
        assert resource.prlimit(run.pid, files) == (4321, 4321)


def test_nodeinit_lives_in_the_root_directory_and_still_finds_relative_paths():
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        place.chmod(0o755)
        (place / "run.sh").write_text('#!/bin/sh\nexec sleep "$LONG"\n')
        (place / "run.sh").chmod(0o755)
        (place / "settings.toml").write_text('[env]\nLONG = "61"\n')
        (place / "sub").mkdir()
        with cluster.start(["./run.sh"], "--config", "settings.toml", cwd=folder) as run:
            before = cluster.service(run)
            until(lambda: os.readlink(f"/proc/{run.pid}/cwd") == "/", "/ as working directory")
            assert os.readlink(f"/proc/{before[0]}/cwd") == folder
            successor = replaced(run)
            assert os.readlink(f"/proc/{successor}/cwd") == folder
            # A reload reads the files again, from where they were meant to be.
            (place / "settings.toml").write_text('directory = "sub"\n[env]\nLONG = "62"\n')
            (place / "sub" / "run.sh").symlink_to("../run.sh")
            run.kill(signal.SIGHUP)
            for slot in (0, 1):
                pid = cluster.successor(run, slot, {0: before[0], 1: successor}[slot])
                until(lambda pid=pid: cluster.environment(pid).get("LONG") == "62", "the new environment")
                assert os.readlink(f"/proc/{pid}/cwd") == f"{folder}/sub"
            until(lambda: os.readlink(f"/proc/{run.pid}/cwd") == "/", "/ again")


def test_a_release_put_in_the_place_of_the_starting_directory_is_what_starts_next():
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        old, new = Path(folder, "app"), Path(folder, "new")
        old.mkdir()
        new.mkdir()
        with cluster.start(SLEEP, cwd=str(old)) as run:
            cluster.service(run)
            old.rename(Path(folder, "old"))
            new.rename(old)
            assert os.readlink(f"/proc/{replaced(run)}/cwd") == str(old)


def test_workers_have_the_standard_descriptors_and_their_channel_and_nothing_of_ours():
    for log in ("inherit", "lines"):
        with cluster.start(SLEEP, "--log", log) as run:
            for pid in first_and_successor(run):
                is_exec_of(pid, "sleep")
                assert descriptors(pid) == [0, 1, 2, 3]
                assert os.readlink(f"/proc/{pid}/fd/3").startswith("socket:")
                assert cluster.environment(pid)["NODE_CHANNEL_FD"] == "3"


def test_inherited_descriptors_reach_every_worker_and_none_gives_way_to_the_channel():
    read, write = os.pipe()
    try:
        # 3 is what `exec 3>&1` of an entrypoint script leaves behind, 7 what podman --preserve-fds passes.
        def passed_on():
            os.dup2(write, 3)
            os.dup2(write, 7)

        with cluster.start(["sh", "-c", "echo $NODEINIT_SLOT >&7; exec sleep 60"], pass_fds=(3, 7),
                           setup=passed_on) as run:  # fmt: skip
            for pid in first_and_successor(run):
                is_exec_of(pid, "sleep")
                for number in (3, 7):
                    assert os.stat(f"/proc/{pid}/fd/{number}").st_ino == os.fstat(write).st_ino
                channel = int(cluster.environment(pid)["NODE_CHANNEL_FD"])
                assert descriptors(pid) == sorted({0, 1, 2, 3, 7, channel, *inherited_by_stage(run)})
            assert sorted(os.read(read, 100).split()) == [b"0", b"1", b"1"]
    finally:
        os.close(read)
        os.close(write)


def inherited_by_stage(run):
    """Descriptors of the test machinery itself; 0–2 alone, if all is well."""
    return {0, 1, 2}


def test_descriptors_closed_at_the_start_are_closed_in_the_workers():
    stage = ["-p", "-x", "0", "-x", "1", "-x", "2"]
    with cluster.start(SLEEP, stage=stage) as run:
        for pid in first_and_successor(run):
            is_exec_of(pid, "sleep")
            for number in (0, 1, 2):
                there = f"/proc/{pid}/fd/{number}"
                assert not os.path.exists(there) or os.readlink(there) == "/dev/null"
        run.kill(signal.SIGTERM)
        run.expect(0)


@pytest.mark.parametrize("closed", [0, 1, 2])
@pytest.mark.parametrize("log", ["inherit", "lines"])
def test_a_closed_standard_descriptor_does_no_harm(closed, log):
    with cluster.start(["sh", "-c", "echo out; echo err >&2; exec sleep 60"], "--log", log,
                       stage=["-p", "-x", str(closed)]) as run:  # fmt: skip
        first_and_successor(run)
        run.kill(signal.SIGTERM)
        run.expect(0)


@pytest.mark.parametrize("broken", ["stdout", "stderr"])
def test_a_broken_pipe_for_output_does_no_harm(broken):
    read, write = os.pipe()
    os.close(read)
    words = ["sh", "-c", "trap '' PIPE; echo out; echo err >&2; exec sleep 60"]
    with cluster.start(words, "--log", "lines", "--log-level", "debug", **{broken: write}) as run:
        os.close(write)
        first_and_successor(run)
        run.kill(signal.SIGTERM)
        run.expect(0)


LISTENER = """
const http = require('http')
http.createServer((_, answer) => answer.end(process.env.LISTEN_PID === String(process.pid) ? 'mine' : 'not mine'))
  .listen({ fd: 3 })
"""


def test_socket_activation_reaches_every_worker_and_names_it():
    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        Path(folder, "server.js").write_text(LISTENER)
        env = {"PATH": PATH, "HOME": "/tmp", "LISTEN_FDS": "1", "LISTEN_PID": "1"}
        with cluster.start([node.path(22), "server.js"], "--ready", "listen", env=env, cwd=folder, pass_fds=(3,),
                           setup=lambda: os.dup2(listener.fileno(), 3)) as run:  # fmt: skip
            before = cluster.service(run)
            assert {cluster.environment(pid)["LISTEN_PID"] for pid in before.values()} == {
                harness.statuses(pid)["NSpid"].split()[-1] for pid in before.values()
            }
            answers = {subprocess.check_output(["curl", "-s", f"http://127.0.0.1:{port}/"]) for _ in range(10)}
            assert answers == {b"mine"}
            replaced(run)
            assert {subprocess.check_output(["curl", "-s", f"http://127.0.0.1:{port}/"]) for _ in range(10)} == {b"mine"}
    listener.close()


def test_a_relative_socket_path_is_where_the_application_means_it():
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        Path(folder, "server.js").write_text(
            "require('http').createServer((_, answer) => answer.end('hello')).listen('app.sock')"
        )
        with cluster.start([node.path(22), "server.js"], cwd=folder) as run:
            cluster.service(run)
            until(Path(folder, "app.sock").is_socket, "the socket")
            ask = ["curl", "-s", "--unix-socket", str(Path(folder, "app.sock")), "http://x/"]
            assert subprocess.check_output(ask) == b"hello"
            run.kill(signal.SIGTERM)
            run.expect(0)
            assert not Path(folder, "app.sock").exists()


def test_workers_die_with_nodeinit():
    with cluster.start(SLEEP, stage=[]) as run:
        pids = cluster.service(run)
        for pid in pids.values():
            is_exec_of(pid, "sleep")
        run.kill(signal.SIGKILL)
        for pid in pids.values():
            until(lambda pid=pid: (status(pid, "State") or "Z")[0] in "ZX", "the end of the worker", 1)


def test_one_thread_and_no_process_but_workers():
    with cluster.start(SLEEP) as run:
        assert sorted(cluster.service(run).values()) == sorted(run.below())
        assert run.state("Threads") == "1"


