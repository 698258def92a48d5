"""What a program sees of itself under nodeinit is what it sees under bare node, in every slot."""

import json
import os
import subprocess

import pytest
from support import node
from support.crowd import MAJORS, ask


SEEN = """
const {Worker} = require('worker_threads');
const {fork} = require('child_process');
if (process.argv[2] === 'child') { process.send(process.execArgv); process.disconnect(); return; }
const listeners = {};
for (const s of ['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGUSR2', 'exit', 'beforeExit', 'uncaughtException'])
  listeners[s] = process.listenerCount(s);
const seen = {
  execArgv: process.execArgv, argv: process.argv.slice(1), execPath: process.execPath, title: process.title,
  cwd: process.cwd(), umask: process.umask(), id: module.id, parent: module.parent === null ? 'null' : typeof module.parent,
  main: require.main === module, cache: Object.keys(require.cache), children: module.children.length, listeners,
  preloaded: process._preload_modules,
  env: Object.keys(process.env).filter((k) => !/^(NODEINIT_|NODE_APP_INSTANCE$)/.test(k)).sort(),
};
let missing = 2;
const came = (what, m) => { seen[what] = m; if (--missing === 0) console.log('SEEN ' + JSON.stringify(seen)); };
try {
  const thread = new Worker("require('worker_threads').parentPort.postMessage(process.execArgv)", {eval: true, execArgv: process.execArgv});
  thread.on('message', (m) => came('thread', m));
} catch (e) { came('thread', e.code); }
fork(__filename, ['child']).on('message', (m) => came('child', m));
require('http').createServer((q, r) => r.end('ok')).listen(+process.env.PORT, '127.0.0.1');
"""


def seen_in(text):
    return [json.loads(line[5:]) for line in text.splitlines() if line.startswith("SEEN ")]


@pytest.mark.parametrize("major", MAJORS)
@pytest.mark.parametrize("options", [(), ("--trace-warnings",), ("--max-old-space-size=300",)], ids=["none", "one", "heap"])
def test_a_program_sees_what_it_sees_under_bare_node(program, tmp_path, major, options):
    pid1, port = program(SEEN, major, arguments=options)
    pid1.wait_for(lambda: len(seen_in(pid1.out)) == 2)
    environment = {"PATH": os.environ["PATH"], "HOME": "/tmp", "PORT": "0"}
    bare = subprocess.Popen([node.path(major), *options, tmp_path / "app.js"], env=environment, stdout=subprocess.PIPE, text=True)
    try:
        want = json.loads(next(line for line in bare.stdout if line.startswith("SEEN "))[5:])
    finally:
        bare.kill()
        bare.wait()
    for got in seen_in(pid1.out):
        assert got == want


@pytest.mark.parametrize("major", MAJORS)
def test_a_register_hook_compiles_the_main_file(program, tmp_path, major):
    (tmp_path / "register.js").write_text(
        "const old = require.extensions['.js']; require.extensions['.js'] = (m, f) => f.endsWith('app.js')"
        " ? m._compile(require('fs').readFileSync(f, 'utf8').replace('PLUS', '+'), f) : old(m, f);"
    )
    script = "require('http').createServer((q, r) => r.end(String(1 PLUS 1))).listen(+process.env.PORT, '127.0.0.1');"
    _, port = program(script, major, arguments=("-r", tmp_path / "register.js"))
    assert ask(port) == (200, "2")


@pytest.mark.parametrize("major", MAJORS)
def test_an_error_at_top_level_is_an_uncaught_exception(program, major):
    script = "process.on('uncaughtException', (e, origin) => { console.log('origin', origin); process.exit(3); }); throw new Error('x');"
    pid1, _ = program(script, major, ready=False)
    assert pid1.wait(10) == 3
    assert pid1.out.strip().endswith("origin uncaughtException")


def test_a_cluster_of_its_own_is_told_once_that_its_primary_does_not_run(program):
    pid1, _ = program("""
const cluster = require('cluster');
if (cluster.isPrimary) setInterval(() => console.log('cron'), 200);
else require('http').createServer((q, r) => r.end('ok')).listen(+process.env.PORT, '127.0.0.1');
""")
    pid1.wait_line(r"asks cluster\.isPrimary \(.*app\.js:3:\d+\)")
    assert pid1.err.count("cluster.isPrimary") == 1
    assert "cron" not in pid1.out


def test_the_module_leaves_no_file_behind(program):
    before = {name for name in os.listdir("/dev/shm") if name.startswith("nodeinit-")}
    pid1, _ = program("require('http').createServer((q, r) => r.end('ok')).listen(+process.env.PORT, '127.0.0.1');")
    during = {name for name in os.listdir("/dev/shm") if name.startswith("nodeinit-")} - before
    assert len(during) == 1
    assert pid1.stop() == 0
    assert not during & set(os.listdir("/dev/shm"))


def test_a_file_that_somebody_meddled_with_is_made_anew(program):
    before = set(os.listdir("/dev/shm"))
    pid1, port = program("require('http').createServer((q, r) => r.end('ok')).listen(+process.env.PORT, '127.0.0.1');")
    (folder,) = (name for name in set(os.listdir("/dev/shm")) - before if name.startswith("nodeinit-"))
    file = f"/dev/shm/{folder}/inside.cjs"
    os.unlink(file)
    with open(file, "w") as out:
        out.write("process.exit(9)")
    assert pid1.ctl("reload").code == 0
    assert ask(port)[0] == 200
