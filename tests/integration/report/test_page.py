"""The page at `/`, in headless Chromium: what it shows, on a desk and on a phone, and that it asks nobody else."""

import re
import shutil
import subprocess

import pytest

from support import http, node, nodeinit

APP = "require('http').createServer((q, s) => s.end('ok')).listen(process.env.PORT)"
pytestmark = pytest.mark.skipif(not shutil.which("chromium"), reason="Debian's package chromium is not installed")


@pytest.fixture
def page(tmp_path):
    (tmp_path / "app.js").write_text(APP)
    web = nodeinit.free_port()
    options = ["--workers", "2", "--hang-timeout", "5s", "--http", f"127.0.0.1:{web}"]
    env = {"PORT": nodeinit.free_port()}
    with nodeinit.start([node.path(), "app.js"], options, env=env, cwd=tmp_path) as running:
        running.wait_line("slot 1: worker .* is ready")
        running.ctl("restart", "1")
        running.wait_line("slot 1: worker [0-9]+ ended")
        nodeinit.wait_for(lambda: all(map(is_measured, slots(web))), 30, "two measured workers")
        yield f"http://127.0.0.1:{web}/"


def slots(port):
    return http.get(port, "/status").json()["programs"][0]["slots"]


def is_measured(slot):
    return slot["state"] == "ready" and "loop_delay_ms" in slot and "memory" in slot


def chromium(folder, url, *options):
    command = ["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
               "--disable-background-networking", "--disable-component-update", "--disable-sync",
               f"--user-data-dir={folder}/profile", "--virtual-time-budget=9000", *options, url]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_page_shows_slots_and_events(page, tmp_path):
    dom = chromium(tmp_path, page, "--dump-dom")
    text = re.sub(r"<(script|style)[\s\S]*?</\1>", "", dom)
    assert "· running, ready" in text
    assert "node: 2 of 2 workers ready" in text
    assert text.count('class="slot"') == 2 and text.count("event loop delay") == 2
    assert re.search(r"memory</span><span>[0-9.]+ MiB", text)
    assert re.search(r"<path d=\"M[0-9]+ [0-9.]+L", text), "no chart has two points"
    assert re.search(r"ago: slot 1: worker [0-9]+ is ready after", text)
    assert "no answer" not in text


@pytest.mark.parametrize("width", [390, 1280])
def test_it_fits_the_screen(page, tmp_path, width):
    picture = tmp_path / f"page-{width}.png"
    chromium(tmp_path, page, f"--window-size={width},900", f"--screenshot={picture}")
    assert picture.read_bytes().startswith(b"\x89PNG") and picture.stat().st_size > 5000


def test_it_names_no_other_place():
    source = (nodeinit.TOP / "src/core/report/status_page.cpp").read_text()
    assert set(re.findall(r"https?://[^\s'\"]+", source)) == {"http://www.w3.org/2000/svg"}  # a name, not an address
