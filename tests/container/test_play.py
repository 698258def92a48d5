"""The manifests of docker/kubernetes run by `podman play kube`, as a new user tries them without a cluster."""

import functools
import json
import shutil

import pytest
import yaml
from container import images
from container.engines import PATH, Podman
from support import http, nodeinit

pytestmark = [pytest.mark.long, pytest.mark.timeout(900)]

TOP = nodeinit.TOP
EXAMPLE_IMAGE = "localhost/example:play"


def shows(row):
    return pytest.mark.shows(row, engine="podman")


@pytest.fixture(scope="module")
def podman(tmp_path_factory):
    if not Podman.available() or not all(shutil.which(p, path=PATH) for p in ("mmdebstrap", "slirp4netns")):
        pytest.skip("podman, mmdebstrap or slirp4netns is not installed")
    with Podman(tmp_path_factory.mktemp("podman")) as engine:
        engine.load(images.debian(), "localhost/debian:bookworm")
        images.load_node(engine, tmp_path_factory.mktemp("node"))
        # The program under test, as docker/Dockerfile would leave it.
        context = tmp_path_factory.mktemp("nodeinit")
        shutil.copy(nodeinit.binary(), context / "nodeinit")
        (context / "Dockerfile").write_text("FROM scratch\nCOPY nodeinit /nodeinit\n")
        engine.build(context, context / "Dockerfile", "localhost/nodeinit:play")
        engine.build(TOP / "docker/example", TOP / "Dockerfile.example", EXAMPLE_IMAGE,
                     {"NODE_IMAGE": "localhost/node:22", "NODEINIT_IMAGE": "localhost/nodeinit:play"})  # fmt: skip
        yield engine


@shows("`play kube` of deployment.yaml, as the README tells a new user: it serves, ready, hardened")
def test_the_manifest_runs(podman, tmp_path):
    manifest, port = play(podman, tmp_path, "deployment.yaml")
    try:
        web = next(name for name in podman.cli("ps", "--format", "{{.Names}}").out.split() if name.endswith("-web"))
        inside = functools.partial(podman.cli, "exec", web)
        nodeinit.wait_for(lambda: inside("/sbin/nodeinit", "ctl", "health", "ready", check=False).code == 0, 60,
                          "ready", pause=0.5)  # fmt: skip
        assert http.get(port).json()["node"].startswith("v22.")
        for path, wanted in (("3000/", 200), ("9464/readyz", 200), ("9464/startupz", 200), ("9464/metrics", 200)):
            done = inside("/usr/bin/node", "-e", f"fetch('http://127.0.0.1:{path}').then(r => console.log(r.status))")
            assert done.out.strip() == str(wanted), (path, done)
        plan = json.loads(inside("/sbin/nodeinit", "--explain", "--json", "--", "node", "server.js").out)
        assert (plan["cpu_limit"], plan["memory_limit"], plan["workers"]) == (2, 1 << 30, 2)
        assert f"= {plan['heap_mb']} MiB for each" in manifest.read_text()  # what its comment promises
        told = json.loads(podman.cli("inspect", web).out)[0]
        assert told["Config"]["User"] == "10001:10001" and told["HostConfig"]["ReadonlyRootfs"]
        first = json.loads(podman.cli("logs", web).err.splitlines()[0])
        assert "2 workers" in first["message"], first
    finally:
        podman.cli("play", "kube", "--down", manifest, check=False)


@shows("`play kube` of job.yaml (its pod) and of multi-program.yaml")
def test_a_job_and_several_programs_run(podman, tmp_path):
    context = tmp_path / "image"
    context.mkdir()
    (context / "migrate.js").write_text("console.log('migrated'); process.exit(9);\n")
    (context / "queue.js").write_text("setInterval(() => {}, 1000); console.log('consuming as', process.env.ROLE);\n")
    (context / "Dockerfile").write_text(f"FROM {EXAMPLE_IMAGE}\nCOPY migrate.js queue.js ./\n")
    podman.build(context, context / "Dockerfile", "localhost/example:programs")
    # podman 4 knows no Jobs: the pod that Kubernetes would make of it.
    (job,) = yaml.safe_load_all((TOP / "docker/kubernetes/job.yaml").read_text())
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "job"}, "spec": job["spec"]["template"]["spec"]}
    manifest, _ = play(podman, tmp_path, "job.yaml", "localhost/example:programs", yaml.safe_dump(pod))
    try:
        assert podman.cli("wait", "job-migrate").out.split()[-1] == "9"
        assert "migrated" in podman.cli("logs", "job-migrate").out
    finally:
        podman.cli("play", "kube", "--down", manifest, check=False)
    manifest, port = play(podman, tmp_path, "multi-program.yaml", "localhost/example:programs")
    try:
        web = next(name for name in podman.cli("ps", "--format", "{{.Names}}").out.split() if name.endswith("-web"))

        def programs():
            done = podman.cli("exec", web, "/sbin/nodeinit", "ctl", "status", "--json", check=False)
            return {p["name"]: p["ready"] for p in json.loads(done.out)["programs"]} if done.code == 0 else {}

        nodeinit.wait_for(lambda: programs() == {"web": 2, "queue": 1}, 60, "both programs", pause=0.5)
        assert http.get(port).status == 200
        said = podman.cli("logs", web)
        assert "consuming as queue" in said.out + said.err
    finally:
        podman.cli("play", "kube", "--down", manifest, check=False)


# A manifest as it is, but for the image, which a user replaces, and for what podman makes of the rest: it has one pod
# of each Deployment, and every port of a container is one of the host: a free one here. The second is that of `http`.
def play(podman, folder, name, image=EXAMPLE_IMAGE, text=None):
    text = text or (TOP / "docker/kubernetes" / name).read_text()
    assert "image: example:1.0.0" in text
    port = nodeinit.free_port()
    for inside, outside in ((3000, port), (9464, nodeinit.free_port())):
        text = text.replace(f"containerPort: {inside}}}", f"containerPort: {inside}, hostPort: {outside}}}")
    manifest = folder / name
    manifest.write_text(text.replace("image: example:1.0.0", f"image: {image}").replace("replicas: 2", "replicas: 1"))
    podman.cli("play", "kube", "--network", "slirp4netns", manifest)
    return manifest, port
