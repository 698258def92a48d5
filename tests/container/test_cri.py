"""A pod as a kubelet runs it: containerd through the Container Runtime Interface."""

import json

import pytest
from container.conftest import IMAGE
from container.cri import Containerd
from support import http, nodeinit

pytestmark = pytest.mark.long

MEMORY = 512 << 20
NODEINIT = "/sbin/nodeinit"


@pytest.fixture(scope="module")
def containerd(root_archive, tmp_path_factory):
    if not Containerd.available():
        pytest.skip("containerd, protoc or python3-grpcio is not installed")
    with Containerd(tmp_path_factory.mktemp("cri")) as started:
        started.load(root_archive, IMAGE, {"PATH": "/usr/bin:/sbin"})
        yield started


def serving(containerd, cpus=2.0, **env):
    port = nodeinit.free_port()
    pod = containerd.pod(cpus, MEMORY)
    web = pod.start(IMAGE, args=["node", "express/server.js"], env={"PORT": port} | env)

    def answers():
        assert web.running(), web.logs()
        try:
            return http.get(port, timeout=1).status == 200
        except http.Failure:
            return False

    nodeinit.wait_for(answers, 30, "the httpGet probe")
    return pod, web, port


def test_a_pod_serves_and_stops_within_its_grace_without_a_lost_request(containerd):
    pod, web, port = serving(containerd)
    plan = json.loads(web.execute(NODEINIT, "--explain", "--json", "--", "node", "express/server.js").out)
    assert (plan["cpu_limit"], plan["workers"]) == (2, 2)
    slow = http.burst(port, "/slow?ms=1500", 4)
    with http.Load(port, clients=2, pause=0.005) as load:
        nodeinit.wait_for(lambda: load.tally.ok > 20)
        code, took = web.stop(30)
    assert code == 0, web.logs()
    assert took < 10
    assert [request.result().status for request in slow] == [200] * 4
    load.tally.errors.pop("refused", None)
    assert not load.tally.errors, load.tally
    pod.remove()


def test_exec_probes_need_no_shell_and_an_in_place_resize_loses_nothing(containerd):
    pod, web, port = serving(containerd)
    assert web.execute(NODEINIT, "ctl", "health", "ready").code == 0
    assert web.execute(NODEINIT, "ctl", "health", "live").code == 0

    def slots():
        return len(json.loads(web.execute(NODEINIT, "ctl", "status", "--json").out)["workers"])

    nodeinit.wait_for(lambda: slots() == 2, 20, "two workers")
    with http.Load(port, clients=2, keep_alive=False, pause=0.005) as load:
        web.resize(1)
        nodeinit.wait_for(lambda: slots() == 1, 20, "one worker")
        web.resize(2)
        nodeinit.wait_for(lambda: slots() == 2, 20, "two workers again")
    assert not load.tally.errors, load.tally
    assert web.stop(30)[0] == 0
    pod.remove()


def test_a_job_ends_with_its_code(containerd):
    pod = containerd.pod(1.0, MEMORY)
    job = pod.start(IMAGE, args=["node", "exit.js", "7"])
    assert job.wait() == 7, job.logs()
    pod.remove()


def test_a_program_that_does_not_stop_is_killed_after_the_grace(containerd):
    pod = containerd.pod(1.0, MEMORY)
    stuck = pod.start(IMAGE, args=["node", "stubborn.js"])
    nodeinit.wait_for(lambda: "ready" in stuck.logs(), 20)
    code, took = stuck.stop(2)
    assert code == 137 and took < 5
    pod.remove()
