"""Programs with ideas of their own: which port they take, what they write, when they are a job."""

import os

import pytest
from support import crowd, node, nodeinit

# What port-finding servers do: see whether somebody answers on the port, and take any other then.
SWITCHER = """
const net = require('net'), http = require('http');
net.connect(+process.env.PORT, '127.0.0.1').once('connect', () => go(0)).once('error', () => go(+process.env.PORT));
function go(port) { http.createServer((q, r) => r.end('ok')).listen(port, '127.0.0.1'); }
"""


def test_a_reload_of_a_program_that_switches_ports_stops_and_the_old_worker_serves_on(program):
    pid1, port = program(SWITCHER, workers=1)
    done = pid1.ctl("reload")
    assert done.code == 1
    assert "listens nowhere where the worker before it does" in pid1.err and "NODEINIT_MODE=single" in pid1.err
    assert crowd.ask(port) == (200, "ok")
    assert pid1.stop() == 0


@pytest.mark.parametrize("workers", [1, 2])
def test_a_port_for_each_worker_is_no_switch(program, workers):
    script = """require('http').createServer((q, r) => r.end('ok'))
                  .listen(+process.env.PORT + require('cluster').worker.id, '127.0.0.1');"""
    pid1, _ = program(script, workers=workers)
    assert pid1.ctl("reload").code == 0


def test_several_of_a_program_that_switches_ports_are_told_of_once(program):
    pid1, port = program(SWITCHER, workers=3)
    assert crowd.ask(port) == (200, "ok")
    assert pid1.err.count("takes another port when its own is busy") == 1
    assert "NODEINIT_MODE=single" in pid1.err


PROMPT = """
process.stdout.write('Password: ');
process.stdin.once('data', (text) => { process.stdout.write(`hello ${text}`); });
setTimeout(() => {}, 60000);
"""


@pytest.mark.parametrize("log", ["auto", "lines", "prefix"])
def test_a_prompt_is_seen_while_one_worker_runs(tmp_path, log):
    (tmp_path / "app.js").write_text(PROMPT)
    read, write = os.pipe()
    settings = {"NODEINIT_WORKERS": 2, "NODEINIT_MODE": "cluster", "NODEINIT_LOG": log}
    with nodeinit.start([node.path(24), tmp_path / "app.js"], env=settings, stdin=read) as pid1:
        pid1.wait_for(lambda: pid1.out.endswith("Password: "), what="a prompt")
        os.write(write, b"me\n")
        pid1.wait_for(lambda: pid1.out.endswith("Password: hello me\n"), what="an answer behind it")
    os.close(write)
    os.close(read)


def test_beside_others_a_prompt_is_seen_after_a_pause_and_whole_lines_stay_whole(program):
    script = """
    require('net').createServer().listen(+process.env.PORT);
    const line = 'x'.repeat(3000);
    if (process.env.NODEINIT_SLOT === '0') setTimeout(() => process.stdout.write('50%'), 2000);
    else for (let i = 0; i < 300; ++i) process.stdout.write(line + '\\n');
    """
    pid1, _ = program(script, workers=3)
    pid1.wait_for(lambda: "50%" in pid1.out, what="text without a newline")
    lines = pid1.out.split("\n")
    assert lines[-1] == "50%"
    assert set(lines[:-1]) == {"x" * 3000} and len(lines) == 601


JOB = """
console.log('RUN');
require('http').createServer((q, r) => r.end('ok')).listen(+process.env.PORT, '127.0.0.1');
setTimeout(() => process.exit(0), 500);
"""


@pytest.mark.parametrize("sign", ["JOB_COMPLETION_INDEX", "CLOUD_RUN_JOB", "AWS_BATCH_JOB_ID"])
def test_where_the_platform_says_job_a_program_with_a_metrics_port_runs_once(tmp_path, sign):
    (tmp_path / "app.js").write_text(JOB)
    settings = {"PORT": nodeinit.free_port(), "NODEINIT_WORKERS": 2, sign: "0"}
    done = nodeinit.run([node.path(24), tmp_path / "app.js"], env=settings)
    assert (done.code, done.out.count("RUN")) == (0, 1)
    assert f"{sign} is set, so this is a job: one process, once" in done.err
