"""The program that is shipped: one static file which needs nothing around it."""

import os
import re
import shutil
import subprocess

import pytest
from support import nodeinit

HELPER = """
#include <stdio.h>
int main(void) { puts("helper ran"); return 7; }
"""


def readelf(*options):
    done = subprocess.run(["readelf", *options, nodeinit.binary()], capture_output=True, text=True, check=True)
    return done.stdout


def test_the_program_is_static():
    assert "INTERP" not in readelf("-lW"), "it asks for a dynamic loader"
    assert "(NEEDED)" not in readelf("-dW"), "it needs a shared library"


def test_the_program_is_hardened():
    assert "Type:" in readelf("-hW") and "DYN" in readelf("-hW"), "position independent"
    assert "GNU_RELRO" in readelf("-lW")
    stack = next(line for line in readelf("-lW").splitlines() if "GNU_STACK" in line)
    assert "RWE" not in stack


def test_no_path_of_the_build_machine_is_in_the_program():
    # Not the end of a relative path: a checkout may be at /src.
    path = re.compile(rb"(?<![\w./-])" + re.escape(str(nodeinit.TOP).encode()) + rb"\b")
    with open(nodeinit.binary(), "rb") as program:
        assert not path.search(program.read())


@pytest.fixture
def empty_root(tmp_path):
    """A folder with nodeinit and a static program in it, and a function that runs nodeinit as PID 1 there."""
    if os.geteuid() != 0:
        pytest.skip("chroot needs root")
    source, root = tmp_path / "helper.c", tmp_path / "root"
    root.mkdir()
    shutil.copy(nodeinit.binary(), root / "nodeinit")
    source.write_text(HELPER)
    subprocess.run(["cc", "-static", "-o", root / "helper", source], check=True)

    def run(*words):
        command = ["unshare", "--pid", "--fork", "/usr/sbin/chroot", str(root), "/nodeinit", *words]
        return subprocess.run(command, env={}, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=30)

    return run


def test_it_runs_in_an_empty_root_file_system(empty_root):
    done = empty_root("--version")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("nodeinit ")


def test_it_runs_a_program_where_there_is_not_even_proc(empty_root):
    done = empty_root("/helper")
    assert done.returncode == 7, done
    assert done.stdout == "helper ran\n"


def test_a_missing_program_is_127_there(empty_root):
    assert empty_root("/nothing").returncode == 127
    assert empty_root("nothing").returncode == 127


def test_explain_works_without_any_file(empty_root):
    done = empty_root("--explain", "--", "node", "server.js")
    assert done.returncode == 0, done
    assert "workers" in done.stdout
