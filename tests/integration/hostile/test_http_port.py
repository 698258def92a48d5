"""What comes to NODEINIT_HTTP from anywhere: odd requests, crowds, and what they may learn."""

import json
import re
import signal
import socket
import threading
import time

import pytest

from support import crowd, node, nodeinit

SERVICE = """
require('http').createServer((request, answer) => {
  answer.end('ok');
  if (request.url === '/throw') setTimeout(() => { throw new Error('cannot reach postgres://admin:s3cr3t@db'); }, 10);
}).listen(+process.env.PORT, '127.0.0.1');
"""


@pytest.fixture
def site(tmp_path):
    with started(tmp_path) as made:
        yield made


class started:
    def __init__(self, folder, **env):
        (folder / "app.js").write_text(SERVICE)
        self.port, self.web = nodeinit.free_port(), nodeinit.free_port()
        settings = {"PORT": self.port, "NODEINIT_WORKERS": 2, "NODEINIT_LOG": "lines",
                    "NODEINIT_HTTP": f"127.0.0.1:{self.web}", **env}  # fmt: skip
        self.pid1 = nodeinit.start([node.path(24), str(folder / "app.js")], env=settings)

    def __enter__(self):
        self.pid1.__enter__()
        for slot in range(2):
            self.pid1.wait_line(rf"slot {slot}: worker \d+ is ready")
        return self

    def __exit__(self, *what):
        return self.pid1.__exit__(*what)

    def get(self, path, timeout=10):
        return crowd.ask(self.web, path, timeout)

    def say(self, text):
        """All that comes back until the other side has closed."""
        with socket.create_connection(("127.0.0.1", self.web), timeout=10) as client:
            client.sendall(text if isinstance(text, bytes) else text.encode())
            got = b""
            while more := client.recv(65536):
                got += more
        return got.decode()

    def throw(self):
        crowd.ask(self.port, "/throw")
        self.pid1.wait_line("its last words: .*s3cr3t")


HOST = "Host: a\r\n"


