"""What a person sees in a terminal: `nodeinit ctl status` and `top` in tmux, as docker/docs/ctl.md shows them."""

import re
import shutil
import subprocess
import time

import pytest

from support import node, nodeinit

APP = "require('http').createServer((q, s) => s.end('ok')).listen(process.env.PORT)"
pytestmark = pytest.mark.skipif(not shutil.which("tmux"), reason="Debian's package tmux is not installed")


class Terminal:
    """A shell in a terminal of 100 × 20 that shows only what is written into it."""

    def __init__(self, folder, address):
        self._tmux = ["tmux", "-S", str(folder / "tmux"), "-f", "/dev/null"]
        env = {"PATH": nodeinit.PATH, "TERM": "xterm", "NODEINIT_CONTROL": address, "PS1": "$ ", "LC_ALL": "C.UTF-8"}
        self._run("new-session", "-d", "-x", "100", "-y", "20", "sh", env=env)
        self.wait("[#$]$")  # keys that come before the prompt would be shown twice

    def _run(self, *words, env=None):
        done = subprocess.run([*self._tmux, *words], env=env or {"PATH": nodeinit.PATH, "LC_ALL": "C.UTF-8"},
                              capture_output=True, text=True, timeout=20)  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout

    def type(self, *keys):
        self._run("send-keys", *keys)

    def screen(self):
        return self._run("capture-pane", "-p").rstrip()

    def wait(self, pattern):
        deadline = time.monotonic() + 30
        while not re.search(pattern, self.screen()):
            assert time.monotonic() < deadline, f"no {pattern} in:\n{self.screen()}"
            time.sleep(0.1)
        return self.screen()

    def close(self):
        self._run("kill-server")


@pytest.fixture
def terminal(tmp_path):
    (tmp_path / "app.js").write_text(APP)
    port, address = nodeinit.free_port(), f"@nodeinit-screens-{time.monotonic_ns()}"
    env = {"PORT": port, "NODEINIT_CONTROL": address}
    with nodeinit.start([node.path(), "app.js"], ["--workers", "2"], env=env, cwd=tmp_path, pid1=False) as running:
        running.wait_line("slot 1: worker .* is ready")
        shown = Terminal(tmp_path, address)
        yield shown
        shown.close()


def test_status_is_a_table_that_fits_a_terminal(terminal):
    terminal.type(f"{nodeinit.binary()} ctl status", "Enter")
    screen = terminal.wait("1 +[0-9]+ +ready")
    assert re.search(r"nodeinit [0-9.]+ · running, ready · up ", screen)
    assert "node: 2 of 2 workers ready" in screen
    header = next(line for line in screen.splitlines() if "SLOT" in line)
    assert header.split() == "SLOT PID STATE UPTIME CPU TIME MEMORY LOOP RESTARTS LAST DEATH".split()
    rows = [line for line in screen.splitlines() if re.match(r" +[01] +[0-9]", line)]
    assert len(rows) == 2 and len({line.index("ready") for line in rows}) == 1


def test_top_is_live_and_gives_the_terminal_back(terminal):
    terminal.type("echo before", "Enter")
    terminal.wait("^before|\nbefore")
    terminal.type(f"{nodeinit.binary()} ctl top", "Enter")
    screen = terminal.wait("q: leave")
    assert "before" not in screen and "SLOT" in screen
    first = re.search(r"up \S+", screen).group()
    terminal.wait(rf"(?!{re.escape(first)}\n)up \S+[\s\S]*[▁▂▃▄▅▆▇█]")
    terminal.type("q")
    left = terminal.wait("before[\\s\\S]*[#$]$")
    assert "q: leave" not in left
    terminal.type("echo still here", "Enter")
    terminal.wait("\nstill here")
