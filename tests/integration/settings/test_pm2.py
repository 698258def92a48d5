"""Ecosystem files as they are found in the wild, and pm2-runtime's command line."""

import os
import subprocess
from pathlib import Path

import pytest

from support import node, nodeinit

FIXTURES = nodeinit.TOP / "tests" / "fixtures" / "pm2"
FILES = sorted(path.name for path in FIXTURES.iterdir() if path.suffix != ".expected")


def environment():
    return {"PATH": f"{Path(node.path()).parent}:{nodeinit.PATH}"}


@pytest.mark.parametrize("name", FILES)
def test_an_ecosystem_file_has_its_expected_outcome(name, tmp_path):
    done = subprocess.run([nodeinit.binary(), "ctl", "import-pm2", name], cwd=FIXTURES, env=environment(),
                          capture_output=True, text=True, timeout=40)  # fmt: skip
    ours = [line for line in done.stderr.splitlines() if line.startswith("nodeinit ctl:")]
    text = done.stdout if done.returncode == 0 else "\n".join(ours) + "\n"
    assert f"exit {done.returncode}\n{text}" == (FIXTURES / f"{name}.expected").read_text()
    if done.returncode == 0:
        (tmp_path / "n.toml").write_text(done.stdout)
        check = subprocess.run([nodeinit.binary(), "--config", tmp_path / "n.toml", "--check"],
                               env=environment(), capture_output=True, text=True, timeout=20)  # fmt: skip
        assert (check.returncode, check.stderr) == (0, "")


def pm2_runtime(tmp_path):
    link = tmp_path / "pm2-runtime"
    os.symlink(nodeinit.binary(), link)
    return str(link)


def test_under_the_name_pm2_runtime_a_script_runs_with_its_words(tmp_path):
    (tmp_path / "once.js").write_text("console.log(process.argv.slice(2).join(), process.env.NODE_APP_INSTANCE + process.env.pm_id)\n")
    command = [pm2_runtime(tmp_path), "start", "once.js", "-i", "2", "--no-autorestart", "--raw", "--", "--server", "x"]
    done = subprocess.run(command, cwd=tmp_path, env={**environment(), "NODEINIT_CONTROL": "off"},
                          capture_output=True, text=True, timeout=60)  # fmt: skip
    assert (done.returncode, done.stdout) == (0, "--server,x 00\n"), done.stderr
    assert "nodeinit: --raw: not needed: lines come out as they are\n" in done.stderr


def test_a_javascript_ecosystem_file_is_evaluated_at_the_start(tmp_path):
    (tmp_path / "once.js").write_text("console.log(process.env.WHO); process.exit(3)\n")
    (tmp_path / "ecosystem.config.js").write_text(
        "module.exports = {apps: [{script: 'once.js', autorestart: false, env_production: {WHO: 'prod'}}]}\n")
    done = subprocess.run([pm2_runtime(tmp_path), "ecosystem.config.js", "--env", "production"], cwd=tmp_path,
                          env={**environment(), "NODEINIT_CONTROL": "off"}, capture_output=True, text=True, timeout=60)  # fmt: skip
    assert (done.returncode, done.stdout) == (3, "prod\n"), done.stderr


@pytest.mark.parametrize("words, message", [
    (["app.js", "--instnaces", "2"], "nodeinit: --instnaces: unknown option; did you mean --instances?"),
    ([], "nodeinit: pm2-runtime: needs a script or an ecosystem file"),
    (["app.js", "-i"], "nodeinit: -i: needs a value"),
    (["app.js", "other.js"], "nodeinit: other.js: one file is enough; words for the program itself follow --"),
])  # fmt: skip
def test_wrong_words_for_pm2_runtime_are_refused(words, message, tmp_path):
    done = subprocess.run([pm2_runtime(tmp_path), *words], env=environment(), capture_output=True, text=True, timeout=20)
    assert done.returncode == 64
    assert done.stderr.splitlines()[0] == message
