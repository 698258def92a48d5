"""What a worker does, in JavaScript: `nodeinit ctl stack`, cpu-profile, heap-snapshot, heap-stats, report."""

import json
import os
import re
import signal
import subprocess
import time

import pytest
from support import node, nodeinit

SERVER = """
class KnownThing {}
globalThis.kept = Array.from({length: 100}, () => new KnownThing());
const hangs = {
  '/loop': function endlessLoop() { for (let x = 0;;) { x = (x + 1) | 0; if (x === -5) x = 0; } },
  '/regexp': function backtracks() { return /^(a+)+$/.test('a'.repeat(50) + 'b'); },
  '/crypto': function derives() {
    for (;;) require('crypto').pbkdf2Sync('a', 'b', 300000, 32, 'sha512');
  },
  '/json': function parses() {
    const text = '[' + '{"a":[1,2,"x"]},'.repeat(1000) + '0]';
    const parseBigThing = (given) => JSON.parse(given);
    for (;;) parseBigThing(text);
  },
};
// Compiled anew each time: V8 does not know the compiled loops of before a profile began, and names their caller.
const busy = () => (0, eval)(`(function busyFunction() {
  let x = ${Math.random()};
  for (let i = 0; i < 1e7; i++) x = (x * 31 + i) | 0;
  return x;
})`)();
const server = require('http').createServer((request, response) => {
  if (request.url === '/busy') setInterval(busy, 30);
  const hang = hangs[request.url];
  if (hang) setImmediate(hang);
  response.setHeader('Connection', 'close');
  response.end(String(process.pid));
}).listen(process.env.PORT);
"""
FUNCTION = {"/loop": "endlessLoop", "/regexp": "backtracks", "/crypto": "derives", "/json": "parseBigThing"}
MAJORS = [pytest.param(major, marks=[] if major == 24 else pytest.mark.long) for major in node.MAJORS]


@pytest.fixture
def start(tmp_path):
    """Workers whose network is their own: nobody else has port 9229 there."""
    opened = []

    def begin(script=SERVER, major=24, workers=1, options=(), settings=(), ready=True, user=None, **env):
        (tmp_path / "app.js").write_text(script)
        env = {"PORT": 3000, "NODEINIT_WORKERS": workers, "NODEINIT_MODE": "cluster"} | env
        pid1 = nodeinit.start([node.path(major), *options, tmp_path / "app.js"], settings, env,
                              namespaces={"net"}, user=user)  # fmt: skip
        opened.append(pid1)
        for slot in range(workers if ready else 0):
            pid1.wait_line(rf"slot {slot}: worker \d+ is ready")
        return pid1

    yield begin
    for pid1 in opened:
        pid1.close()


def inside(pid1, *command, **how):
    return subprocess.run(["nsenter", "-t", str(pid1.pid), "-p", "-n", "-m", *command],
                          capture_output=True, text=True, timeout=90, **how)  # fmt: skip


def get(pid1, path):
    """The pid of the worker that answered."""
    code = ("import sys, urllib.request as u;"
            "print(u.urlopen('http://127.0.0.1:3000' + sys.argv[1], timeout=20).read().decode())")  # fmt: skip
    done = inside(pid1, "/usr/bin/python3", "-c", code, path)
    assert done.returncode == 0, done.stderr
    return int(done.stdout)


def slots(pid1):
    return json.loads(pid1.ctl("status", "--json").out)["programs"][0]["slots"]


def listens(pid1, port=9229):
    return f":{port:04X} 00000000:0000 0A" in inside(pid1, "cat", "/proc/net/tcp").stdout


def blocked(pid1, path):
    """The slot of the worker that now computes."""
    pid = get(pid1, path)
    (slot,) = [slot["slot"] for slot in slots(pid1) if slot["pid"] == pid]
    time.sleep(0.3)  # it has begun: what is asked too early shows an idle worker
    return slot, pid


@pytest.mark.parametrize("major", MAJORS)
@pytest.mark.parametrize("hang", list(FUNCTION))
def test_the_stack_of_a_blocked_worker(start, major, hang):
    pid1 = start(major=major, workers=2)
    slot, pid = blocked(pid1, hang)
    done = pid1.ctl("stack", str(slot), timeout=90)
    assert done.code == 0, done.err
    assert done.out.startswith(f"slot {slot}, process {pid}, JavaScript of its main thread:\n"), done.out
    assert re.search(rf"^    at .*\b{FUNCTION[hang]} .*app\.js:\d+:\d+\)$", done.out, re.MULTILINE), done.out
    assert "nodeinit-ctl" not in done.out
    pid1.wait_for(lambda: not listens(pid1), what="the inspector's port to be closed")
    assert {slot["pid"] for slot in slots(pid1)} >= {pid}  # it lives, and so does the other
    other = pid1.ctl("stack", str(1 - slot), timeout=60)
    assert (other.code, other.err) == (0, ""), other
    assert "no JavaScript runs, its event loop waits" in other.out


