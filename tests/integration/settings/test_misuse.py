"""What is written wrongly: the exact words, exit code 78 (64 for the command line), and nothing was started."""

import os
import subprocess

import pytest

from support import nodeinit

ONE = "nodeinit: nothing was started: 1 problem\n"
TOML = """wrokers = 2
grace = "soon"
[[program]]
name = "a"
command = "node a.js"
[[program]]
name = "a"
command = "node b.js"
"""


def say(folder, *words, **env):
    marker = folder / "started"
    command = [nodeinit.binary(), *words]
    if "--" not in words:
        command += ["--", "/bin/sh", "-c", f"touch {marker}"]
    done = subprocess.run(command, cwd=folder, env={"PATH": nodeinit.PATH, **env}, capture_output=True, timeout=30)
    assert not marker.exists(), "something was started"
    assert done.stdout == b""
    return done.returncode, done.stderr.decode(errors="surrogateescape")


@pytest.mark.parametrize("words, env, told", [
    (["--config", "nowhere.toml"], {}, "--config: cannot open nowhere.toml: No such file or directory"),
    ([], {"NODEINIT_CONFIG": "nowhere.toml"}, "NODEINIT_CONFIG: cannot open nowhere.toml: No such file or directory"),
    (["--config", "."], {}, "--config: cannot read .: Is a directory"),
    (["--config", "/dev/zero"], {}, "--config: cannot read /dev/zero: File too large"),
    (["--grace", "5x"], {}, '--grace: cannot use "5x" for grace; allowed: a time such as 250ms, 5s, 2m or 24h'),
    ([], {"NODEINIT_GRACE": "5x"},
     'NODEINIT_GRACE: cannot use "5x" for grace; allowed: a time such as 250ms, 5s, 2m or 24h'),
    (["--env-file", "."], {}, "--env-file: cannot read .: Is a directory"),
    (["--control", "/" + "x" * 107], {},
     f'--control: cannot use "/{"x" * 79}…" for control; allowed: auto, off, or an absolute path or @name of at most '
     "107 bytes"),
])  # fmt: skip
def test_one_wrong_thing_is_told_with_its_place(tmp_path, words, env, told):
    assert say(tmp_path, *words, **env) == (78, f"nodeinit: {told}\n{ONE}")


def test_all_problems_of_a_file_are_told_at_once(tmp_path):
    (tmp_path / "n.toml").write_text(TOML)
    assert say(tmp_path, "--config", "n.toml", "--") == (78, (
        'nodeinit: n.toml:1:1: unknown key "wrokers"; did you mean workers?\n'
        'nodeinit: n.toml:2:9: cannot use "soon" for grace; allowed: a time such as 250ms, 5s, 2m or 24h\n'
        'nodeinit: n.toml:6:1: two programs are called "a"\n'
        "nodeinit: nothing was started: 3 problems\n"
    ))  # fmt: skip


def test_an_unreadable_file_is_told(tmp_path):
    if os.geteuid() != 0:
        pytest.skip("needs root to be somebody else")
    (tmp_path / "n.toml").write_text("")
    (tmp_path / "n.toml").chmod(0)
    for folder in (tmp_path, *tmp_path.parents):
        os.chmod(folder, os.stat(folder).st_mode | 0o001)
    done = subprocess.run(["setpriv", "--reuid=12345", "--regid=12345", "--clear-groups", nodeinit.binary(),
                           "--config", tmp_path / "n.toml", "true"],
                          env={"PATH": nodeinit.PATH}, capture_output=True, text=True, timeout=30)  # fmt: skip
    path = tmp_path / "n.toml"
    assert (done.returncode, done.stderr) == (78, f"nodeinit: --config: cannot open {path}: Permission denied\n{ONE}")


def test_a_megabyte_of_garbage_is_one_problem(tmp_path):
    (tmp_path / "n.toml").write_bytes(bytes(range(128, 256)) * 8000)
    told = "nodeinit: n.toml:1:1: Encountered invalid utf-8 sequence\n"
    assert say(tmp_path, "--config", "n.toml") == (78, told + ONE)


def test_words_that_are_no_option_get_a_hint(tmp_path):
    assert say(tmp_path, "--workres", "3") == (64, (
        "nodeinit: --workres: unknown option; did you mean --workers?\n"
        "nodeinit: nothing was started; nodeinit --help shows the options\n"
    ))  # fmt: skip
    assert say(tmp_path, "--") == (64, (
        "nodeinit: command line: no command to run, such as: nodeinit node server.js\n"
        "nodeinit: nothing was started; nodeinit --help shows the options\n"
    ))  # fmt: skip


def test_an_unknown_variable_is_only_a_warning(tmp_path):
    done = subprocess.run([nodeinit.binary(), "echo", "runs"], env={"PATH": nodeinit.PATH, "NODEINIT_WORKRES": "3"},
                          capture_output=True, text=True, timeout=30)  # fmt: skip
    told = "nodeinit: NODEINIT_WORKRES: unknown variable, ignored; did you mean NODEINIT_WORKERS?\n"
    assert (done.returncode, done.stdout, done.stderr) == (0, "runs\n", told)
