"""Limits of a real cgroup of the test's own: what is read from them."""

import json
import subprocess
import time
from pathlib import Path

import pytest
from support import cgroup, node, nodeinit

pytestmark = pytest.mark.skipif(not cgroup.available(), reason="cgroups may not be made here")


def explain(group, *options, **env):
    done = subprocess.run(
        [nodeinit.binary(), "--explain", "--json", *options], env={"PATH": nodeinit.PATH} | env,
        preexec_fn=group.enter, capture_output=True, text=True, timeout=30, check=True,
    )  # fmt: skip
    return json.loads(done.stdout)


@pytest.mark.parametrize(("cpus", "workers"), [(0.5, 1), (1, 1), (1.25, 2), (1.5, 2)])
def test_a_real_quota_gives_the_workers_that_can_use_it(cpus, workers):
    with cgroup.Group(cpus=cpus, memory=512 << 20) as group:
        told = explain(group)
    assert told["cpu_limit"] == cpus
    assert told["memory_limit"] == 512 << 20
    assert told["workers"] == workers
    assert told["heap_mb"] == (194 if workers == 2 else 480 - 40 - 12)


def test_without_a_quota_there_is_no_limit():
    with cgroup.Group() as group:
        told = explain(group)
    assert told["cpu_limit"] is None
    assert told["memory_limit"] is None
    assert told["workers"] >= 1


def test_a_heap_option_of_the_user_is_left_alone():
    with cgroup.Group(memory=512 << 20) as group:
        assert explain(group, NODE_OPTIONS="--max-old-space-size=99")["heap_mb"] is None
        assert explain(group, "--heap", "off")["heap_mb"] is None


# A worker that tells what it and a program that it starts were given.
ASKER = """
const tell = 'console.log(JSON.stringify({heap: v8.getHeapStatistics().heap_size_limit >> 20,' +
  ' options: process.env.NODE_OPTIONS || null, flags: process.execArgv}))';
const child = require('child_process').spawnSync(process.execPath, ['-e', tell], {encoding: 'utf8'});
eval('const v8 = require("v8");' + tell);
console.log(child.stdout);
process.exit(0);
"""


@pytest.mark.parametrize("options", [None, "--max-old-space-size=99", "--no-deprecation"])
def test_the_heap_is_that_of_the_plan_for_the_worker_alone(tmp_path, options):
    script = tmp_path / "app.js"
    script.write_text(ASKER)
    env = {"NODE_OPTIONS": options} if options else {}
    with cgroup.Group(cpus=1, memory=512 << 20) as group:
        done = nodeinit.run([node.path(22), str(script)], env=env, group=group, timeout=60)
    worker, child = [json.loads(line) for line in done.out.splitlines() if line.startswith("{")]
    by_user = options == "--max-old-space-size=99"
    assert worker["flags"] == [], "the program sees nothing of nodeinit's options"
    assert "--max-old-space-size=428" not in child["flags"]
    assert worker["options"] == child["options"] == options
    assert (worker["heap"] < 130) == by_user
    assert by_user or 428 <= worker["heap"] < 460 < 512
    assert by_user or child["heap"] not in range(428, 460)


def test_a_command_that_is_not_node_gets_the_heap_by_node_options(tmp_path):
    script, wrapper = tmp_path / "app.js", tmp_path / "wrapper"
    script.write_text(ASKER)
    wrapper.write_text(f"#!/bin/sh\nexec {node.path(22)} {script}\n")
    wrapper.chmod(0o755)
    env = {"NODEINIT_MODE": "cluster", "NODE_OPTIONS": "--no-deprecation", "NODEINIT_RESTART": "never"}
    with cgroup.Group(cpus=1, memory=512 << 20) as group:
        done = nodeinit.run([str(wrapper)], env=env, group=group, timeout=60)
    worker = json.loads(next(line for line in done.out.splitlines() if line.startswith("{")))
    assert worker["options"].startswith("--no-deprecation --max-old-space-size=428 --max-semi-space-size=4")
    assert 428 <= worker["heap"] < 460


FIXTURES = sorted((Path(__file__).resolve().parents[2] / "fixtures" / "cgroup").glob("*.json"))


def lay_out(folder, layout):
    files = {"/proc/self/status": f"Cpus_allowed_list:\t0-{layout['affinity'] - 1}\n"} if layout.get("affinity") else {}
    if layout.get("mem_total"):
        files["/proc/meminfo"] = f"MemTotal: {layout['mem_total'] // 1024} kB\n"
    for name, text in (files | layout["files"]).items():
        path = Path(f"{folder}{name}")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode("utf-8", "surrogateescape"))


def explain_below(folder, *options):
    return subprocess.run(
        [nodeinit.binary(), "--explain", *options, "--root", str(folder)], env={"PATH": nodeinit.PATH},
        capture_output=True, text=True, errors="replace", timeout=20,
    )  # fmt: skip


def test_every_layout_is_explained_by_the_program_itself(tmp_path):
    assert len(FIXTURES) >= 150
    for number, fixture in enumerate(FIXTURES):
        layout, folder = json.loads(fixture.read_text()), tmp_path / str(number)
        folder.mkdir()
        lay_out(folder, layout)
        done = explain_below(folder, "--json")
        assert done.returncode == 0, (fixture.name, done.stderr)
        told, expected = json.loads(done.stdout), layout["expected"]
        found = {key: told[key] for key in ("cpu_limit", "memory_limit", "workers")}
        wanted = {key: expected[key] for key in found}
        assert found == pytest.approx(wanted), fixture.name
        # For a person the same: each file with its verdict, which one binds, what was ignored and why.
        text = explain_below(folder).stdout
        for finding in told["findings"]:
            name, verdict = finding["path"].split("/")[-1], f"{finding['verdict']} "
            assert any(line.strip().startswith(verdict) and name in line and finding["text"] in line and
                       line.endswith(finding["note"]) for line in text.splitlines()), (fixture.name, finding)  # fmt: skip
        for note in told["notes"]:
            assert note in text
        for step in told["programs"][0]["steps"]:
            assert step in text


@pytest.mark.parametrize("lines", [1, 60_000])
def test_a_huge_mountinfo_is_read_in_no_time(tmp_path, lines):
    mounts = "".join(f"{n} {n - 1} 0:{n} /m{n} /var/lib/m{n} rw - tmpfs tmpfs rw\n" for n in range(100, 100 + lines))
    cgroup2 = "32 31 0:26 / /sys/fs/cgroup ro - cgroup2 cgroup rw\n"
    lay_out(tmp_path, {"affinity": 8, "mem_total": 8 << 30, "files": {
        "/proc/self/cgroup": "0::/c\n", "/proc/self/mountinfo": mounts + cgroup2,
        "/sys/fs/cgroup/c/cpu.max": "150000 100000\n", "/sys/fs/cgroup/c/memory.max": "9" * 5_000_000,
    }})  # fmt: skip
    began = time.monotonic()
    done = explain_below(tmp_path, "--json")
    assert time.monotonic() - began < 3
    told = json.loads(done.stdout)
    assert told["cpu_limit"] == 1.5
    assert told["memory_limit"] is None
    assert any(finding["verdict"] == "ignored" and finding["path"].endswith("memory.max") for finding in told["findings"])