@pytest.mark.parametrize("major", MAJORS)
def test_a_profile_a_snapshot_figures_and_a_report(start, major):
    pid1 = start(major=major, SECRET="not-to-be-shown")
    get(pid1, "/busy")

    profile = json.loads(asked(pid1, "cpu-profile", "0", "1s"))
    assert "busyFunction" in {each["callFrame"]["functionName"] for each in profile["nodes"]}
    assert profile["samples"] and len(profile["samples"]) == len(profile["timeDeltas"])

    snapshot = json.loads(asked(pid1, "heap-snapshot", "0"))
    fields = snapshot["snapshot"]["meta"]["node_fields"]
    names = snapshot["nodes"][fields.index("name") :: len(fields)]
    assert len(snapshot["nodes"]) == snapshot["snapshot"]["node_count"] * len(fields)
    assert [snapshot["strings"][name] for name in names].count("KnownThing") >= 100

    stats = json.loads(asked(pid1, "heap-stats", "0"))
    assert stats["heap"]["heap_size_limit"] > stats["memoryUsage"]["heapUsed"] > 0
    report = asked(pid1, "report", "0")
    assert json.loads(report)["header"]["processId"] == slots(pid1)[0]["pid"]
    assert "not-to-be-shown" not in report
    pid1.wait_for(lambda: not listens(pid1), what="the inspector's port to be closed")
    assert pid1.stop() == 0


def asked(pid1, *words):
    done = pid1.ctl(*words, timeout=90)
    assert (done.code, done.err) == (0, ""), done.err[:2000]
    return done.out


def test_a_busy_worker_is_asked_again_and_again_and_its_inspector_stays_closed(start):
    pid1 = start()
    get(pid1, "/busy")
    for _ in range(5):
        asked(pid1, "heap-stats", "0")
    pid1.wait_for(lambda: not listens(pid1), what="the inspector's port to be closed")
    get(pid1, "/")  # its event loop has turned since
    assert not listens(pid1)
    assert pid1.err.count("Debugger attached.") == 5


def test_an_inspector_that_was_open_stays_open(start):
    pid1 = start(workers=2, options=["--inspect"])
    assert listens(pid1, 9229) and listens(pid1, 9230)
    for slot in (0, 1):
        assert asked(pid1, "stack", str(slot)).startswith(f"slot {slot}, process ")
    assert listens(pid1, 9229) and listens(pid1, 9230)


def test_a_port_of_the_systems_choice_is_found(start):
    pid1 = start(options=["--inspect=0"])
    assert asked(pid1, "stack", "0").startswith("slot 0, process ")


def test_the_workers_own_user_needs_no_right(start, tmp_path):
    for folder in [tmp_path, *tmp_path.parents][:-1]:
        folder.chmod(folder.stat().st_mode | 0o055)
    become = ["setpriv", "--reuid=4321", "--regid=4321", "--clear-groups", "--bounding-set=-all", "--inh-caps=-all",
              "--no-new-privs"]  # fmt: skip
    pid1 = start(user=4321)
    # No file is written, wherever one could be.
    frozen = ["unshare", "--mount", "sh", "-c", 'mount -o remount,bind,ro / && exec "$@"', "sh"]
    for verb, begins in (("stack", "slot 0, process "), ("heap-snapshot", '{"snapshot":{"meta":')):
        done = inside(pid1, *frozen, *become, nodeinit.binary(), "ctl", verb, "0")
        assert (done.returncode, done.stderr) == (0, "") and done.stdout.startswith(begins)


def test_root_without_rights_is_told_so(start, tmp_path):
    for folder in [tmp_path, *tmp_path.parents][:-1]:
        folder.chmod(folder.stat().st_mode | 0o055)
    pid1 = start(user=4321)
    done = inside(pid1, "setpriv", "--bounding-set=-all", "--inh-caps=-all", nodeinit.binary(), "ctl", "stack", "0")
    assert done.returncode == 1 and "Operation not permitted" in done.stderr


