"""NODEINIT_HTTP: probes, status and metrics of a running service, and clients that mean no good."""

import collections
import contextlib
import json
import re
import shutil
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request

import pytest
from support import http, node, nodeinit

SERVICE = "require('http').createServer((q, s) => s.end('ok')).listen(process.env.PORT)"
OPEN_METRICS = "application/openmetrics-text;version=1.0.0,text/plain;q=0.5"


@pytest.fixture
def site(tmp_path):
    """A service of two workers with its HTTP port, ready."""
    script = tmp_path / "server.js"
    script.write_text(SERVICE)
    web = nodeinit.free_port()
    port = nodeinit.free_port()
    env = {"PORT": port, "NODEINIT_WORKERS": 2, "NODEINIT_LOG": "lines", "SECRET": "hunter2",
           "NODEINIT_HTTP": f"127.0.0.1:{web}", "NODEINIT_STOP_DELAY": "1500ms"}  # fmt: skip
    with nodeinit.start([node.path(22), str(script)], env=env) as pid1:
        pid1.wait_port(web)
        pid1.wait_for(lambda: get(web, "/status")[2].count('"state":"ready"') == 2, what="two ready workers")
        yield pid1, web


def get(port, path, accept=None):
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", headers={"Accept": accept} if accept else {})
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, answer.headers["Content-Type"], answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.headers["Content-Type"], error.read().decode()


def test_probes_tell_the_life_of_the_container(site):
    pid1, web = site
    assert [get(web, path)[0] for path in ("/livez", "/readyz", "/startupz")] == [200, 200, 200]
    assert get(web, "/nothing")[0] == 404
    pid1.send(signal.SIGTERM)
    pid1.wait_for(lambda: get(web, "/readyz")[0] == 503, what="not ready once it is to stop")
    assert [get(web, path)[0] for path in ("/livez", "/startupz")] == [200, 200]
    assert pid1.wait() == 0


def test_livez_is_200_while_a_request_drains(tmp_path):
    script = tmp_path / "slow.js"
    script.write_text("require('http').createServer((q, s) => setTimeout(() => s.end('ok'), 4000)).listen(process.env.PORT)")
    web, port = nodeinit.free_port(), nodeinit.free_port()
    env = {"PORT": port, "NODEINIT_WORKERS": 2, "NODEINIT_HTTP": f"127.0.0.1:{web}"}
    with nodeinit.start([node.path(22), str(script)], env=env) as pid1, socket.socket() as client:
        pid1.wait_port(web)
        pid1.wait_for(lambda: get(web, "/readyz")[0] == 200, what="ready workers")
        client.connect(("127.0.0.1", port))
        client.sendall(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        time.sleep(0.5)
        pid1.send(signal.SIGTERM)
        pid1.wait_for(lambda: get(web, "/readyz")[0] == 503, what="not ready once it is to stop")
        time.sleep(0.5)
        assert get(web, "/livez")[0] == 200
        client.settimeout(20)
        assert client.recv(4096).startswith(b"HTTP/1.1 200")
        assert pid1.wait() == 0


def test_of_the_events_the_last_hundred_are_kept(tmp_path):
    script = tmp_path / "server.js"
    script.write_text(SERVICE)
    web = nodeinit.free_port()
    env = {"PORT": nodeinit.free_port(), "NODEINIT_WORKERS": 1, "NODEINIT_HTTP": f"127.0.0.1:{web}", "NODEINIT_LOG": "lines"}
    with nodeinit.start([node.path(22), str(script)], env=env) as pid1:
        pid1.wait_port(web)
        pid1.wait_for(lambda: get(web, "/readyz")[0] == 200, what="a ready worker")
        for _ in range(130):  # each is answered by an event
            pid1.send(signal.SIGTTOU)
            time.sleep(0.02)
        told = json.loads(get(web, "/events")[2])
        assert len(told) == 100
        assert "worker_spawned" not in {each["event"] for each in told}, "the oldest go first"


def test_status_is_json_and_shows_no_secret(site):
    _, web = site
    code, kind, body = get(web, "/status")
    assert (code, kind) == (200, "application/json")
    assert len(json.loads(body)["programs"][0]["slots"]) == 2
    assert "hunter2" not in body + get(web, "/metrics")[2]


def test_metrics_in_both_formats(site):
    _, web = site
    code, kind, text = get(web, "/metrics")
    assert code == 200 and kind.startswith("text/plain; version=0.0.4")
    samples = dict(line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))
    assert samples["nodeinit_ready"] == "1"
    assert samples['nodeinit_slot_state{program="node",slot="0",state="ready"}'] == "1"
    assert float(samples['nodeinit_worker_resident_memory_bytes{program="node",slot="1"}']) > 10e6
    code, kind, text = get(web, "/metrics", OPEN_METRICS)
    assert kind.startswith("application/openmetrics-text") and text.endswith("# EOF\n")
    assert "# TYPE nodeinit_worker_restarts counter\n" in text


