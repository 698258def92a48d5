"""How long the tests of supervision are (--long, or NODEINIT_TEST_LONG=1, is the long form), and a service."""

import json
import os
from pathlib import Path

import pytest
from support import http, node, nodeinit

SERVICE = Path(__file__).with_name("service.js")


@pytest.fixture
def is_long(request):
    return bool(os.environ.get("NODEINIT_TEST_LONG")) or request.config.getoption("--long")


@pytest.fixture
def reloads(is_long):
    return 10 if is_long else 3


class Service:
    """service.js (or another script) under nodeinit; .pid1, .port."""

    def __init__(self, workers, major, options, script, env, **how):
        self.port = nodeinit.free_port()
        self.slots = workers
        env = {"PORT": self.port, "NODEINIT_WORKERS": workers, "NODEINIT_GRACE": "5s"} | env
        self.pid1 = nodeinit.start([node.path(major), str(script)], options, env, **how)

    def wait_ready(self):
        for slot in range(self.slots):
            self.pid1.wait_line(rf"slot {slot}: worker \d+ is ready")
        return self

    def pids(self):
        return {worker.pid for worker in self.pid1.workers()}

    def states(self):
        """{pid as the container has it, what ask() tells: state}"""
        (program,) = json.loads(self.pid1.ctl("status", "--json").out)["programs"]
        return {slot["pid"]: slot["state"] for slot in program["slots"] if "pid" in slot}

    def ask(self, path="/", timeout=5):
        return http.get(self.port, path, timeout).json()

    def provoke(self, path):
        """Asks for what nobody answers."""
        try:
            http.get(self.port, path, timeout=0.3)
        except http.Failure:
            pass

    def wait_replaced(self, before, deadline=30):
        """Until as many workers as before run and one of those is gone; the pids that are new."""

        def new_ones():
            now = self.pids()
            return len(now) == len(before) and now - before

        return self.pid1.wait_for(new_ones, deadline, f"a worker in the place of one of {before}")

    def is_ready(self):
        return self.pid1.ctl("health", "ready").code == 0


@pytest.fixture
def start():
    """A function: a service that is ready, ended afterwards."""
    opened = []

    def begin(workers=2, major=22, options=(), script=SERVICE, ready=True, env=None, **settings):
        how = {k: settings.pop(k) for k in ("group", "user", "cwd", "namespaces") if k in settings}
        service = Service(workers, major, options, script, (env or {}) | settings, **how)
        opened.append(service.pid1)
        return service.wait_ready() if ready else service

    yield begin
    for pid1 in opened:
        pid1.close()
