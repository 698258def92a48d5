"""Limits of a real cgroup of the test's own: what is read from them."""

import json
import subprocess

import pytest
from support import cgroup, nodeinit

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
