"""The images build from a Debian of our own, and the same source gives the same bytes."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest
from container.engines import PATH, Docker, Podman
from support import cache, http, node, nodeinit

pytestmark = [pytest.mark.long, pytest.mark.timeout(1800)]

TOP = nodeinit.TOP
CHROOT = TOP / "tests/container/chroot.sh"


@pytest.fixture(scope="module", params=["podman", "docker"])
def builder(request, tmp_path_factory):
    kind = {"podman": Podman, "docker": Docker}[request.param]
    if not kind.available() or not shutil.which("mmdebstrap", path=PATH):
        pytest.skip(f"{request.param} or mmdebstrap is not installed")
    with kind(tmp_path_factory.mktemp(request.param)) as engine:
        # Debian 12 as it comes; and one with node and npm, in place of the official node image.
        base = cache.root() / "chroot" / "bookworm-bare.tar"
        if not base.exists():
            base.parent.mkdir(exist_ok=True)
            subprocess.run(["mmdebstrap", "--quiet", "--variant=minbase", "--include=ca-certificates", "bookworm",
                            f"{base}.new.tar"], check=True, env={"PATH": PATH})  # fmt: skip
            Path(f"{base}.new.tar").rename(base)
        engine.load(base, "localhost/debian:bookworm")
        _load_node(engine, tmp_path_factory.mktemp("node"))
        yield engine


# A Debian with one of the test's Node binaries, npm, and the certificates of this machine.
def _load_node(engine, folder):
    npm = Path(subprocess.run(["npm", "root", "-g"], capture_output=True, text=True, check=True).stdout.strip()) / "npm"
    npm = npm if npm.exists() else Path("/usr/share/nodejs/npm")
    shutil.copytree(npm, folder / "npm", symlinks=True)
    shutil.copy(node.path(22), folder / "node")
    shutil.copy("/etc/ssl/certs/ca-certificates.crt", folder / "ca.crt")
    (folder / "Dockerfile").write_text(
        "FROM localhost/debian:bookworm\n"
        "COPY node /usr/local/bin/node\nCOPY npm /usr/local/lib/node_modules/npm\n"
        "COPY ca.crt /etc/ssl/certs/ca-certificates.crt\n"
        "ENV NODE_EXTRA_CA_CERTS=/etc/ssl/certs/ca-certificates.crt\n"
        "RUN apt-get update && apt-get install -y --no-install-recommends libstdc++6 && "
        "ln -s ../lib/node_modules/npm/bin/npm-cli.js /usr/local/bin/npm && npm --version\n"
    )
    engine.build(folder, folder / "Dockerfile", "localhost/node:22")


def test_both_dockerfiles_build_and_the_example_runs(builder):
    builder.build(TOP, TOP / "docker/Dockerfile", "localhost/nodeinit:test", {"BASE": "localhost/debian:bookworm"})
    assert builder.run("localhost/nodeinit:test", "--version").out.startswith("nodeinit ")
    builder.build(TOP / "docker/example", TOP / "Dockerfile.example", "localhost/example:test",
                  {"NODE_IMAGE": "localhost/node:22", "NODEINIT_IMAGE": "localhost/nodeinit:test"})  # fmt: skip
    port = nodeinit.free_port()
    container = builder.start("localhost/example:test", flags=[
        "--read-only", "--cap-drop=all", "--security-opt=no-new-privileges", "--cpus", "2", "--memory", "512m",
        "-e", f"PORT={port}"])  # fmt: skip
    nodeinit.wait_for(lambda: _status(port) == 200, 60, "an answer of the example")
    assert container.inspect()["Config"]["User"] == "10001:10001"
    if builder.name == "docker":
        nodeinit.wait_for(lambda: container.state["Health"]["Status"] == "healthy", 60, "a healthy container")
    assert container.stop()[0] == 0, container.logs()


def test_the_bill_of_materials_names_what_is_linked_in():
    done = subprocess.run([TOP / "docker/sbom.sh", nodeinit.binary()], capture_output=True, text=True, check=True,
                          env={"PATH": PATH, "SOURCE_DATE_EPOCH": "1700000000"})  # fmt: skip
    bill = json.loads(done.stdout)
    assert bill["creationInfo"]["created"] == "2023-11-14T22:13:20Z"
    names = {package["name"]: package["versionInfo"] for package in bill["packages"]}
    assert {"nodeinit", "libuv", "fmt", "jansson", "glibc"} <= set(names)
    assert all(names.values())


def test_two_builds_in_two_places_give_the_same_bytes(tmp_path):
    hashes = set()
    for place in ("one", "another/place"):
        copy = tmp_path / place
        copy.mkdir(parents=True)
        for name in ("CMakeLists.txt", "CMakePresets.json"):
            shutil.copy(TOP / name, copy / name)
        shutil.copytree(TOP / "src", copy / "src")
        for step in (["cmake", "--preset", "release"], ["cmake", "--build", "--preset", "release"]):
            subprocess.run(step, cwd=copy, check=True, capture_output=True, env={"PATH": PATH, "CCACHE_DISABLE": "1"})
        done = subprocess.run(["sha256sum", copy / "build/nodeinit"], capture_output=True, text=True, check=True)
        hashes.add(done.stdout.split()[0])
    assert len(hashes) == 1


@pytest.mark.parametrize(("suite", "target"), [("trixie", "native"), ("bookworm", "arm64")])
def test_it_builds_and_passes_its_unit_tests_elsewhere(suite, target):
    if os.geteuid() != 0 or not shutil.which("mmdebstrap", path=PATH):
        pytest.skip("needs root and mmdebstrap")
    done = subprocess.run([CHROOT, suite, target], capture_output=True, text=True, timeout=1700)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]


def _status(port):
    try:
        return http.get(port, timeout=1).status
    except http.Failure:
        return None
