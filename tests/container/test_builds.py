"""The images build from a Debian of our own, and the same source gives the same bytes."""

import hashlib
import json
import os
import re
import shutil
import subprocess

import pytest
from container import images
from container.engines import PATH, Docker, Podman
from support import http, nodeinit

pytestmark = [pytest.mark.long, pytest.mark.timeout(2400)]

TOP = nodeinit.TOP
CHROOT = TOP / "tests/container/chroot.sh"
EPOCH = 1_700_000_000
NODEINIT_IMAGE, EXAMPLE_IMAGE = "localhost/nodeinit:test", "localhost/example:test"


def shows(row):
    return pytest.mark.shows(row)


@pytest.fixture(scope="module", params=["podman", "docker"])
def engine(request, tmp_path_factory):
    kind = {"podman": Podman, "docker": Docker}[request.param]
    if not kind.available() or not shutil.which("mmdebstrap", path=PATH):
        pytest.skip(f"{request.param} or mmdebstrap is not installed")
    with kind(tmp_path_factory.mktemp(request.param)) as started:
        # Debian 12 as it comes; and one with node and npm, in place of the official node image.
        started.load(images.debian(), "localhost/debian:bookworm")
        images.load_node(started, tmp_path_factory.mktemp("node"))
        build_nodeinit(started, TOP, NODEINIT_IMAGE)
        started.build(TOP / "docker/example", TOP / "Dockerfile.example", EXAMPLE_IMAGE,
                      {"NODE_IMAGE": "localhost/node:22", "NODEINIT_IMAGE": NODEINIT_IMAGE})  # fmt: skip
        yield started


def build_nodeinit(engine, source, tag, *flags):
    arguments = {"BASE": "localhost/debian:bookworm", "SOURCE_DATE_EPOCH": EPOCH}
    engine.build(source, source / "docker/Dockerfile", tag, arguments, flags=flags)


def files_of(engine, image, folder) -> dict:
    """Every file of an image by name, as bytes."""
    made = engine.cli("create", image).out.split()[-1]
    engine.cli("export", "-o", folder / "root.tar", made)
    engine.cli("rm", made)
    root = folder / "root"
    root.mkdir()
    subprocess.run(["tar", "-C", root, "-xf", folder / "root.tar"], check=True)
    return {f"/{path.relative_to(root)}": path.read_bytes() for path in root.rglob("*") if path.is_file()}


@shows("docker/Dockerfile builds: the image is the static program and its bill of materials")
def test_the_image_is_the_program_and_its_bill_of_materials(engine, tmp_path):
    assert engine.run(NODEINIT_IMAGE, "--version").out.startswith("nodeinit ")
    files = files_of(engine, NODEINIT_IMAGE, tmp_path)
    # What engines put into any container.
    ours = {name for name in files if not name.startswith(("/etc/", "/dev/", "/run/", "/.dockerenv"))}
    assert ours == {"/nodeinit", "/nodeinit.spdx.json"}
    bill = json.loads(files["/nodeinit.spdx.json"])
    (program,) = (package for package in bill["packages"] if package["name"] == "nodeinit")
    assert program["checksums"][0]["checksumValue"] == hashlib.sha256(files["/nodeinit"]).hexdigest()
    config = json.loads(engine.cli("inspect", NODEINIT_IMAGE).out)[0]["Config"]
    assert config["User"] == "65532:65532"
    assert config["Labels"]["org.opencontainers.image.licenses"] == "MIT"


@shows("Dockerfile.example builds, runs without any right, HEALTHCHECK of the image healthy")
def test_the_example_runs(engine):
    port = nodeinit.free_port()
    container = engine.start(EXAMPLE_IMAGE, flags=[
        "--read-only", "--cap-drop=all", "--security-opt=no-new-privileges", "--cpus", "2", "--memory", "512m",
        "-e", f"PORT={port}"])  # fmt: skip
    nodeinit.wait_for(lambda: _status(port) == 200, 60, "an answer of the example", pause=0.1)
    assert container.inspect()["Config"]["User"] == "10001:10001"

    def healthy():
        if engine.name == "podman":
            return engine.cli("healthcheck", "run", container.identity, check=False).code == 0
        return container.state["Health"]["Status"] == "healthy"

    nodeinit.wait_for(healthy, 60, "a healthy container", pause=0.5)
    assert container.stop(30)[0] == 0, container.logs()
    container.remove()


