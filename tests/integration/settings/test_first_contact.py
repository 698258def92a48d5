"""The mistakes that newcomers make: each is told once, whatever the number of workers, with its cause and what may help."""

import os
import socket

import pytest
from support import node, nodeinit

SERVER = "require('node:http').createServer((_, answer) => answer.end('ok')).listen(process.env.PORT);"
TWO = ["--workers", "2"]


def fails(tmp_path, script, code=1, options=TWO, **how):
    """What nodeinit says of a program that ends at its first start."""
    (tmp_path / "app.js").write_text(script)
    ended = nodeinit.run([node.path(22), "app.js"], options, cwd=tmp_path, **how)
    assert ended.code == code, ended.err
    assert ended.err.count("died:") <= 1 and "restarting" not in ended.err, ended.err
    return ended.err


def open_to_all(folder):
    if os.geteuid() != 0:
        pytest.skip("needs root to be somebody else")
    for each in (folder, *folder.parents):
        os.chmod(each, os.stat(each).st_mode | 0o011)


def told_once(err, *texts):
    for text in texts:
        assert err.count(text) == 1, f"{text!r}\n{err}"


def test_a_port_that_is_taken(tmp_path):
    with socket.create_server(("::", 0), family=socket.AF_INET6, dualstack_ipv6=True) as taken:
        port = taken.getsockname()[1]
        err = fails(tmp_path, SERVER, env={"PORT": port})
    told_once(err, f"cannot bind [::]:{port}: Address already in use", "another process on this network listens there")


def test_a_port_that_is_taken_is_tried_again_where_that_was_asked_for(tmp_path):
    (tmp_path / "app.js").write_text(SERVER)
    with socket.create_server(("::", 0), family=socket.AF_INET6, dualstack_ipv6=True) as taken:
        port = taken.getsockname()[1]
        options = [*TWO, "--restart", "always"]
        pid1 = nodeinit.start([node.path(22), "app.js"], options, {"PORT": port}, cwd=tmp_path)
        with pid1:
            pid1.wait_line("died: exit code 1.*; restarting in")
            taken.close()
            pid1.wait_line(r"slot 1: worker \d+ is ready")
            assert pid1.stop() == 0


def test_a_port_that_is_taken_later_is_tried_again(tmp_path):
    script = "const net = require('node:net'); net.createServer().listen(process.env.FREE);" + SERVER
    (tmp_path / "app.js").write_text(script)
    with socket.create_server(("::", 0), family=socket.AF_INET6, dualstack_ipv6=True) as taken:
        env = {"PORT": taken.getsockname()[1], "FREE": nodeinit.free_port()}
        with nodeinit.start([node.path(22), "app.js"], TWO, env, cwd=tmp_path) as pid1:
            # A server it is by its other port.
            pid1.wait_line("; restarting in")
            taken.close()
            pid1.wait_line(r"slot 1: worker \d+ is ready")
            assert pid1.stop() == 0


def test_a_port_that_is_forbidden(tmp_path):
    (tmp_path / "app.js").write_text(SERVER)
    open_to_all(tmp_path)
    ended = nodeinit.run([node.path(22), "app.js"], TWO, env={"PORT": 80}, cwd=tmp_path, user=12345,
                         namespaces={"net"})  # fmt: skip
    if ended.code == 0:
        pytest.skip("this kernel lets everybody listen there")
    assert ended.code == 1
    told_once(ended.err, "Permission denied; this user may not listen below 1024")


@pytest.mark.parametrize("script, why", [
    ("require('express');", "is it in package.json, and was npm ci run in the image?"),
    ("require('./routes');", "is the file in the image"),
    ("require('node:fs').writeFileSync('/proc/version', '');", "the user that runs it may not"),
    ("const x = ;", "SyntaxError"),
    ("import x from 'node:fs'; require('y');", ""),
])  # fmt: skip
def test_a_program_that_cannot_start(tmp_path, script, why):
    user = 12345 if "proc" in script else None
    if user:
        open_to_all(tmp_path)
    err = fails(tmp_path, script, user=user)
    if why:
        assert why in err, err


def test_a_file_that_is_not_there(tmp_path):
    ended = nodeinit.run([node.path(22), "sever.js"], TWO, cwd=tmp_path)
    assert ended.code == 1
    told_once(ended.err, "(is the file in the image, and the working directory right?)")


def test_no_node(tmp_path):
    ended = nodeinit.run(["node", "app.js"], TWO, env={"PATH": "/nowhere"}, cwd=tmp_path, pid1=False)
    assert ended.code == 127
    assert "cannot execute node: not found in PATH" in ended.err


@pytest.mark.parametrize("name, value, hint", [
    ("NODEINIT_GRACE", "30", "did you mean 30s?"),
    ("NODEINIT_MAX_MEMORY", "512", "did you mean 512M?"),
    ("NODEINIT_WORKERS", "two", "allowed: auto, max, N"),
])  # fmt: skip
def test_a_wrong_setting(tmp_path, name, value, hint):
    ended = nodeinit.run(["true"], env={name: value}, cwd=tmp_path)
    assert ended.code == 78
    told_once(ended.err, hint)


def test_nothing_at_all_and_help():
    alone = nodeinit.run([], pid1=False)
    assert alone.code == 64 and "such as: nodeinit node server.js" in alone.err and "--help" in alone.err
    asked = nodeinit.run([], ["help"], pid1=False)
    assert asked.code == 0 and asked.out == nodeinit.run([], ["--help"], pid1=False).out
