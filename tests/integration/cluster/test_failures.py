"""What nodeinit says, and with which code it ends, when things go wrong."""

import pytest
from support import node, nodeinit

# Serves the first time, ends a moment later, and from then on cannot start: a crash loop.
LOOP = """
const fs = require('fs');
if (fs.existsSync(process.env.MARK)) process.exit(5);
require('http').createServer().listen(0, () => { fs.writeFileSync(process.env.MARK, ''); process.exit(5); });
"""


def test_a_crash_loop_ends_with_the_code_of_the_worker(tmp_path):
    (tmp_path / "server.js").write_text(LOOP)
    env = {"MARK": tmp_path / "mark", "NODEINIT_WORKERS": 2, "NODEINIT_RESTART_LIMIT": "3/60s",
           "NODEINIT_RESTART_BACKOFF": "10ms..50ms"}  # fmt: skip
    done = nodeinit.run([node.path(), tmp_path / "server.js"], env=env)
    assert done.code == 5, done


def test_a_worker_that_never_gets_ready_ends_the_container(tmp_path):
    (tmp_path / "server.js").write_text("setInterval(() => {}, 1000)")
    env = {"NODEINIT_WORKERS": 2, "NODEINIT_READY": "message", "NODEINIT_READY_TIMEOUT": "300ms",
           "NODEINIT_RESTART_LIMIT": "2/60s", "NODEINIT_RESTART_BACKOFF": "10ms..50ms"}  # fmt: skip
    done = nodeinit.run([node.path(), tmp_path / "server.js"], env=env)
    assert done.code != 0, done


@pytest.mark.parametrize("mode", ["single", "cluster", "auto"])
def test_a_command_that_does_not_exist_is_127(tmp_path, mode):
    done = nodeinit.run([tmp_path / "no" / "node", "server.js"], env={"NODEINIT_MODE": mode})
    assert done.code == 127, done
    assert "no/node" in done.err


@pytest.mark.parametrize("mode", ["single", "cluster", "auto"])
def test_a_command_that_may_not_be_executed_is_126(tmp_path, mode):
    plain = tmp_path / "node"
    plain.write_text("text")
    plain.chmod(0o644)
    done = nodeinit.run([plain, "server.js"], env={"NODEINIT_MODE": mode})
    assert done.code == 126, done


@pytest.mark.parametrize(
    ("variable", "value", "allowed"),
    [
        ("NODEINIT_WORKERS", "many", "auto"),
        ("NODEINIT_WORKERS", "0", "auto"),
        ("NODEINIT_GRACE", "5 parsecs", "5s"),
        ("NODEINIT_GRACE", "10", "s"),
        ("NODEINIT_MODE", "clustre", "cluster"),
        ("NODEINIT_BALANCE", "fair", "round-robin"),
        ("NODEINIT_RESTART_LIMIT", "often", "/"),
    ],
)
def test_a_wrong_value_is_78_and_says_variable_value_and_what_is_allowed(variable, value, allowed):
    done = nodeinit.run(["true"], env={variable: value})
    assert done.code == 78, done
    assert variable in done.err and value in done.err and allowed in done.err, done.err


def test_all_wrong_values_are_told_at_once():
    env = {"NODEINIT_WORKERS": "many", "NODEINIT_GRACE": "soon", "NODEINIT_HEAP": "big"}
    done = nodeinit.run(["true"], env=env)
    assert done.code == 78
    assert all(name in done.err for name in env), done.err


def test_an_unknown_variable_is_a_warning_with_a_proposal():
    done = nodeinit.run(["true"], env={"NODEINIT_WORKRES": "2"})
    assert done.code == 0, done
    assert "NODEINIT_WORKRES" in done.err and "NODEINIT_WORKERS" in done.err, done.err


def test_an_unknown_option_is_64_with_a_proposal():
    done = nodeinit.run(["true"], ["--worker", "2"])
    assert done.code == 64, done
    assert "--worker" in done.err and "--workers" in done.err, done.err


def test_no_command_is_64():
    assert nodeinit.run([]).code == 64


@pytest.mark.parametrize("code", [0, 1, 42, 255])
def test_in_single_mode_the_code_is_passed_on(code):
    assert nodeinit.run(["sh", "-c", f"exit {code}"]).code == code