@shows("two builds of one source with SOURCE_DATE_EPOCH: the same program and the same layers")
def test_two_builds_give_the_same_image(engine, tmp_path):
    copy = tmp_path / "another" / "place"
    copy.mkdir(parents=True)
    for name in ("CMakeLists.txt", "CMakePresets.json", "LICENSE"):
        shutil.copyfile(TOP / name, copy / name)  # their times are those of this moment
    for name in ("src", "docker"):
        shutil.copytree(TOP / name, copy / name, copy_function=shutil.copy)
    build_nodeinit(engine, copy, "localhost/nodeinit:again", "--no-cache")
    (tmp_path / "1").mkdir()
    (tmp_path / "2").mkdir()
    first = files_of(engine, NODEINIT_IMAGE, tmp_path / "1")
    second = files_of(engine, "localhost/nodeinit:again", tmp_path / "2")
    for file in ("/nodeinit", "/nodeinit.spdx.json"):
        assert hashlib.sha256(first[file]).hexdigest() == hashlib.sha256(second[file]).hexdigest(), file
    layers = [json.loads(engine.cli("inspect", image).out)[0]["RootFS"]["Layers"]
              for image in (NODEINIT_IMAGE, "localhost/nodeinit:again")]  # fmt: skip
    assert layers[0] == layers[1]


def test_the_bill_of_materials_names_all_that_is_linked_in():
    done = subprocess.run([TOP / "docker/sbom.sh", nodeinit.binary()], capture_output=True, text=True, check=True,
                          env={"PATH": PATH, "SOURCE_DATE_EPOCH": str(EPOCH)})  # fmt: skip
    bill = json.loads(done.stdout)
    assert bill["creationInfo"]["created"] == "2023-11-14T22:13:20Z"
    names = {package["name"]: package["versionInfo"] for package in bill["packages"]}
    assert set(names) == {"nodeinit", "libuv", "fmt", "tomlplusplus", "http-parser", "libyaml", "glibc",
                          "libstdcxx", "libgcc"}  # fmt: skip
    assert all(names.values())
    related = {entry["relatedSpdxElement"] for entry in bill["relationships"]}
    assert related == {package["SPDXID"] for package in bill["packages"]}
    # Every static library of the link line belongs to a Debian source package that is named.
    sources = {package["externalRefs"][0]["referenceLocator"].split("/")[-1].split("@")[0]
               for package in bill["packages"] if "externalRefs" in package}  # fmt: skip
    line = re.search(r"build nodeinit: .*?LINK_LIBRARIES = ([^\n]*)", (TOP / "build/build.ninja").read_text(), re.DOTALL)
    archives = set(re.findall(r"/usr/\S+\.a\b", line[1]))
    assert len(archives) >= 4, line[1]
    for archive in archives:
        package = subprocess.run(["dpkg", "-S", archive], capture_output=True, text=True, check=True).stdout
        source = subprocess.run(["dpkg-query", "-W", "-f", "${source:Package}", package.partition(": ")[0]],
                                capture_output=True, text=True, check=True).stdout  # fmt: skip
        assert source in sources, archive


@pytest.mark.parametrize(("suite", "target"), [("trixie", "native"), ("bookworm", "arm64")])
def test_it_builds_and_passes_its_unit_tests_elsewhere(suite, target):
    if os.geteuid() != 0 or not shutil.which("mmdebstrap", path=PATH):
        pytest.skip("needs root and mmdebstrap")
    done = subprocess.run([CHROOT, suite, target], capture_output=True, text=True, timeout=2300)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]


def _status(port):
    try:
        return http.get(port, timeout=1).status
    except http.Failure:
        return None
