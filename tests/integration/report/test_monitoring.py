"""What monitoring makes of the metrics: Prometheus itself, the alert rules and the dashboard of docker/."""

import json
import re
import shutil
import subprocess
import time
import urllib.parse
import urllib.request
from pathlib import Path

import pytest

from support import node, nodeinit

DOCKER = nodeinit.TOP / "docker"
RULES = DOCKER / "prometheus" / "rules.yml"
DASHBOARD = DOCKER / "grafana" / "nodeinit.json"
APP = "require('http').createServer((q, s) => s.end('ok')).listen(process.env.PORT)"
# What a container without a CPU quota, memory events or a log pump does not have.
ONLY_WITH_LIMITS = {
    "nodeinit_container_cpu_limit_cpus", "nodeinit_container_memory_limit_bytes", "nodeinit_container_cpu_periods_total",
    "nodeinit_container_cpu_throttled_periods_total", "nodeinit_container_memory_events_total",
    "nodeinit_container_pressure_waiting_seconds_total", "nodeinit_container_memory_used_bytes",
}  # fmt: skip
needs_prometheus = pytest.mark.skipif(not shutil.which("promtool"), reason="Debian's package prometheus is not installed")


@pytest.fixture
def metrics_port(tmp_path):
    (tmp_path / "app.js").write_text(APP)
    web, port = nodeinit.free_port(), nodeinit.free_port()
    options = ["--workers", "2", "--log", "lines", "--http", f"127.0.0.1:{web}"]
    with nodeinit.start([node.path(), "app.js"], options, env={"PORT": port}, cwd=tmp_path) as running:
        running.wait_line("slot 1: worker .* is ready")
        yield web


def families(port):
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
        text = answer.read().decode()
    found = set()
    for name, kind in re.findall(r"^# TYPE (\S+) (\S+)$", text, re.M):
        found |= {f"{name}_bucket", f"{name}_sum", f"{name}_count"} if kind == "histogram" else {name}
    return found


@pytest.mark.parametrize("file", [RULES, DASHBOARD], ids=["rules", "dashboard"])
def test_every_metric_that_is_named_exists(file, metrics_port):
    text = file.read_text()
    named = set(re.findall(r"\bnodeinit_[a-z_]+\b", text))
    assert len(named) > 8
    unknown = named - families(metrics_port) - ONLY_WITH_LIMITS
    assert not unknown, f"{file.name} names {unknown}"


def test_the_dashboard_is_one_that_grafana_imports():
    board = json.loads(DASHBOARD.read_text())
    places = [(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in board["panels"]]
    assert len(set(places)) == len(places), "two panels at one place"
    assert all(panel["targets"] and panel["datasource"]["uid"] == "${datasource}" for panel in board["panels"])
    assert {variable["name"] for variable in board["templating"]["list"]} == {"datasource", "job", "instance"}


@needs_prometheus
def test_promtool_takes_the_rules():
    checked = subprocess.run(["promtool", "check", "rules", RULES], capture_output=True, text=True, timeout=60)
    assert checked.returncode == 0 and "SUCCESS" in checked.stdout, checked.stdout + checked.stderr


@needs_prometheus
def test_what_pods_are_scaled_by_is_a_query_of_known_metrics(metrics_port, tmp_path):
    query = re.search(r"query: >-\n\s+(.+)", (DOCKER / "kubernetes" / "keda.yaml").read_text())[1]
    (tmp_path / "rules.yml").write_text(json.dumps({"groups": [{"name": "a", "rules": [{"record": "a", "expr": query}]}]}))
    checked = subprocess.run(["promtool", "check", "rules", tmp_path / "rules.yml"], capture_output=True, text=True,
                             timeout=60)  # fmt: skip
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert set(re.findall(r"\bnodeinit_[a-z_]+\b", query)) <= families(metrics_port)


@needs_prometheus
def test_the_rules_fire_when_they_should():
    checked = subprocess.run(["promtool", "test", "rules", Path(__file__).parent / "rules_test.yml"],
                             capture_output=True, text=True, timeout=60)  # fmt: skip
    assert checked.returncode == 0 and "SUCCESS" in checked.stdout, checked.stdout + checked.stderr


@needs_prometheus
def test_a_real_prometheus_scrapes_a_real_run(metrics_port, tmp_path):
    own = nodeinit.free_port()
    (tmp_path / "prometheus.yml").write_text(f"""
global: {{scrape_interval: 1s, evaluation_interval: 1s}}
rule_files: [{RULES}]
scrape_configs:
  - job_name: web
    static_configs: [{{targets: ["127.0.0.1:{metrics_port}"]}}]
""")

    def query(expression):
        url = f"http://127.0.0.1:{own}/api/v1/query?query={urllib.parse.quote(expression)}"
        try:
            with urllib.request.urlopen(url, timeout=5) as answer:
                result = json.load(answer)["data"]["result"]
        except OSError:
            return None  # not up yet
        return [float(series["value"][1]) for series in result]

    command = ["prometheus", f"--config.file={tmp_path}/prometheus.yml", f"--storage.tsdb.path={tmp_path}/data",
               f"--web.listen-address=127.0.0.1:{own}"]  # fmt: skip
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as prometheus:
        try:
            deadline = time.monotonic() + 60
            while query("nodeinit_workers_ready") != [2.0]:
                assert time.monotonic() < deadline and prometheus.poll() is None, query("up")
                time.sleep(0.3)
            assert query("up") == [1.0]
            assert query("count(nodeinit_worker_resident_memory_bytes > 1e7)") == [2.0]
            assert query('ALERTS{alertstate="firing"}') == []
        finally:
            prometheus.terminate()
            prometheus.wait(20)
