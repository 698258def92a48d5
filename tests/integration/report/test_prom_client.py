"""The workers' own metrics, of prom-client, merged into /metrics: beside prom-client's own aggregator."""

import os
import re
import shutil
import signal
import subprocess
import threading
import time
import urllib.request
from http import client
from pathlib import Path

import pytest

from support import cache, http, node, nodeinit

HERE = Path(__file__).resolve().parent / "prom_client"
VERSION = "15.1.3"
ACCEPT = {"prometheus": "text/plain", "openmetrics": "application/openmetrics-text"}
WITHOUT = """
let told = 0;
process.on('message', () => { ++told; });
const answers = {
  '/': (end) => end(told),
  '/pid': (end) => end(process.pid),
  '/slow': (end) => setInterval(() => { if (require('fs').existsSync('go')) end(told); }, 20),
};
require('http').createServer((q, s) => answers[q.url]((what) => s.end(String(what)))).listen(process.env.PORT);
"""


def install(target):
    subprocess.run(["npm", "install", "--silent", "--no-audit", "--no-fund", "--ignore-scripts", f"prom-client@{VERSION}"],
                   cwd=target, check=True, timeout=600, stdin=subprocess.DEVNULL)  # fmt: skip


class Service:
    def __init__(self, folder, *options, program=None, **env):
        for file in HERE.glob("*.js"):
            shutil.copy(file, folder)
        if program:
            (folder / "server.js").write_text(program)
        (folder / "node_modules").symlink_to(cache.once(f"prom-client/{VERSION}", install) / "node_modules")
        self.folder, self.web, self.port = folder, nodeinit.free_port(), nodeinit.free_port()
        words = ["--workers", "2", "--http", f"127.0.0.1:{self.web}", *options]
        env = {"PORT": self.port, "FOLDER": folder, **env}
        self.pid1 = nodeinit.start([node.path(), "server.js"], words, env=env, cwd=folder)

    def __enter__(self):
        self.pid1.wait_line("slot 1: worker .* is ready")
        return self

    def __exit__(self, *_):
        self.pid1.close()

    def metrics(self, form="prometheus"):
        request = urllib.request.Request(f"http://127.0.0.1:{self.web}/metrics", headers={"Accept": ACCEPT[form]})
        with urllib.request.urlopen(request, timeout=20) as answer:
            return answer.read().decode()

    def answers(self):
        return {found[0]: int(found[1]) for found in
                re.findall(r'^nodeinit_worker_metrics_answers_total{result="(\w+)"} (\d+)$', self.metrics(), re.M)}  # fmt: skip


def of_application(text):
    """{sample with its labels sorted: value}, and {family: type}."""
    samples, types = {}, {}
    for line in text.splitlines():
        if line.startswith("# TYPE ") and not line.startswith("# TYPE nodeinit_"):
            types[line.split()[2]] = line.split()[3]
        if line and not line.startswith(("#", "nodeinit_")):
            name, labels, value = re.fullmatch(r"([^{ ]+)(?:{(.*)})? (\S+)", line).groups()
            labels = sorted(re.findall(r'(\w+)="((?:\\.|[^"\\])*)"', labels or ""))
            samples[name, *labels] = float(value)
    return samples, types


@pytest.mark.parametrize("form", ["prometheus", "openmetrics"])
def test_the_totals_are_those_of_prom_client_s_own_primary(tmp_path, form):
    with Service(tmp_path) as service:
        ours = service.metrics(form)
        command = [node.path(), "aggregate.js", form, "0.json", "1.json"]
        theirs = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True, timeout=60).stdout
        samples, types = of_application(ours)
        their_samples, their_types = of_application(theirs)
        if form == "openmetrics":  # the suffix belongs to the sample: prom-client leaves it in the family's name at times
            their_types = {name.removesuffix("_total"): kind for name, kind in their_types.items()}
            their_samples = {(re.sub("_total_total$", "_total", key[0]), *key[1:]): value
                             for key, value in their_samples.items()}  # fmt: skip
        assert samples == their_samples and types == their_types
        assert samples["gauge_average",] == 11.25 and samples["of_another_registry",] == 3
        assert "gauge_omit" not in ours
        assert service.answers()["merged"] >= 2


