"""What a running container is put through from outside: other limits, health checks, restarts by the engine."""

import json

import pytest
from container.conftest import HARDENED, IMAGE
from container.life import count_is, service
from support import http, nodeinit


def shows(row):
    return pytest.mark.shows(row)


@shows("CPU limit changed 1 → 2 → 1 under load: the workers follow, no request fails")
def test_other_cpus_change_the_workers_and_no_request_fails(engine):
    container, port = service(engine, cpus="1")
    count_is(container, 1)
    fresh = http.Load(port, clients=2, keep_alive=False, pause=0.005)
    with http.Load(port, clients=2, pause=0.005) as kept, fresh:
        for cpus in (2, 1):
            container.limit_cpus(cpus)
            count_is(container, cpus, within=60)
            seen = fresh.tally.ok
            nodeinit.wait_for(lambda: fresh.tally.ok > seen + 50, 60, "answers", pause=0.05)
    assert not kept.tally.errors and not fresh.tally.errors, (kept.tally, fresh.tally, container.logs())
    assert len(fresh.tally.pids) >= 2, fresh.tally
    assert container.stop(30)[0] == 0, container.logs()
    container.remove()


def health(container):
    engine = container.engine
    if engine.name == "podman":  # without systemd nobody runs it at its interval
        engine.cli("healthcheck", "run", container.identity, check=False)
    state = container.state
    return (state.get("Health") or state.get("Healthcheck"))["Status"]


@shows("HEALTHCHECK by `nodeinit ctl health`: healthy, unhealthy, healthy again")
def test_the_health_check_tells_what_is(engine):
    if engine.name not in ("docker", "podman"):
        pytest.skip("has no health checks of its own; a kubelet's probes: test_cri.py")
    command = ["/sbin/nodeinit", "ctl", "health", "ready"]
    flags = ["--health-cmd", json.dumps(command), "--health-interval", "1s", "--health-retries", "1",
             "--health-timeout", "10s"]  # fmt: skip
    if engine.name == "docker":  # a --health-cmd is for a shell, that of an image may be words
        image = with_health_check(engine, command)
    else:
        image = IMAGE
    container, port = service(engine, "moody.js", flags=flags if image == IMAGE else [], cpus="1", image=image)
    nodeinit.wait_for(lambda: health(container) == "healthy", 60, "healthy", pause=0.2)
    signal_workers = ["/sbin/nodeinit", "ctl", "signal", "USR2"]
    container.execute(*signal_workers, check=True)
    nodeinit.wait_for(lambda: health(container) == "unhealthy", 60, "unhealthy", pause=0.2)
    container.execute(*signal_workers, check=True)
    nodeinit.wait_for(lambda: health(container) == "healthy", 60, "healthy again", pause=0.2)
    container.remove()


def with_health_check(engine, command):
    folder = engine.folder / "health"
    folder.mkdir(exist_ok=True)
    (folder / "Dockerfile").write_text(
        f"FROM {IMAGE}\nHEALTHCHECK --interval=1s --timeout=10s --retries=1 CMD {json.dumps(command)}\n"
    )
    engine.build(folder, folder / "Dockerfile", "localhost/health:1")
    return "localhost/health:1"


@shows("restart policy: a crash loop is restarted by the engine as often as it says")
def test_a_crash_loop_is_restarted_as_the_policy_says(engine):
    if engine.name not in ("docker", "podman"):
        pytest.skip("has no restart policies: a kubelet decides")
    container = engine.start(IMAGE, "node", "exit.js", 3, flags=[*HARDENED, "--restart", "on-failure:2"])
    nodeinit.wait_for(lambda: container.inspect()["RestartCount"] == 2 and not container.running, 60, pause=0.2)
    assert container.state["ExitCode"] == 3
    container.remove()


@shows("restart policy: a service stopped in order stays stopped")
def test_a_service_stopped_in_order_stays_stopped(engine):
    if engine.name not in ("docker", "podman"):
        pytest.skip("has no restart policies: a kubelet decides")
    container, _ = service(engine, flags=["--restart", "on-failure:5"])
    container.kill("TERM")  # not by the engine's own stop, which would overrule the policy
    nodeinit.wait_for(lambda: not container.running, 60, "its end", pause=0.2)
    assert (container.state["ExitCode"], container.inspect()["RestartCount"]) == (0, 0)
    container.remove()
