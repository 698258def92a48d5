"""A pod as a kubelet runs it: containerd through the Container Runtime Interface."""

import json
import os
import time

import pytest
from container.conftest import IMAGE
from container.cri import Containerd
from support import http, nodeinit

pytestmark = pytest.mark.long

MEMORY = 512 << 20
NODEINIT = "/sbin/nodeinit"


def shows(row):
    return pytest.mark.shows(row, engine="containerd")


@pytest.fixture(scope="module")
def containerd(root_archive, tmp_path_factory):
    if not Containerd.available():
        pytest.skip("containerd, protoc or python3-grpcio is not installed")
    with Containerd(tmp_path_factory.mktemp("cri")) as started:
        started.load(root_archive, IMAGE, {"PATH": "/usr/bin:/sbin"})
        yield started


def status(port, path="/"):
    try:
        return http.get(port, path, timeout=2).status
    except http.Failure:
        return None


def serving(containerd, cpus=2.0, **env):
    port = nodeinit.free_port()
    pod = containerd.pod(cpus, MEMORY)
    web = pod.start(IMAGE, args=["node", "express/server.js"], env={"PORT": port} | env)

    def answering():
        assert web.running(), web.logs()
        return status(port) == 200

    nodeinit.wait_for(answering, 60, "the httpGet probe", pause=0.05)
    return pod, web, port


def ready_workers(web):
    told = json.loads(web.execute(NODEINIT, "ctl", "status", "--json").out)["programs"][0]
    return told["ready"] if not told["rolling"] else None


@shows("pod: exec probes and in-place resize of CPUs 2 → 1 → 2 (UpdateContainerResources): no request fails")
def test_exec_probes_need_no_shell_and_an_in_place_resize_loses_nothing(containerd):
    pod, web, port = serving(containerd)
    assert web.execute(NODEINIT, "ctl", "health", "ready").code == 0
    assert web.execute(NODEINIT, "ctl", "health", "live").code == 0
    nodeinit.wait_for(lambda: ready_workers(web) == 2, 60, "two workers", pause=0.2)
    with http.Load(port, clients=2, keep_alive=False, pause=0.005) as load:
        for cpus in (1, 2):
            web.resize(cpus)
            nodeinit.wait_for(lambda: ready_workers(web) == cpus, 60, "other workers", pause=0.2)
    assert not load.tally.errors, load.tally
    assert web.stop(30)[0] == 0
    pod.remove()


@shows("pod: in-place resize of memory 512 → 384 MiB: workers replaced by ones with a smaller heap, no request fails")
def test_a_smaller_memory_limit_replaces_the_workers_one_by_one(containerd):
    pod, web, port = serving(containerd)
    nodeinit.wait_for(lambda: ready_workers(web) == 2, 60, "two workers", pause=0.2)

    def told():
        return json.loads(web.execute(NODEINIT, "ctl", "status", "--json").out)

    before = told()["programs"][0]
    with http.Load(port, clients=2, keep_alive=False, pause=0.005) as load:
        web.resize(memory=384 << 20)

        def replaced():
            now = told()["programs"][0]
            old = {slot.get("pid") for slot in before["slots"]} & {slot.get("pid") for slot in now["slots"]}
            return now["heap"] < before["heap"] and not now["rolling"] and not old and now["ready"] == 2

        nodeinit.wait_for(replaced, 90, "workers with a smaller heap", pause=0.2)
    assert told()["memory"] == 384 << 20
    assert not load.tally.errors, load.tally
    assert web.stop(30)[0] == 0
    pod.remove()


@shows("pod: httpGet probes: ready turns false at SIGTERM while NODEINIT_STOP_DELAY serves on, nothing is lost")
def test_readiness_is_false_at_once_while_the_stop_delay_serves_on(containerd):
    probes = nodeinit.free_port()
    pod, web, port = serving(containerd, NODEINIT_HTTP=f"127.0.0.1:{probes}", NODEINIT_STOP_DELAY="3s")
    nodeinit.wait_for(lambda: status(probes, "/startupz") == 200, 60, "startup", pause=0.05)
    assert status(probes, "/readyz") == 200
    assert status(probes, "/livez") == 200
    with http.Load(port, clients=2, keep_alive=False, pause=0.005) as load:
        os.kill(web.pid, 15)
        nodeinit.wait_for(lambda: status(probes, "/readyz") == 503, 10, "not ready", pause=0.02)
        assert status(probes, "/livez") == 200
        # The endpoints' controller acts now: until then connections still come.
        seen = load.tally.ok
        nodeinit.wait_for(lambda: load.tally.ok > seen + 20, 10, "answers during the delay", pause=0.02)
        load.stop()
    assert not load.tally.errors, load.tally
    assert web.wait(60) == 0, web.logs()
    pod.remove()


@shows("pod: a preStop hook that takes a second, then StopContainer with what is left of the grace: nothing is lost")
def test_a_pre_stop_hook_runs_and_the_rest_of_the_grace_is_kept(containerd):
    pod, web, port = serving(containerd)
    grace = 20
    slow = http.burst(port, "/slow?ms=3000", 4)
    with http.Load(port, clients=2, pause=0.005) as load:
        began = time.monotonic()
        hook = web.execute("/usr/bin/node", "-e", "setTimeout(() => {}, 1000)", timeout=grace)
        assert hook.code == 0, hook
        code, _ = web.stop(grace - int(time.monotonic() - began))
    assert code == 0, web.logs()
    assert [request.result().status for request in slow] == [200] * 4
    load.tally.errors.pop("refused", None)  # after its end
    assert not load.tally.errors, load.tally
    pod.remove()


@shows("pod: a program deaf to SIGTERM: killed when the grace is over, 137")
def test_a_program_that_does_not_stop_is_killed_after_the_grace(containerd):
    pod = containerd.pod(1.0, MEMORY)
    stuck = pod.start(IMAGE, args=["node", "stubborn.js"])
    nodeinit.wait_for(lambda: "ready" in stuck.logs(), 60, pause=0.05)
    code, took = stuck.stop(2)
    assert code == 137 and took < 20
    pod.remove()


@shows("pod: memory that runs out: 137, told by PID 1")
def test_a_job_that_runs_out_of_memory(containerd):
    pod = containerd.pod(1.0, 128 << 20)
    job = pod.start(IMAGE, args=["node", "hog.js"])
    assert job.wait(60) == 137, job.logs()
    assert "out of memory" in job.logs().lower(), job.logs()
    pod.remove()


@shows("pod: a Job ends with its program's code")
def test_a_job_ends_with_its_code(containerd):
    pod = containerd.pod(1.0, MEMORY)
    job = pod.start(IMAGE, args=["node", "exit.js", "7"])
    assert job.wait(60) == 7, job.logs()
    pod.remove()
