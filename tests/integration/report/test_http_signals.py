"""Requests as the module inside counts them, against a client that counts, too: known statuses, aborts, slow ones."""

import collections
import concurrent.futures
import contextlib
import http.client
import re
import socket
import time
import urllib.request

import pytest

from support import node, nodeinit

MAJORS = ["20", "22", "24"]
SERVER = """
const answer = (q, s) => {
  const [, word, figure] = q.url.split('/');
  if (word === 'never') return;
  if (word === 'pid') return s.end(String(process.pid));
  if (word === 'block') { const until = Date.now() + +figure; while (Date.now() < until); return s.end(); }
  if (word === 'slow') return setTimeout(() => s.end('slow'), +figure);
  if (word === 'status') s.statusCode = +figure;
  s.end('ok');
};
const server = require('http').createServer(answer);
server.on('upgrade', (q, s) => {
  s.on('error', () => {}).on('end', () => s.end()).resume();
  s.write('HTTP/1.1 101 Now\\r\\nConnection: Upgrade\\r\\nUpgrade: x\\r\\n\\r\\n');
});
server.listen(process.env.PORT);
process.on('SIGTERM', () => server.close(() => process.exit(0)));
"""
DURATION = "nodeinit_http_server_request_duration_seconds"


class Service:
    def __init__(self, folder, *options, major="24", workers=2, program=SERVER):
        (folder / "server.js").write_text(program)
        self.web, self.port = nodeinit.free_port(), nodeinit.free_port()
        words = [f"--workers={workers}", f"--http=127.0.0.1:{self.web}", "--log=lines", *options]
        self.pid1 = nodeinit.start([node.path(major), "server.js"], words, {"PORT": self.port}, cwd=folder)
        self.asked = collections.Counter()  # (method, status) that were answered
        self.workers = workers

    def __enter__(self):
        for slot in range(self.workers):
            self.pid1.wait_line(rf"slot {slot}: worker \d+ is ready")
        return self

    def __exit__(self, *_):
        self.pid1.close()

    def metrics(self):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.web}/metrics", timeout=10) as answer:
            return answer.read().decode()

    def counted(self):
        sample = DURATION + r'_count{program="node",http_request_method="(\w+)",http_response_status_code="(\w+)"} (\d+)'
        return collections.Counter({(method, status): int(count)
                                    for method, status, count in re.findall(sample, self.metrics())})  # fmt: skip

    def figure(self, name):
        found = re.search(rf'^nodeinit_http_server_{name}{{program="node"}} (\d+)$', self.metrics(), re.M)
        return int(found[1]) if found else None

    def ask(self, path, method="GET", connection=None):
        own = connection or http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        began = time.monotonic()
        own.request(method, path, headers={} if connection else {"Connection": "close"})
        answer = own.getresponse()
        body = answer.read()
        shown = method if method in ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS") else "_OTHER"
        self.asked[shown, str(answer.status)] += 1
        if not connection:
            own.close()
        return time.monotonic() - began, body

    def load(self, rounds=20):
        kept = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        for _ in range(rounds):
            for method, path in [("GET", "/"), ("POST", "/status/201"), ("GET", "/status/404"), ("PROPFIND", "/"),
                                 ("PUT", "/status/503"), ("DELETE", "/status/204"), ("HEAD", "/")]:  # fmt: skip
                self.ask(path, method, kept)
            self.ask("/")
        kept.close()

    def go_away(self, clients, requests=1):
        """So many clients each send their requests, pipelined, and leave without an answer."""
        sockets = [socket.create_connection(("127.0.0.1", self.port), timeout=10) for _ in range(clients)]
        for one in sockets:
            one.sendall(b"GET /never/secret HTTP/1.1\r\nHost: x\r\nX-Secret: hunter2\r\n\r\n" * requests)
        want = clients * requests
        nodeinit.wait_for(lambda: self.figure("active_requests") == want, 10, f"{want} requests under way", 0.05)
        for one in sockets:
            one.close()
        nodeinit.wait_for(lambda: self.figure("active_requests") == 0, 10, "none under way", 0.05)