@contextlib.contextmanager
def two_workers(folder, option, listen="process.env.PORT", major="24"):
    """PID 1 with two ready workers, their port and that of the metrics."""
    port, web = nodeinit.free_port(), nodeinit.free_port()
    (folder / "app.js").write_text(f"require('http').createServer((_, a) => a.end('x')).listen({listen})")
    with nodeinit.start([node.path(major), "app.js"], ["--workers=2", option, f"--http=127.0.0.1:{web}"],
                        {"PORT": port}, cwd=folder) as pid1:  # fmt: skip
        for slot in range(2):
            pid1.wait_line(rf"slot {slot}: worker \d+ is ready")
        yield pid1, port, web


def connections_by_path(web):
    """{path: [of slot 0, of slot 1]}"""
    sample = r'nodeinit_connections_total{program="node",slot="(\d)",path="(\w+)"} (\d+)'
    found = collections.defaultdict(list)
    for slot, path, count in re.findall(sample, get(web, "/metrics")[2]):
        assert int(slot) == len(found[path])
        found[path].append(int(count))
    return found


def test_connections_handed_over_are_counted_by_slot(tmp_path):
    with two_workers(tmp_path, "--balance=round-robin") as (_, port, web):
        for _ in range(20):
            http.get(port)
        counted = connections_by_path(web)["handed_over"]
        assert len(counted) == 2 and min(counted) >= 5 and sum(counted) == 20
        assert 'nodeinit_connections_dropped_total{program="node"} 0' in get(web, "/metrics")[2]


@pytest.mark.parametrize("balance", ["kernel", "shared"])
def test_connections_that_workers_accept_by_themselves_are_counted_also_of_ended_ones(tmp_path, balance):
    with two_workers(tmp_path, f"--balance={balance}") as (pid1, port, web):
        assert connections_by_path(web)["accepted"] == [0, 0]
        for _ in range(40):
            http.get(port)
        counted = connections_by_path(web)  # a starved worker's are rescued
        assert sum(map(sum, counted.values())) == 40 and sum(counted["accepted"]) >= 20
        assert balance == "shared" or min(counted["accepted"]) > 0
        for _ in range(7):
            http.get(port)
        assert pid1.ctl("reload").code == 0  # what was counted since the last question comes with the drain
        for _ in range(3):
            http.get(port)
        assert sum(map(sum, connections_by_path(web).values())) == 50


@pytest.mark.parametrize(("major", "listen"), [
    ("24", "{port: +process.env.PORT, reusePort: true}"),
    ("20", "{path: `${process.pid}.sock`, exclusive: true}"),
])  # fmt: skip
def test_connections_to_servers_that_are_the_worker_s_own_are_counted(tmp_path, major, listen):
    with two_workers(tmp_path, "--balance=kernel", listen, major) as (pid1, port, web):
        paths = [tmp_path / f"{worker.inner_pid}.sock" for worker in pid1.workers()]
        for number in range(20):
            if "path" in listen:
                with socket.socket(socket.AF_UNIX) as one:
                    one.connect(str(paths[number % 2]))
            else:
                http.get(port)
        nodeinit.wait_for(lambda: sum(connections_by_path(web)["accepted"]) == 20, 10, "all 20 to be counted")
        assert sum(connections_by_path(web)["handed_over"]) == 0


def test_where_workers_cannot_count_nothing_is_claimed(tmp_path):
    with two_workers(tmp_path, "--module=off") as (_, port, web):
        http.get(port)
        assert set(connections_by_path(web)) == {"handed_over", "rescued"}


@pytest.mark.skipif(not shutil.which("promtool"), reason="Debian's package prometheus is not installed")
def test_promtool_finds_nothing_to_say(site):
    _, web = site
    checked = subprocess.run(["promtool", "check", "metrics"], input=get(web, "/metrics")[2],
                             capture_output=True, text=True, timeout=60)  # fmt: skip
    assert checked.returncode == 0 and not checked.stdout + checked.stderr, checked.stdout + checked.stderr


def test_silent_clients_keep_no_probe_out_and_a_flood_delays_nothing(site):
    pid1, web = site
    silent = []
    for _ in range(150):
        client = socket.create_connection(("127.0.0.1", web), timeout=5)
        client.sendall(b"GET /livez HTTP/1.1\r\nX: ")
        silent.append(client)
    longest = 0.0
    for _ in range(50):
        start = time.monotonic()
        assert get(web, "/livez")[0] == 200
        longest = max(longest, time.monotonic() - start)
    assert longest < 2, f"a probe took {longest:.3f} s"
    worker = pid1.workers()[0].pid
    killed = pid1.ctl("signal", "KILL", "0")
    assert killed.code == 0, killed.err
    pid1.wait_for(lambda: worker not in {w.pid for w in pid1.workers()} and len(pid1.workers()) == 2,
                  what="a replaced worker in the flood")  # fmt: skip
    for client in silent:
        client.close()


def test_without_a_memory_limit_no_figure_looks_like_one(site):
    running, web = site
    explained = json.loads(nodeinit.run(["node", "app.js"], ["--explain", "--json"]).out)
    if explained["memory_limit"] is not None:
        pytest.skip("there is a memory limit here")
    machine = explained["resources"]["machine_memory"]["value"]
    assert "nodeinit_container_memory_limit_bytes" not in get(web, "/metrics")[2]
    status = json.loads(get(web, "/status")[2])
    assert "memory" not in status and "memory_per_worker" not in status["programs"][0]
    assert str(machine) not in get(web, "/status")[2]
    assert "no memory limit" in running.ctl("status").out
