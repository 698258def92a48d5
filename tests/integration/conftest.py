"""One small Node program under nodeinit."""

import pytest
from support import node, nodeinit


@pytest.fixture
def program(tmp_path):
    """A function: the script runs under nodeinit on this Node with so many workers, all of them ready (unless the
    script never listens: ready=False). PORT is in its environment. Gives (pid1, port)."""
    opened = []

    def start(script, major=24, workers=2, ready=True, options=(), arguments=(), user=None, **env):
        file = tmp_path / "app.js"
        file.write_text(script)
        port = nodeinit.free_port()
        settings = {"PORT": port, "NODEINIT_WORKERS": workers, "NODEINIT_MODE": "cluster"} | env
        pid1 = nodeinit.start([node.path(major), *arguments, file], options, settings, user=user)
        opened.append(pid1)
        for slot in range(workers if ready else 0):
            pid1.wait_line(rf"slot {slot}: worker \d+ is ready")
        return pid1, port

    yield start
    for pid1 in opened:
        pid1.close()