@pytest.mark.parametrize("major", MAJORS)
def test_the_sums_agree_with_a_client_s_over_a_death_and_a_reload(tmp_path, major):
    with Service(tmp_path, major=major) as service:
        assert service.figure("active_requests") == 0 and not service.counted()
        service.load()
        service.go_away(5)
        service.go_away(2, requests=3)
        assert service.counted() == service.asked
        assert service.figure("aborted_requests_total") == 11

        # Idle since the last scrape: nothing is lost with a worker that is killed.
        dead = service.pid1.workers()[0].pid
        assert service.pid1.ctl("signal", "KILL", "0").code == 0
        service.pid1.wait_for(lambda: dead not in {w.pid for w in service.pid1.workers()})
        service.pid1.wait_line(r"slot 0: worker \d+ is ready")
        service.load()
        assert service.counted() == service.asked

        # A reload under load, with slow requests that its workers still answer.
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            slow = [pool.submit(service.ask, "/slow/700") for _ in range(8)]
            time.sleep(0.3)
            quick = pool.submit(lambda: [service.ask("/") for _ in range(200)])
            assert service.pid1.ctl("reload").code == 0
            for one in [*slow, quick]:
                one.result()
        service.load(5)
        assert service.counted() == service.asked
        assert service.figure("aborted_requests_total") == 11
        text = service.metrics()
        assert "secret" not in text and "hunter2" not in text and "/s" not in text


def test_nothing_shrinks_and_little_is_lost_when_workers_are_killed_under_load(tmp_path):
    with Service(tmp_path) as service:
        stop = time.monotonic() + 6
        broken = collections.Counter()

        def ask():
            kept = None
            while time.monotonic() < stop:
                kept = kept or http.client.HTTPConnection("127.0.0.1", service.port, timeout=30)
                try:
                    service.ask("/", connection=kept)
                except (OSError, http.client.HTTPException):
                    broken["cut"] += 1
                    kept = None

        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            clients = [pool.submit(ask) for _ in range(2)]
            last = 0
            while time.monotonic() < stop:
                time.sleep(0.7)
                now = sum(service.counted().values())
                assert now >= last
                last = now
                service.pid1.ctl("signal", "KILL", str(int(time.monotonic()) % 2))
            for one in clients:
                one.result()
        lost = sum(service.asked.values()) - sum(service.counted().values())
        assert 0 <= lost <= sum(service.asked.values()) * 0.7


@pytest.mark.parametrize("major", MAJORS)
def test_times_agree_with_a_client_s(tmp_path, major):
    with Service(tmp_path, major=major) as service:
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            waits = [0] * 40 + [150] * 20 + [1200] * 4
            times = sorted(taken for taken, _ in pool.map(lambda wait: service.ask(f"/slow/{wait}"), waits))
        text = service.metrics()
        buckets = {float(bound): int(count) for bound, count in
                   re.findall(DURATION + r'_bucket{[^}]*code="200",le="([^"]+)"} (\d+)', text)}  # fmt: skip
        assert len(buckets) == 16 and buckets[float("inf")] == 64
        assert buckets[0.1] <= 40 and buckets[1] <= 60  # none is quicker than its handler
        for bound, count in buckets.items():
            assert count >= sum(taken <= bound for taken in times), (bound, times)  # nor slower than its client saw
        total = float(re.search(DURATION + r"_sum{.*} (\S+)", text)[1])
        assert 20 * 0.149 + 4 * 1.199 <= total <= sum(times)


def test_open_upgrades_are_shown(tmp_path):
    with Service(tmp_path, workers=1) as service, contextlib.ExitStack() as open_ones:
        for _ in range(3):
            one = open_ones.enter_context(socket.create_connection(("127.0.0.1", service.port), timeout=10))
            one.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n")
            assert one.recv(100).startswith(b"HTTP/1.1 101")
        assert service.figure("upgraded_connections") == 3
        assert service.figure("active_requests") == 0
        open_ones.close()
        nodeinit.wait_for(lambda: service.figure("upgraded_connections") == 0, 10, "no open upgrade", 0.05)