def test_a_worker_that_would_die_of_the_signal_gets_none(start):
    pid1 = start(options=["--disable-sigusr1"])
    before = slots(pid1)[0]["pid"]
    done = pid1.ctl("stack", "0")
    assert done.code == 1 and "SIGUSR1, by which Node opens its inspector, would end it" in done.err
    assert slots(pid1)[0]["pid"] == before


@pytest.mark.parametrize("when", ["at once", "in a module"])
def test_a_handler_of_the_programs_own_is_not_called(start, tmp_path, when):
    handler = "process.on('SIGUSR1', () => console.log('the handler was called'));\n"
    late = "" if when == "at once" else "await new Promise((done) => setTimeout(done, 300));\n"
    if late:
        (tmp_path / "package.json").write_text('{"type": "module"}')
    server = "import('http').then((http) => http.createServer((q, s) => s.end()).listen(process.env.PORT));"
    pid1 = start(late + handler + server)
    pid1.wait_for(lambda: slots(pid1)[0]["inspector"]["usr1"] == "program", what="the module to have told")
    done = pid1.ctl("stack", "0")
    assert done.code == 1 and "its program handles SIGUSR1 itself" in done.err
    pid1.send(signal.SIGUSR1)  # it is there
    pid1.wait_line("the handler was called", stream="out")
    assert pid1.out.count("the handler was called") == 1


def test_without_the_module_nobody_knows_whose_handler_it_is(start):
    pid1 = start(NODEINIT_MODULE="off")
    done = pid1.ctl("stack", "0")
    assert done.code == 1 and "`nodeinit ctl signal USR1 SLOT`" in done.err
    assert pid1.ctl("signal", "USR1", "0").code == 0
    pid1.wait_for(lambda: listens(pid1))
    assert asked(pid1, "stack", "0").startswith("slot 0, process ")
    assert listens(pid1)  # it was open before


def test_what_is_no_node_gets_nothing():
    with nodeinit.start(["sleep", "1000"], ["--mode", "cluster", "--ready", "online"]) as pid1:
        pid1.wait_for(lambda: pid1.ctl("status").code == 0 and "pid" in slots(pid1)[0])
        done = pid1.ctl("stack", "0")
        assert done.code == 1 and "its worker is no Node that nodeinit knows" in done.err
        assert pid1.ctl("stack", "7").code == 1


def test_the_inspector_is_closed_when_the_client_is_stopped(start):
    pid1 = start()
    client = pid1.ctl_started("cpu-profile", "0", "60s")
    pid1.wait_for(lambda: listens(pid1), what="the inspector to be open")
    time.sleep(0.5)
    inner = [p for p in pid1.processes() if "cpu-profile" in p.arguments]
    assert len(inner) == 1
    os.kill(inner[0].pid, signal.SIGTERM)
    out, _ = client.communicate(timeout=60)
    assert client.returncode == 1
    assert json.loads(out)["nodes"]  # as far as it had come
    pid1.wait_for(lambda: not listens(pid1), what="the inspector's port to be closed")


def test_a_slot_that_another_process_keeps_from_its_port_is_told(start):
    pid1 = start(workers=2)
    assert pid1.ctl("signal", "USR1", "1").code == 0
    pid1.wait_for(lambda: listens(pid1))
    client = pid1.ctl_started("stack", "0")
    with pytest.raises(subprocess.TimeoutExpired):
        client.wait(3)
    # The other one's is closed: now it is this one's turn.
    slot = slots(pid1)[1]["inspector"]
    close = ("fetch('http://127.0.0.1:9229/json/list').then((r) => r.json()).then(([{webSocketDebuggerUrl: url}]) => {"
             " const socket = new WebSocket(url); socket.onopen = () => socket.send(JSON.stringify({id: 1,"
             " method: 'Runtime.evaluate', params: {expression: \"require('inspector').close()\","
             " includeCommandLineAPI: true}})); })")  # fmt: skip
    assert slot["port"] == 9229
    inside(pid1, node.path(24), "-e", close)
    out, _ = client.communicate(timeout=60)
    assert client.returncode == 0 and "slot 0" in out


@pytest.mark.parametrize("words", [["stack"], ["stack", "x"], ["stack", "0", "1s"], ["cpu-profile", "0", "1h"],
                                   ["cpu-profile", "0", "0s"], ["stack", "0", "--json"]])  # fmt: skip
def test_what_is_misused_is_refused(words):
    done = subprocess.run([nodeinit.binary(), "ctl", *words], capture_output=True, text=True, timeout=20)
    assert done.returncode == 64 and done.stderr.startswith("nodeinit ctl: ")
