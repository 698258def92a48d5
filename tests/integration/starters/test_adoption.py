"""Whatever starts Node: the process that listens first, below a command that is run as it is, has siblings."""

import json
import os
import signal
import subprocess
from pathlib import Path

import pytest
from support import crowd, node, nodeinit

APP = """
require('http').createServer((q, r) => {
  r.setHeader('connection', 'close');
  const env = Object.keys(process.env).filter((k) => !/^(NODEINIT_SLOT|NODE_APP_INSTANCE|NODE_UNIQUE_ID|NODE_CHANNEL|_$)/.test(k)).sort();
  r.end(JSON.stringify({pid: process.pid, args: process.argv.slice(2), execArgv: process.execArgv, env, X: process.env.X || null,
    cwd: process.cwd(), worker: require('cluster').isWorker, id: require('cluster').worker.id > 0, title: process.title,
    uid: process.getuid(), options: process.env.NODE_OPTIONS || null, slot: process.env.NODEINIT_SLOT}));
}).listen(+process.env.PORT, '127.0.0.1', () => console.log('up ' + process.env.NODEINIT_SLOT));
"""
# What `dotenv --`, env-cmd, cross-env and their like do.
WRAP = """#!/usr/bin/env node
const child = require('child_process').spawn(process.argv[2], process.argv.slice(3), {stdio: 'inherit', env: {...process.env, X: '1'}});
for (const name of ['SIGTERM', 'SIGINT']) process.on(name, () => child.kill(name));
child.on('exit', (code) => process.exit(code === null ? 1 : code));
"""
# The official image's.
ENTRY = """#!/bin/sh
set -e
if [ "${1#-}" != "${1}" ] || [ -z "$(command -v "${1}")" ] || { [ -f "${1}" ] && ! [ -x "${1}" ]; }; then
  set -- node "$@"
fi
exec "$@"
"""


@pytest.fixture
def below(tmp_path):
    """A function: the command runs under nodeinit in a folder with app.js and these files; @ is that folder."""
    opened = []
    for folder in [tmp_path, *tmp_path.parents][:-1]:
        folder.chmod(folder.stat().st_mode | 0o055)

    def start(command, files=None, major=24, workers=2, **env):
        for name, text in ({"app.js": APP, "wrap": WRAP, "entry.sh": ENTRY} | (files or {})).items():
            (tmp_path / name).write_text(text)
            (tmp_path / name).chmod(0o755)
        port = nodeinit.free_port()
        path = f"{Path(node.path(major)).parent}:{tmp_path}:{nodeinit.PATH}"
        settings = {"PORT": port, "NODEINIT_WORKERS": workers, "PATH": path, "NODEINIT_LOG": "inherit"} | env
        words = [word.replace("@", str(tmp_path)) for word in command]
        pid1 = nodeinit.start(words, env=settings, cwd=tmp_path)
        opened.append(pid1)
        return pid1, port

    yield start
    for pid1 in opened:
        pid1.close()


def answers(pid1, port, number=2):
    """What each of so many workers says, by pid."""
    said = {}

    def asked():
        status, text = crowd.ask(port)
        if status == 200:
            answer = json.loads(text)
            said[answer["pid"]] = answer
        return len(said) >= number

    pid1.wait_for(asked, what=f"{number} workers that answer")
    return sorted(said.values(), key=lambda answer: answer["slot"])


STARTERS = {
    "a script": (["sh", "start.sh"], {"start.sh": "set -e\nexport X=1\nnode -e 0\nnode app.js a\n"}),
    "a script that execs": (["./start.sh"], {"start.sh": "#!/bin/sh\nexport X=1\nexec node app.js a\n"}),
    "the official entrypoint": (["./entry.sh", "node", "app.js", "a"], {}),
    "a wrapper": (["@/wrap", "node", "app.js", "a"], {}),
    "migrate, then serve": (["sh", "-c", "node migrate.js && X=1 node app.js a"], {"migrate.js": "console.log('MIGRATED')"}),
    "cd": (["sh", "-c", "cd .. && cd - >/dev/null && X=1 node app.js a & wait"], {}),
    "an absolute path of node": (["sh", "-c", "X=1 NODE app.js a; true"], {}),
    "options of node": (["sh", "-c", "X=1 node --stack-trace-limit=20 app.js a; true"], {}),
}


@pytest.mark.parametrize("major", crowd.MAJORS)
@pytest.mark.parametrize("name", STARTERS)
def test_who_listens_first_has_siblings_that_are_as_it_is(below, name, major):
    if name != "a script" and major not in (20, 24):
        pytest.skip("one starter on every Node, every starter on two")
    command, files = STARTERS[name]
    command = [word.replace("NODE", str(node.path(major))) for word in command]
    pid1, port = below(command, files, major)
    first, second = answers(pid1, port)
    for key in ("args", "execArgv", "env", "X", "cwd", "worker", "id", "uid", "options", "title"):
        assert first[key] == second[key], key
    assert first["args"] == ["a"] and first["worker"] and first["options"] is None
    assert pid1.out.count("MIGRATED") <= 1
    assert (first["slot"], second["slot"]) == ("0", "1")
    assert not any(name.startswith("NODEINIT_ADOPT") for name in first["env"])
    assert pid1.stop() == 0
    assert not pid1.processes()