@pytest.mark.parametrize("major", ["22", "24"])
def test_streams_of_http2_are_counted(tmp_path, major):
    program = """
    require('http2').createServer((q, s) => { s.statusCode = +q.url.slice(1); s.end('x'); }).listen(process.env.PORT);
    """
    client = """
    const session = require('http2').connect('http://127.0.0.1:' + process.argv[1]);
    let left = 10;
    for (let i = 0; i < 10; i++) {
      const one = session.request({ ':path': i < 7 ? '/200' : '/404' });
      one.resume();
      one.on('close', () => --left || session.close());
    }
    """
    with Service(tmp_path, major=major, program=program) as service:
        asked = nodeinit.subprocess.run([node.path(major), "-e", client, str(service.port)], timeout=60)
        assert asked.returncode == 0
        nodeinit.wait_for(lambda: service.counted() == {("GET", "200"): 7, ("GET", "404"): 3}, 10, "all to be counted", 0.05)
        assert service.figure("active_requests") == 0


@pytest.mark.parametrize(("major", "option"), [("24", "--request-metrics=off"), ("24", "--module=off"),
                                               ("16", "--workers=2"), ("14", "--workers=2")])  # fmt: skip
def test_where_requests_are_not_counted_nothing_is_claimed(tmp_path, major, option):
    with Service(tmp_path, option, major=major) as service:
        service.load(2)
        text = service.metrics()
        assert not re.search(r"^nodeinit_http_server_", text, re.M)
        assert "nodeinit_worker_event_loop_seconds_total{" not in text


@pytest.mark.parametrize("major", ["18", "20", "22", "24", "26"])
def test_a_program_that_meddles_with_the_channels_is_served(tmp_path, major):
    program = """
    const channels = require('diagnostics_channel');
    const http = require('http');
    const { Worker } = require('worker_threads');
    const own = [];
    channels.subscribe('http.server.request.start', (message) => own.push(message));
    channels.channel('http.server.request.start').publish({});
    channels.channel('http.server.request.start').publish(null);
    channels.channel('http.server.response.finish').publish({ socket: 7, request: null });
    channels.channel('http2.server.stream.start').publish('x');
    const gone = () => { throw new Error('gone'); };
    channels.subscribe = gone;
    if (!process.version.startsWith('v18.')) channels.channel = gone; // Node 18 itself asks late
    performance.eventLoopUtilization = gone;
    process.hrtime = () => [0, 0];
    new Worker("require('vm').runInNewContext('1 + 1'); require('http').createServer(() => {})", { eval: true });
    process.on('uncaughtException', (error) => { console.error(error); process.exit(9); });
    http.createServer((q, s) => {
      s.end(/nodeinit/.exec(require('util').inspect(q.socket, { depth: 3 })) || 'unseen');
    }).listen(process.env.PORT);
    """
    with Service(tmp_path, major=major, program=program) as service:
        assert service.ask("/")[1] == b"unseen"
        service.load(2)
        assert service.counted() == service.asked
        assert service.pid1.stop() == 0


def test_a_busy_worker_is_waited_for_once_and_its_latest_figures_are_shown(tmp_path):
    with Service(tmp_path, workers=1) as service, concurrent.futures.ThreadPoolExecutor(1) as pool:
        service.load(1)
        assert service.counted() == service.asked
        before = dict(service.asked)
        blocked = pool.submit(service.ask, "/block/6000")
        time.sleep(0.5)
        taken = []
        for _ in range(3):
            time.sleep(1.1)  # scrapes in quick succession wait for each other
            began = time.monotonic()
            assert service.counted() == before
            taken.append(time.monotonic() - began)
        assert min(taken[1:]) < 0.09, taken
        blocked.result()
        nodeinit.wait_for(lambda: service.counted() == service.asked, 10, "the late answer", 0.05)


def test_a_scrape_does_not_wait_for_a_program_that_hears_no_messages(tmp_path):
    with Service(tmp_path) as service:
        taken = []
        for _ in range(5):
            time.sleep(1.1)
            began = time.monotonic()
            service.metrics()
            taken.append(time.monotonic() - began)
        assert min(taken) < 0.06 and sorted(taken)[2] < 0.09, taken
        assert 'nodeinit_worker_event_loop_seconds_total{program="node",slot="1",state="idle"}' in service.metrics()
        assert 'nodeinit_worker_peak_resident_memory_bytes{program="node",slot="0"}' in service.metrics()
