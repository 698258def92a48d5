"""Limits of a pure cgroup v2 tree, on a kernel of its own (machine.sh): read, followed while they change, and how
workers end by memory. One machine for all tests: it takes a minute or two to live."""

import json
import re
from pathlib import Path

import pytest
from support import node, nodeinit, vm

pytestmark = [
    pytest.mark.long,
    pytest.mark.timeout(600),
    pytest.mark.skipif(bool(vm.available()), reason=vm.available()),
]

SERVER = "require('http').createServer((q, s) => s.end(String(process.pid))).listen({port})"
BUFFERS = SERVER + "; const kept = []; setInterval(() => kept.push(Buffer.alloc(8 << 20, 1)), 5)"
OBJECTS = "const kept = []; for (;;) kept.push(Array.from({length: 1000}, (_, i) => ({i})))"
MIB = 1 << 20


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    """What the machine has said, by section."""
    folder = tmp_path_factory.mktemp("programs")
    programs = {"server": SERVER.format(port=3000), "buffers": BUFFERS.replace("{port}", "3001"), "objects": OBJECTS}
    for name, text in programs.items():
        (folder / f"{name}.js").write_text(text)
    files = {f"/{name}.js": folder / f"{name}.js" for name in programs}
    files |= {"/nodeinit": nodeinit.binary(), "/node": node.path(22), "/unshare": "/usr/bin/unshare"}
    script = Path(__file__).with_name("machine.sh").read_text()
    return vm.run(script, files, cpus=2, memory=1536, timeout=540)


def plan(told, section):
    return json.loads(told[section])


def findings(explained, verdict):
    return {f["path"] for f in explained["findings"] if f["verdict"] == verdict}


def test_a_quota_of_its_own(told):
    explained = plan(told, "quota")
    assert explained["cpu_limit"] == 1.5
    assert explained["workers"] == 2
    assert explained["memory_limit"] is None
    assert "/sys/fs/cgroup/quota/cpu.max" in findings(explained, "binds")
    assert "/sys/fs/cgroup/quota/cpu.weight" in findings(explained, "not a limit")


def test_a_tighter_parent_binds(told):
    explained = plan(told, "nested")
    assert explained["cpu_limit"] == 1
    assert explained["workers"] == 1
    assert explained["memory_limit"] == 300 * MIB
    assert {"/sys/fs/cgroup/pod/cpu.max", "/sys/fs/cgroup/pod/memory.max"} <= findings(explained, "binds")
    assert {"/sys/fs/cgroup/pod/web/cpu.max", "/sys/fs/cgroup/pod/web/memory.max"} <= findings(explained, "wider")


def test_in_a_cgroup_namespace_the_own_limits_are_found_and_the_hidden_ones_are_not_guessed(told):
    explained = plan(told, "hidden")
    assert explained["resources"]["places"]["cpu"]["levels"] == ["/sys/fs/cgroup"]
    assert not explained["resources"]["places"]["cpu"]["approximate"]
    assert explained["memory_limit"] == 512 * MIB
    assert explained["cpu_limit"] is None
    assert explained["workers"] == 2  # by affinity


def test_the_hosts_tree_in_a_namespace_of_its_own_is_said_to_be_approximate(told):
    place = plan(told, "foreign_mount")["resources"]["places"]["cpu"]
    assert place["approximate"]
    assert "outside the mounted root" in place["how"]


def test_memory_high_below_max_is_the_limit(told):
    assert plan(told, "high")["memory_limit"] == 300 * MIB


def test_a_cpuset_is_counted(told):
    explained = plan(told, "cpuset")
    assert explained["resources"]["cpuset"]["value"] == 1
    assert explained["workers"] == 1


def test_in_a_threaded_group_the_memory_limit_is_that_of_its_domain(told):
    explained = plan(told, "threaded")
    assert explained["cpu_limit"] == 0.5
    assert explained["memory_limit"] == 400 * MIB


def test_a_group_without_limits_has_none(told):
    explained = plan(told, "removed")
    assert explained["cpu_limit"] is None
    assert explained["memory_limit"] is None


def test_changes_are_followed_while_it_serves(told):
    assert told["live"].splitlines() == [
        "serves with 1, --max-old-space-size=504",
        "grown to 2 with heap 232",
        "memory shrunk, heap 138",
        "memory grown, heap 232",
        "shrunk to 1",
        "still serves",
    ], told["log"]
    assert told["stop"].splitlines() == ["exit 0", "oom_kill oom_kill 0"], told["log"]


def test_the_figures_of_the_group_are_in_the_metrics(told):
    figures = {line.rpartition(" ")[0]: float(line.rpartition(" ")[2]) for line in told["metrics"].splitlines()}
    prefix = "nodeinit_container_"
    assert figures[prefix + "cpu_limit_cpus"] == 1
    assert figures[prefix + "memory_limit_bytes"] == 600 * MIB
    assert 0 < figures[prefix + "memory_used_bytes"] <= figures[prefix + "memory_peak_bytes"] <= 600 * MIB
    assert figures[prefix + "cpu_seconds_total"] > 1
    assert figures[prefix + "cpu_periods_total"] >= figures[prefix + "cpu_throttled_periods_total"] > 0
    assert figures[prefix + "cpu_throttled_seconds_total"] > 0
    assert figures[prefix + 'memory_events_total{event="oom_kill"}'] == 0
    assert prefix + 'pressure_waiting_seconds_total{resource="cpu",who="some"}' in figures
    assert prefix + 'pressure_waiting_seconds_total{resource="memory",who="full"}' in figures


def test_objects_without_end_meet_the_heap_limit_before_the_kernel(told):
    assert re.search(r"its heap is full.*its heap limit \d+ MiB", told["heap"]), told["heap"]
    assert "oom_kill 0" in told["heap"]


def test_buffers_without_end_are_killed_and_told_with_the_cause(told):
    killed = re.search(r"killed by the kernel, out of memory: (.*)", told["buffers"])
    assert killed, told["buffers"]
    for part in ("limit 256 MiB", "its share 224 MiB", "its heap limit", "resident", "(Buffers, native add-ons) is the cause"):
        assert part in killed[1]
    assert "oom_kill 1" in told["buffers"]


def test_where_the_kernel_kills_the_group_as_a_whole_nothing_is_left_behind(told):
    assert told["together"].splitlines() == ["exit 137", "oom_group_kill 1", "nobody is left"]
