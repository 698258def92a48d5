"""The table of docker/docs/commands.md: each row is run, and does what it says."""

import json
import re
from pathlib import Path

import pytest
from support import apps, crowd, node, nodeinit

PAGE = nodeinit.TOP / "docker/docs/commands.md"
SERVER = "require('http').createServer((_, r) => r.setHeader('connection', 'close').end(String(process.pid))).listen(+process.env.PORT)"
FILES = {
    "server.js": SERVER,
    "migrate.js": "console.log('MIGRATED')",
    "idle.js": "setInterval(() => {}, 1000)",
    "early.js": "",
    "cluster.js": "const c = require('cluster');\nif (c.isPrimary) { c.fork(); c.fork(); process.on('SIGTERM', () => process.exit(0)); }\n"
                  "else require('./server.js');\n",
    ".env": "FROM_FILE=1\n",
    "start.sh": "#!/bin/sh\nset -e\nexport A=1\nnode migrate.js\nnode server.js\n",
    "bin/docker-entrypoint.sh": '#!/bin/sh\nset -e\nif [ "${1#-}" != "${1}" ]; then\n  set -- node "$@"\nfi\nexec "$@"\n',
    "node_modules/.bin/launch": "#!/usr/bin/env node\nrequire('../../server.js');\n",
    "package.json": json.dumps({"name": "a", "version": "1.0.0", "scripts": {
        "start": "node server.js", "start:prod": "NODE_ENV=production node server.js", "idle": "node idle.js",
        "start:cross": "cross-env NODE_ENV=production node server.js",
        "prestart:hooks": "node migrate.js", "start:hooks": "node server.js"}}),
}  # fmt: skip


def rows():
    table = PAGE.read_text().split("<!-- commands: begin -->")[1].split("<!-- commands: end -->")[0]
    for line in table.strip().splitlines()[2:]:
        command, becomes, besides = (
            cell.strip().replace("\\|", "|") for cell in re.split(r"(?<!\\)\|", line)[1:-1]
        )
        yield pytest.param(json.loads(command.strip("`")), becomes, besides.strip("`"), id=command.strip("`"))


@pytest.fixture
def place(tmp_path):
    for folder in [tmp_path, *tmp_path.parents][:-1]:
        folder.chmod(folder.stat().st_mode | 0o055)
    for name, text in FILES.items():
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        file.chmod(0o755)
    packages = apps.packages(Path(__file__).parent / "packages") / "node_modules"
    for package in packages.glob("[!.]*"):
        (tmp_path / "node_modules" / package.name).symlink_to(package)
    for launcher in (packages / ".bin").glob("*"):
        (tmp_path / "node_modules" / ".bin" / launcher.name).symlink_to(launcher)
    return tmp_path


@pytest.mark.parametrize("command, becomes, besides", rows())
def test_a_command_becomes_what_the_table_says(place, command, becomes, besides):
    port = nodeinit.free_port()
    path = f"{Path(node.path(24)).parent}:{place}/bin:{place}/node_modules/.bin:{nodeinit.PATH}"
    env = {"PATH": path, "HOME": place, "PORT": port, "NODEINIT_WORKERS": 2, "NODEINIT_READY_TIMEOUT": "60s"}
    with nodeinit.start(command, env=env, cwd=place) as pid1:
        if becomes == "once":
            assert pid1.wait() == (7 if "exit 7" in command[-1] else 0)
            assert pid1.out == "MIGRATED\n"
            return
        pid1.wait_for(lambda: crowd.ask(port)[0] == 200, what="an answer")
        if becomes == "one process":
            pid1.wait_line(re.escape(besides))
            assert "slot 1" not in pid1.err, "a second worker was started"
        else:
            pids = set()
            pid1.wait_for(lambda: len(pids.add(crowd.ask(port)[1]) or pids) > 1, what="two workers that answer")
            assert ("is run as it is" in pid1.err) == (becomes == "adopted")
            assert "prestart" not in besides or pid1.out.count("MIGRATED") == 1
        pid1.stop()
        assert not pid1.processes()