@pytest.mark.parametrize("request_, status", [
    ("GET /livez HTTP/1.1\r\nHost: a\r\n\r\n" * 2, 200),
    ("GET /livez HTTP/1.1\r\nHost: a\r\n\r\nPOST /livez HTTP/1.1\r\nHost: a\r\n\r\n", 200),
    ("POST /livez HTTP/1.1\r\nHost: a\r\n\r\nGET /livez HTTP/1.1\r\nHost: a\r\n\r\n", 405),
    ("GET http://a/livez HTTP/1.1\r\nHost: b\r\n\r\n", 200),
    ("GET http://a/livez?x=/metrics HTTP/1.1\r\nHost: b\r\n\r\n", 200),
    ("GET /livez?verbose HTTP/1.1\r\nHost: a\r\n\r\n", 200),
    ("HEAD /livez HTTP/1.1\r\nHost: a\r\n\r\n", 200),
    ("HEAD /metrics HTTP/1.1\r\nHost: a\r\n\r\n", 200),
    ("GET /livez HTTP/1.0\r\n\r\n", 200),
    ("GET /livez HTTP/1.1\r\n\r\n", 400),
    ("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", 405),
    ("GET * HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    ("GET /livez HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n", 501),
    ("GET /livez HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 413),
    ("GET /livez HTTP/1.1\r\nHost: a\r\nX: " + "x" * 9000 + "\r\n\r\n", 431),
    ("GET /livez HTTP/2.0\r\nHost: a\r\n\r\n", 505),
    (b"\x16\x03\x01\x02\x00\x01\x00", 400),
], ids=lambda value: str(value)[:40])  # fmt: skip
def test_a_request_gets_its_status_and_the_connection_ends(site, request_, status):
    answer = site.say(request_)
    head, _, body = answer.partition("\r\n\r\n")
    assert head.startswith(f"HTTP/1.1 {status} ") and "\r\nConnection: close" in head
    assert answer.count("HTTP/1.1 ") == 1, "one answer, whatever else was sent"
    assert bool(body) == (not str(request_).startswith("HEAD"))
    assert (status == 405) == ("\r\nAllow: GET, HEAD\r\n" in head)


def test_what_a_program_said_last_is_for_the_log_and_for_ctl_alone(site):
    with site.pid1.ctl_started("events") as following:
        time.sleep(0.3)
        site.throw()
        told = next(line for line in following.stdout if "worker_died" in line or "died" in line)
        following.kill()
    assert "s3cr3t" in told
    site.pid1.wait_for(lambda: "worker_died" in site.get("/events")[1], what="the death among the events")
    for path in ("/events", "/status", "/metrics", "/readyz", "/"):
        assert "s3cr3t" not in site.get(path)[1], path
    (death,) = [each for each in json.loads(site.get("/events")[1]) if each["event"] == "worker_died"]
    assert re.fullmatch(r"slot \d: worker \d+ died: exit code 1; restarting in \d+ms", death["message"])


def test_with_full_detail_events_tell_it(tmp_path):
    with started(tmp_path, NODEINIT_HTTP_DETAIL="full") as site:
        site.throw()
        site.pid1.wait_for(lambda: "s3cr3t" in site.get("/events")[1], what="the exception among the events")


def test_what_a_hook_said_last_is_not_shown_either(tmp_path):
    # Something is left behind that does not end at once: the port is there for so long.
    (tmp_path / "hook").write_text('(trap "" TERM; sleep 30) & echo postgres://admin:s3cr3t@db >&2; exit 3')
    (tmp_path / "app.js").write_text("setInterval(() => {}, 1000)")
    web = nodeinit.free_port()
    env = {"NODEINIT_HTTP": f"127.0.0.1:{web}", "NODEINIT_PRE_START": f"sh {tmp_path}/hook",
           "NODEINIT_WORKERS": 2, "NODEINIT_LOG": "lines", "NODEINIT_GRACE": "3s"}  # fmt: skip
    with nodeinit.start([node.path(24), str(tmp_path / "app.js")], env=env) as pid1:
        pid1.wait_line("pre_start: ended .*s3cr3t")
        pid1.wait_for(lambda: "pre_start: ended (exit code 3)" in crowd.ask(web, "/events")[1], what="the hook's end")
        assert "s3cr3t" not in crowd.ask(web, "/events")[1]
        assert pid1.wait() == 3


def test_a_crowd_of_readers_neither_resets_nor_delays_probes(site):
    over = time.monotonic() + 4
    answers = []

    def scrape(path):
        while time.monotonic() < over:
            answers.append(site.get(path)[0])

    paths = ["/metrics"] * 120 + ["/status"] * 15 + ["/events"] * 15
    threads = [threading.Thread(target=scrape, args=(path,), daemon=True) for path in paths]
    for thread in threads:
        thread.start()
    slowest, asked = 0.0, 0
    while time.monotonic() < over:
        for path in ("/livez", "/readyz", "/startupz"):
            began = time.monotonic()
            assert site.get(path)[0] == 200
            slowest = max(slowest, time.monotonic() - began)
            asked += 1
        time.sleep(0.02)
    for thread in threads:
        thread.join(20)
    assert slowest < 1 and asked > 20, (slowest, asked)
    assert set(answers) <= {200, 503}, "an honest reader is answered, if only that there are too many"
    assert answers.count(200) > 500


def test_readers_that_take_nothing_and_silent_clients_keep_nobody_out(site):
    held = []
    for number in range(400):
        client = socket.create_connection(("127.0.0.1", site.web), timeout=5)
        held.append(client)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.sendall([b"GET /metrics HTTP/1.0\r\n\r\n", b"GET /li", b"GET /metrics HTTP/1.0\r\n\r\nGET /"][number % 3])
        if number % 20 == 0:
            assert site.get("/livez", 2)[0] == 200
    for path in ("/livez", "/readyz", "/startupz"):
        assert site.get(path, 5)[0] == 200, path
    # So many came at once that one more reader is told to come again, in a second.
    site.pid1.wait_for(lambda: site.get("/metrics", 5)[0] == 200, 5, "room for a reader")
    for client in held:
        client.close()


@pytest.mark.parametrize("setting, said", [
    ("127.0.0.1:{taken}", "Address already in use; another process has it"),
    ("192.0.2.1:{free}", "Cannot assign requested address; this machine has no such address"),
])  # fmt: skip
def test_a_port_that_cannot_be_had_is_a_wrong_configuration(tmp_path, setting, said):
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen(1)
        address = setting.format(taken=holder.getsockname()[1], free=nodeinit.free_port())
        done = refused(tmp_path, NODEINIT_HTTP=address)
    assert f"cannot listen on {address} (NODEINIT_HTTP): " in done.err and said in done.err, done.err
    assert "or set NODEINIT_HTTP=off" in done.err


def test_a_port_below_1024_that_the_user_may_not_have_is_a_wrong_configuration(tmp_path):
    done = refused(tmp_path, namespaces={"net"}, user=65534, NODEINIT_HTTP=":80")
    said = "cannot listen on :80 (NODEINIT_HTTP): Permission denied; this user may not, name a port from 1024 on"
    assert said in done.err, done.err


@pytest.mark.parametrize("path, said", [
    ("missing/socket", "No such file or directory; its folder is not there"),
    ("app.js", "Address already in use; something is there already"),
    ("app.js/socket", "Not a directory; its folder is not there"),
    ("folder", "Address already in use; something is there already"),
])  # fmt: skip
def test_a_control_socket_that_cannot_be_had_is_a_wrong_configuration(tmp_path, path, said):
    (tmp_path / "folder").mkdir()
    done = refused(tmp_path, NODEINIT_CONTROL=str(tmp_path / path))
    assert f"cannot listen on {tmp_path / path} (NODEINIT_CONTROL): {said}" in done.err, done.err
    assert (tmp_path / "app.js").read_text() == SERVICE, "what is no socket stays"


def test_a_control_socket_that_another_nodeinit_has_is_a_wrong_configuration(tmp_path):
    path = str(tmp_path / "control")
    with started(tmp_path, NODEINIT_CONTROL=path) as first:
        done = refused(tmp_path, NODEINIT_CONTROL=path)
        assert "(NODEINIT_CONTROL): Address already in use; something is there already" in done.err, done.err
        assert first.pid1.stop(signal.SIGTERM) == 0


def refused(folder, user=None, namespaces=(), **env):
    (folder / "app.js").write_text(SERVICE)
    log = folder / "why"
    log.write_text("")
    log.chmod(0o666)
    if user:
        for each in (folder, *folder.parents):
            each.chmod(each.stat().st_mode | 0o055)
    done = nodeinit.run([node.path(24), str(folder / "app.js")], user=user, namespaces=namespaces,
                        env={"PORT": nodeinit.free_port(), "NODEINIT_WORKERS": 2, "NODEINIT_TERMINATION_LOG": log, **env})  # fmt: skip
    assert done.code == 78, (done.code, done.err)
    assert "cannot listen on" in log.read_text()
    assert "is ready" not in done.err
    return done
