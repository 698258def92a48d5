"""An image with node, its libraries and nodeinit, in each engine that is installed."""

import shutil
import subprocess

import pytest
from container.engines import ENGINES
from support import apps, node, runc

IMAGE = "localhost/nodeinit-test:1"
# As a platform runs what it does not trust.
HARDENED = ("--read-only", "--tmpfs", "/tmp:rw,noexec,nosuid,size=16m", "--cap-drop=all",
            "--security-opt=no-new-privileges", "--user", "10001:10001")  # fmt: skip


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
    archive = folder / "root.tar"
    subprocess.run(["tar", "-C", root, "--owner=0", "--group=0", "-cf", archive, "."], check=True)
    shutil.rmtree(root)
    yield archive
    archive.unlink()


@pytest.fixture(scope="session", params=list(ENGINES))
def engine(request, root_archive, tmp_path_factory):
    kind = ENGINES[request.param]
    if not kind.available():
        pytest.skip(f"{request.param} is not installed")
    with kind(tmp_path_factory.mktemp(request.param)) as started:
        started.load(root_archive, IMAGE, ['ENTRYPOINT ["/sbin/nodeinit"]', "ENV PATH=/usr/bin:/sbin", "WORKDIR /app"])
        yield started


SCRIPTS = {
    "exit.js": "process.exit(Number(process.argv[2]));\n",
    "stubborn.js": "process.on('SIGTERM', () => {}); setInterval(() => {}, 1000); console.log('ready');\n",
    # Allocates until it is killed: outside of V8's heap, so that the kernel is what ends it.
    "hog.js": "const all = []; for (;;) all.push(Buffer.alloc(8 << 20, 1));\n",
    # Leaves grandchildren without a parent, again and again, beside a service.
    "orphans.js": """
const { spawn } = require('child_process');
const leave = `require('child_process').spawn(process.execPath, ['-e', ''], { detached: true, stdio: 'ignore' });`;
setInterval(() => spawn(process.execPath, ['-e', leave], { stdio: 'ignore' }), 200);
require('http').createServer((q, r) => r.end('ok')).listen(Number(process.env.PORT));
""",
    "package.json": '{"name": "app", "scripts": {"start": "node http/server.js"}}\n',
}