@pytest.mark.skipif(not shutil.which("promtool"), reason="Debian's package prometheus is not installed")
def test_promtool_takes_the_document_with_the_default_metrics(tmp_path):
    with Service(tmp_path, DEFAULTS="1") as service:
        text = service.metrics()
        assert "nodejs_eventloop_lag_seconds" in text and "process_cpu_user_seconds_total" in text
        checked = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, text=True, timeout=60)
        # Of the application's own names it may find fault: those are not ours.
        found = [line for line in (checked.stdout + checked.stderr).splitlines() if line.startswith("nodeinit_")]
        assert not found and "error while linting" not in checked.stderr, checked.stderr


def test_a_worker_that_is_blocked_is_left_out_and_counted_and_nothing_else_waits(tmp_path):
    with Service(tmp_path) as service:
        assert of_application(service.metrics())[0]["plain",] == 3
        blocked = threading.Thread(target=lambda: http.get(service.port, "/?ms=8000", timeout=30))
        blocked.start()
        time.sleep(0.5)
        scrapes = []
        scrape = threading.Thread(target=lambda: scrapes.append(service.metrics()))
        scrape.start()
        assert http.get(service.web, "/readyz", timeout=5).status == 200
        scrape.join(20)
        samples, _ = of_application(scrapes[0])
        assert samples["plain",] == 1.5
        assert service.answers()["unanswered"] >= 1
        blocked.join(30)
        nodeinit.wait_for(lambda: of_application(service.metrics())[0].get(("plain",)) == 3, 30, "both again")


def test_what_ended_workers_counted_stays_in_the_totals(tmp_path):
    with Service(tmp_path) as service:
        assert of_application(service.metrics())[0]["plain",] == 3
        os.kill(service.pid1.workers()[0].pid, signal.SIGKILL)
        service.pid1.wait_line("slot 0: worker .* is ready")
        nodeinit.wait_for(lambda: of_application(service.metrics())[0]["plain",] == 4.5, 30, "three workers' counts")
        assert service.pid1.ctl("reload").code == 0
        samples, _ = of_application(service.metrics())
        assert samples["plain",] == 7.5 and samples["took_seconds_count", ("route", "/x")] == 15
        assert samples["gauge_sum",] == 22.5 and samples["size_bytes", ("quantile", "0.5")] == pytest.approx(16.5)


def test_a_program_without_prom_client_is_soon_left_alone(tmp_path):
    with Service(tmp_path, program=WITHOUT) as service:
        for _ in range(6):
            assert not of_application(service.metrics())[0]
        told = {http.get(service.port).body for _ in range(40)}
        assert told == {b"3"}
        assert service.answers() == {"merged": 0, "unanswered": 0, "unusable": 0}


def test_a_worker_that_drains_is_not_asked(tmp_path):
    with Service(tmp_path, program=WITHOUT) as service:
        slow = client.HTTPConnection("127.0.0.1", service.port, timeout=60)
        slow.request("GET", "/pid")
        draining = slow.getresponse().read()
        slow.request("GET", "/slow")
        reload = threading.Thread(target=service.pid1.ctl, args=("reload",))
        reload.start()
        nodeinit.wait_for(lambda: draining not in {http.get(service.port, "/pid").body for _ in range(20)}, 60, "the drain")
        for _ in range(2):
            service.metrics()
        assert b"2" in {http.get(service.port).body for _ in range(40)}
        (tmp_path / "go").touch()
        assert slow.getresponse().read() == b"0"
        reload.join(60)


def test_it_can_be_switched_off(tmp_path):
    with Service(tmp_path, "--worker-metrics", "off", program=WITHOUT) as service:
        assert not of_application(service.metrics())[0]
        assert {http.get(service.port).body for _ in range(40)} == {b"0"}
