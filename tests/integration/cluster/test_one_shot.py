"""A program that never listens runs once, ends by itself, and its code is the container's: on every Node."""

import pytest
from support import node, nodeinit

SCRIPTS = {
    "leaves at once": ("job.js", "process.exit(%d)"),
    "sets its code": ("job.js", "process.exitCode = %d"),
    "waits for a timer": ("job.js", "setTimeout(() => { process.exitCode = %d }, 300)"),
    "reads a file": ("job.js", "require('fs').readFile(__filename, () => { process.exitCode = %d })"),
    "is a module": ("job.mjs", "await new Promise(r => setTimeout(r, 50)); process.exitCode = %d"),
    "starts another program": ("job.js", "require('child_process').exec('sleep 0.2', () => { process.exitCode = %d })"),
}  # fmt: skip


def run_job(tmp_path, body, name="job.js", major=22, options=(), **env):
    """The job, and how often it has run."""
    log = tmp_path / "log"
    module = name.endswith(".mjs")
    say = "import fs from 'fs';" if module else "const fs = require('fs');"
    (tmp_path / name).write_text(f"{say} fs.appendFileSync(process.env.LOG, 'ran\\n');\n{body}\n")
    env = {"LOG": log, "NODEINIT_WORKERS": 4} | env
    done = nodeinit.run([node.path(major), tmp_path / name], options, env, cwd=tmp_path)
    return done, log.read_text().count("ran")


@pytest.mark.parametrize("major", node.MAJORS)
@pytest.mark.parametrize("how", SCRIPTS)
def test_a_job_runs_once_and_its_code_is_the_containers(tmp_path, major, how):
    name, body = SCRIPTS[how]
    done, runs = run_job(tmp_path, body % 7, name, major)
    assert (done.code, runs) == (7, 1), done


@pytest.mark.parametrize("major", node.MAJORS)
def test_a_job_that_succeeds_ends_with_0(tmp_path, major):
    done, runs = run_job(tmp_path, "console.log('done')", major=major)
    assert (done.code, runs) == (0, 1), done
    assert done.out == "done\n"


def test_an_exception_is_code_1(tmp_path):
    done, runs = run_job(tmp_path, "throw new Error('no')")
    assert (done.code, runs) == (1, 1), done
    assert "Error: no" in done.err


def test_a_job_that_dies_of_a_signal_gives_128_plus_its_number(tmp_path):
    done, runs = run_job(tmp_path, "process.kill(process.pid, 'SIGKILL')")
    assert (done.code, runs) == (137, 1), done


def test_a_job_is_restarted_when_that_was_asked_for(tmp_path):
    done, runs = run_job(tmp_path, "process.exit(6)", NODEINIT_RESTART="on-failure", NODEINIT_RESTART_LIMIT="3/60s",
                         NODEINIT_RESTART_BACKOFF="10ms..20ms")  # fmt: skip
    assert done.code == 6, done
    assert 3 <= runs <= 4, done


def test_a_job_that_is_stopped_by_sigterm_ends(tmp_path):
    (tmp_path / "job.js").write_text("setInterval(() => {}, 1000); console.log('running')")
    with nodeinit.start([node.path(), tmp_path / "job.js"]) as pid1:
        pid1.wait_line("running", "out")
        code = pid1.stop(timeout=5)
    assert code in (0, 143), pid1.told()
