"""Where the services of these tests run: as PID 1 of a PID namespace, and in a hardened container of runc."""

import shutil

import pytest
from support import apps, cgroup, node, nodeinit, runc

CPUS = 1.5  # two workers, by the rule
MEMORY = 768 << 20


@pytest.fixture(params=["namespace", "container"])
def place(request, tmp_path):
    """A function: start an application by name, with this environment; what it started is ended afterwards."""
    if not cgroup.available():
        pytest.skip("cgroups may not be made here")
    if request.param == "container" and not shutil.which("runc"):
        pytest.skip("runc is not installed")
    opened = []

    def in_namespace(app, env, major, options):
        group = cgroup.Group(cpus=CPUS, memory=MEMORY)
        opened.append(group.remove)
        started = nodeinit.start([node.path(major), app.script], options, env, group=group)
        opened.append(started.close)
        return started

    def in_container(app, env, major, options):
        started = runc.start(tmp_path, ["node", "/app/server.js"], options, env, app=app, major=major,
                             cpus=CPUS, memory=MEMORY)  # fmt: skip
        opened.append(started.close)
        return started

    def start(name, env, major=22, options=()):
        app = apps.make(tmp_path / "app", name)
        return (in_container if request.param == "container" else in_namespace)(app, env, major, options)

    yield start
    for close in reversed(opened):
        close()