def test_the_last_lines_of_a_script_run_at_a_stop(below):
    pid1, port = below(["sh", "start.sh"], {"start.sh": "node app.js a\necho LAST $?\n"})
    answers(pid1, port)
    assert pid1.stop() == 0
    assert "LAST " in pid1.out


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_a_programs_own_shutdown_and_a_trap_run(below, how):
    app = APP + "for (const s of ['SIGTERM', 'SIGINT']) process.on(s, () => { console.log('own ' + s); process.exit(3); });"
    script = "trap 'echo TRAP' EXIT\nnode app.js a\necho LAST $?\n"
    pid1, port = below(["sh", "start.sh"], {"app.js": app, "start.sh": script})
    answers(pid1, port)
    assert pid1.stop(how) == 0
    assert pid1.out.count(f"own {how.name}") == 2
    assert "LAST 3" in pid1.out and "TRAP" in pid1.out


def test_the_death_of_the_one_below_the_command_is_one_death(below):
    pid1, port = below(["sh", "start.sh"], {"start.sh": "node app.js a\necho ENDED\n"})
    first, second = answers(pid1, port)
    os.kill(next(p.pid for p in pid1.processes() if p.inner_pid == first["pid"]), signal.SIGKILL)
    pid1.wait_line("ENDED", stream="out")
    again = answers(pid1, port)
    assert {a["pid"] for a in again} != {first["pid"], second["pid"]}
    assert pid1.running()
    assert pid1.stop() == 0


def test_a_reload_replaces_all_and_loses_nothing(below):
    """What a script does after its program belongs to the end of the container: the one below it stays, idle."""
    pid1, port = below(["sh", "start.sh"], {"start.sh": "node app.js a\necho ENDED\n"})
    before = {answer["pid"] for answer in answers(pid1, port)}
    for _ in range(2):
        done = pid1.ctl("reload")
        assert done.code == 0, done.err
        assert not before & {answer["pid"] for answer in answers(pid1, port)}
    assert "ENDED" not in pid1.out
    assert pid1.stop() == 0
    assert pid1.out.count("ENDED") == 1


def test_another_user_further_down_the_chain_is_the_siblings_user(below):
    if os.geteuid() != 0:
        pytest.skip("needs root")
    pid1, port = below(["sh", "-c", "setpriv --reuid=1234 --regid=1234 --clear-groups node app.js a; true"])
    assert [answer["uid"] for answer in answers(pid1, port)] == [1234, 1234]


@pytest.mark.parametrize("narrows", ["setpriv --no-new-privs", "nice -n 5", "prlimit --core=1"])
def test_where_siblings_would_have_other_rights_there_are_none_and_a_line(below, narrows):
    pid1, port = below(["sh", "-c", f"{narrows} node app.js a; true"])
    pid1.wait_line("stays one process: its siblings would not have its rights")
    pid1.wait_port(port)
    assert "up 1" not in pid1.out


def test_a_job_runs_once_with_its_own_code(below):
    pid1, _ = below(["sh", "start.sh"], {"start.sh": "node -e 'process.exit(0)'\nnode -e 'console.log(1 + 1)'\nexit 7\n"})
    assert pid1.wait() == 7
    assert pid1.out == "2\n"


def test_what_writes_into_a_pipe_has_siblings_that_do(below):
    pid1, port = below(["sh", "-c", "node app.js a | sed -u 's/^/PRETTY /'"])
    answers(pid1, port)
    pid1.wait_for(lambda: "PRETTY up 0" in pid1.out and "PRETTY up 1" in pid1.out, what="both lines through the pipe")


def test_turned_off_it_is_one_process_and_a_line_says_so(below):
    pid1, port = below(["sh", "start.sh"], {"start.sh": "node app.js a || true\n"}, NODEINIT_ADOPT="off", NODEINIT_LOG="auto")
    pid1.wait_port(port)
    assert "Node runs as one process here" in pid1.err


def test_hup_reaches_the_command_while_nobody_was_adopted(below):
    pid1, _ = below(["sh", "start.sh"], {"start.sh": "trap 'echo HUP; exit 4' HUP\necho ready\nwhile :; do sleep 0.05; done; node app.js\n"})
    pid1.wait_line("ready", stream="out")
    pid1.send(signal.SIGHUP)
    assert pid1.wait() == 4
    assert "HUP" in pid1.out


def test_nobody_else_is_adopted(below, tmp_path):
    """A process that is not below the command, with the name and the path of the messenger in hand."""
    pid1, port = below(["sh", "start.sh"], {"start.sh": "echo BY=$NODEINIT_ADOPT_BY\nsleep 60\nnode app.js\n"})
    by = pid1.wait_line("BY=(.*)", stream="out")[1]
    name, _, program = by.partition(":")
    done = subprocess.run([program, "ctl", "adopt", name, "ask"], capture_output=True, text=True, timeout=20)
    assert done.returncode == 1 and not done.stdout.startswith("yes")
