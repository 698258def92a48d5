"""An image with node, its libraries and nodeinit, in each engine that is installed.

A test marked `shows("what a reader wants to know")` is a row of the table of engines in docker/docs/engines.md: what came of it in each
engine is noted (table.py), when the environment variable NODEINIT_ENGINE_RESULTS names a file.
"""

import os
import shutil
import subprocess

import pytest
from container import table
from container.cri_engine import Cri
from container.engines import Docker, Podman
from container.runc_engine import Runc
from support import apps, node, runc

IMAGE = "localhost/nodeinit-test:1"
# As a platform runs what it does not trust.
HARDENED = ("--read-only", "--tmpfs", "/tmp:rw,noexec,nosuid,size=16m", "--cap-drop=all",
            "--security-opt=no-new-privileges", "--user", "10001:10001")  # fmt: skip
ENGINES = {"runc": Runc, "podman": Podman, "docker": Docker, "containerd": Cri}
# The short form has one that starts containers itself and one that people type.
_LONG = ("docker", "containerd")


@pytest.fixture(scope="session")
def root_archive(tmp_path_factory):
    """A tar archive: read-only root of a scratch-like image. No shell, no npm."""
    folder = tmp_path_factory.mktemp("image")
    root = runc.make_root(folder / "root", 22)
    (root / "usr/bin/node").unlink()
    shutil.copy(node.path(22), root / "usr/bin/node")
    for app in ("express", "fastify", "http"):
        made = apps.make(folder / "apps" / app, app)
        shutil.copytree(made.folder, root / "app" / app, ignore=shutil.ignore_patterns("node_modules"))
    (root / "app/node_modules").rmdir()
    shutil.copytree(apps.packages() / "node_modules", root / "app/node_modules", symlinks=True)
    for script, text in SCRIPTS.items():
        (root / "app" / script).write_text(text)
    (root / "tmp").chmod(0o1777)
    assert not [*root.rglob("sh"), *root.rglob("busybox")], "as from scratch"
    archive = folder / "root.tar"
    subprocess.run(["tar", "-C", root, "--owner=0", "--group=0", "-cf", archive, "."], check=True)
    shutil.rmtree(root)
    yield archive
    archive.unlink()


@pytest.fixture(scope="session", params=[
    pytest.param(name, marks=[pytest.mark.long] if name in _LONG else []) for name in ENGINES])  # fmt: skip
def engine(request, root_archive, tmp_path_factory):
    kind = ENGINES[request.param]
    if not kind.available():
        pytest.skip(f"{request.param} is not installed")
    with kind(tmp_path_factory.mktemp(request.param)) as started:
        started.load(root_archive, IMAGE, ['ENTRYPOINT ["/sbin/nodeinit"]', "ENV PATH=/usr/bin:/sbin", "WORKDIR /app"])
        table.note_version(started)
        yield started


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    outcome = yield
    report = outcome.get_result()
    marker = item.get_closest_marker("shows")
    # The call tells; the setup too, where it ends the test (skipped, or broken).
    if marker and (report.when == "call" or report.outcome != "passed"):
        parameters = getattr(item, "callspec", None)
        name = marker.kwargs.get("engine") or (parameters and parameters.params.get("engine"))
        table.note(marker.args[0], name, report.outcome)


def pytest_sessionfinish():
    if os.environ.get("NODEINIT_ENGINE_RESULTS"):
        table.write_results(os.environ["NODEINIT_ENGINE_RESULTS"])


SCRIPTS = {
    "exit.js": "process.exit(Number(process.argv[2]));\n",
    "stubborn.js": "process.on('SIGTERM', () => {}); setInterval(() => {}, 1000); console.log('ready');\n",
    # Allocates until it is killed: outside of V8's heap, so that the kernel is what ends it.
    "hog.js": "const all = []; for (;;) all.push(Buffer.alloc(8 << 20, 1));\n",
    # Leaves grandchildren without a parent, again and again, beside a service.
    "orphans.js": """
const { spawn } = require('child_process');
const orphan = `setTimeout(() => {}, 200)`;
const leave = `require('child_process').spawn(process.execPath, ['-e', '${orphan}'],
    { detached: true, stdio: 'ignore' }).unref()`;
setInterval(() => spawn(process.execPath, ['-e', leave], { stdio: 'ignore' }), 700);
require('http').createServer((q, r) => r.end('ok')).listen(Number(process.env.PORT));
""",
    # Is not ready from one SIGUSR2 to the next.
    "moody.js": """
const server = require('http').createServer((q, r) => r.end('ok'));
const listen = () => server.listen(Number(process.env.PORT));
process.on('SIGUSR2', () => server.listening ? server.close() : listen());
setInterval(() => {}, 1e9);
listen();
""",
    "package.json": '{"name": "app", "scripts": {"start": "node http/server.js"}}\n',
}
