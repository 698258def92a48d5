"""How the programs of the matrix are asked; each way is a class:

    Way(env, folder, pid1)
    .ask() -> [answer]           {"pid", "node"} of one round of requests, a connection each
    .ask_slowly() -> function    begins a request that is answered when the test opens the gate; the function waits for
                                 the answer and returns its pid. None where a datagram leaves nothing under way

    home(name, folder) -> Home   the programs with their packages, in `folder`
"""

import functools
import hashlib
import json
import shutil
import socket
import subprocess
from dataclasses import dataclass
from pathlib import Path

from support import apps, cache, node

APPS = Path(__file__).with_name("apps")
LIMIT = 60


@dataclass
class Home:
    folder: Path
    gate: str


def home(name, folder):
    gate = str(folder / "gate")
    if name == "next":
        return Home(next_app(), gate)
    for file in APPS.glob("*.*"):
        if not file.name.startswith("package"):
            shutil.copy(file, folder)
    (folder / "node_modules").symlink_to(apps.packages(APPS) / "node_modules")
    for file in certificate():
        shutil.copy(file, folder)
    return Home(folder, gate)


def certificate():
    def make(target):
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "36500", "-subj", "/CN=localhost",
             "-keyout", "key.pem", "-out", "cert.pem"],
            cwd=target, check=True, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip

    made = cache.once("certificate", make)
    return made / "key.pem", made / "cert.pem"


# No lock file: Next names packages of other systems, which not every registry has, and `npm ci` wants them all.
def next_app():
    source = APPS / "next"
    files = [source / "package.json", *sorted(source.glob("pages/**/*.js")), APPS / "work.js"]

    def build(target):
        shutil.copytree(source, target, dirs_exist_ok=True)
        shutil.copy(APPS / "work.js", target)
        subprocess.run(
            ["npm", "install", "--no-package-lock", "--silent", "--no-audit", "--no-fund", "--ignore-scripts"],
            cwd=target, check=True, timeout=600, stdin=subprocess.DEVNULL,
        )  # fmt: skip
        subprocess.run(
            [node.path(24), "node_modules/next/dist/bin/next", "build"],
            cwd=target, check=True, timeout=600, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            env={"PATH": "/usr/bin:/bin", "HOME": str(target), "NEXT_TELEMETRY_DISABLED": "1"},
        )  # fmt: skip

    digest = hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()[:16]
    return cache.once(f"apps/next-{digest}", build)


def is_open(port):
    try:
        socket.create_connection(("127.0.0.1", port), timeout=5).close()
        return True
    except OSError:
        return False


class Command:
    """A way whose requests are made by a program that prints the answers, one a line."""

    def __init__(self, env, folder, pid1):
        self.env, self.folder, self.pid1 = env, folder, pid1

    def _start(self, what):
        return subprocess.Popen(
            self.command(what), cwd=self.folder, text=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip

    def _answers(self, process):
        with process:
            try:
                out, err = process.communicate(timeout=LIMIT)
            except subprocess.TimeoutExpired:
                process.kill()
                raise AssertionError(f"no answer\n{self.pid1.told()}") from None
        assert process.returncode == 0, f"{process.args}: {process.returncode}\n{out}\n{err}\n{self.pid1.told()}"
        return [json.loads(line) for line in out.splitlines() if line.startswith("{")]

    def ask(self):
        return self._answers(self._start("who"))

    def ask_slowly(self):
        process = self._start("slow")
        return lambda: self._answers(process)[0]["pid"]


class Http(Command):
    options, scheme = (), "http"

    def command(self, what):
        port = self.port()
        return ["curl", "-sS", "--fail", "--max-time", str(LIMIT), "-w", "\n", *self.options,
                f"{self.scheme}://127.0.0.1:{port}/api/{what}"]  # fmt: skip

    def port(self):
        return self.env["PORT"]


class Https(Http):
    options, scheme = ("--insecure",), "https"


class Http2(Http):
    options = ("--http2-prior-knowledge",)


class Unix(Http):
    options = ("--unix-socket", "app.sock")

    def ask(self):
        # One socket for all: whoever is awake first takes what there is, so let there be enough for both.
        started = [self._start("who") for _ in range(8)]
        return [answer for process in started for answer in self._answers(process)]


class TwoServers(Http):
    def __init__(self, *how):
        super().__init__(*how)
        self.second = False

    def port(self):
        self.second = not self.second
        return self.env["SECOND_PORT" if self.second else "PORT"]


class PortZero(Http):
    @functools.cache  # noqa: B019: one object a cell
    def port(self):
        self.pid1.wait_for(lambda: self.pid1.out.count("port ") == 2, LIMIT, "two workers that tell their port")
        (port,) = set(self.pid1.out.split()) - {"port"}
        return port


class WebSocket(Command):
    def command(self, what):
        return [node.path(24), "ws_client.js", str(self.env["PORT"]), what]


class SocketIo(Command):
    def command(self, what):
        addresses = [f"127.0.1.{n}" for n in range(1, 2 if what == "slow" else 13)]
        return [node.path(24), "socketio_client.js", str(self.env["PORT"]), what, *addresses]


class Udp(Command):
    def ask(self):
        answers = []
        clients = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(32)]
        try:
            for client in clients:
                client.settimeout(LIMIT)
                client.sendto(b"?", ("127.0.0.1", self.env["PORT"]))
            for client in clients:
                answers.append(json.loads(client.recv(1000)))
        finally:
            for client in clients:
                client.close()
        return answers

    def ask_slowly(self):
        return None
