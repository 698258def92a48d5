"""A release, made from a tag of a temporary clone, and checked as whoever gets it would."""

import base64
import hashlib
import io
import json
import os
import re
import shutil
import subprocess
import tarfile
import tempfile

import pytest
from support import http, nodeinit

TOP = nodeinit.TOP


def run(*command, **how):
    return subprocess.run([str(word) for word in command], capture_output=True, text=True, timeout=120,
                          stdin=subprocess.DEVNULL, **how)  # fmt: skip


def done(*command, **how):
    result = run(*command, **how)
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


@pytest.fixture(scope="session")
def clone(tmp_path_factory):
    if run("git", "-C", TOP, "rev-parse", "HEAD").returncode != 0:
        pytest.skip("not a repository")
    folder = tmp_path_factory.mktemp("clone") / "source"
    done("git", "clone", "--quiet", TOP, folder)
    version = re.search(r"^project\(nodeinit VERSION ([\d.]+)", (folder / "CMakeLists.txt").read_text(), re.M)[1]
    changes = folder / "docker/CHANGELOG.md"
    changes.write_text(changes.read_text().replace("## Unreleased", f"## {version}", 1))
    identity = ["-c", "user.name=t", "-c", "user.email=t@t.invalid"]
    done("git", "-C", folder, *identity, "commit", "--quiet", "-am", "a release")
    done("git", "-C", folder, *identity, "tag", f"v{version}")
    return folder, version


@pytest.fixture(scope="session")
def key(tmp_path_factory):
    file = tmp_path_factory.mktemp("key") / "key.pem"
    done("openssl", "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", file)
    return file


def make(clone, out, *programs, **env):
    folder, version = clone
    return run(folder / "docker/release/make", f"v{version}", out, *programs,
               env={"PATH": nodeinit.PATH, "HOME": str(out)} | env)  # fmt: skip


@pytest.fixture(scope="session")
def release(clone, shipped, foreign, key, tmp_path_factory):
    out = tmp_path_factory.mktemp("release")
    made = make(clone, out, shipped, foreign, SIGNING_KEY=str(key))
    assert made.returncode == 0, made.stdout + made.stderr
    return out


def test_everything_is_there_and_its_checksum_holds(release, clone):
    _, version = clone
    names = {file.name for file in release.iterdir()}
    wanted = {f"nodeinit-{version}.tar.gz", f"nodeinit-{version}.tgz", f"nodeinit-{version}.oci.tar",
              f"nodeinit-{version}.intoto.json", "SHA256SUMS", "SHA256SUMS.sig"}  # fmt: skip
    for arch, cpu in (("amd64", "x64"), ("arm64", "arm64")):
        wanted |= {f"nodeinit-{version}-linux-{arch}.tar.gz", f"nodeinit-{version}-linux-{arch}.spdx.json",
                   f"nodeinit_{version}_{arch}.deb", f"nodeinit-linux-{cpu}-{version}.tgz"}  # fmt: skip
    assert names == wanted
    done("sha256sum", "--check", "--strict", "SHA256SUMS", cwd=release)
    assert len((release / "SHA256SUMS").read_text().splitlines()) == len(wanted) - 2


def test_the_signature_is_that_of_the_key(release, key, tmp_path):
    done("openssl", "pkey", "-in", key, "-pubout", "-out", tmp_path / "key.pub")
    (tmp_path / "sig").write_bytes(base64.b64decode((release / "SHA256SUMS.sig").read_text()))
    done("openssl", "dgst", "-sha256", "-verify", tmp_path / "key.pub", "-signature", tmp_path / "sig",
         release / "SHA256SUMS")  # fmt: skip


def test_the_same_tag_gives_the_same_bytes(release, clone, shipped, foreign, tmp_path):
    again = tmp_path / "elsewhere"
    shutil.copytree(clone[0], again, symlinks=True)
    made = make((again, clone[1]), tmp_path / "out", shipped, foreign)
    assert made.returncode == 0, made.stderr
    assert (tmp_path / "out/SHA256SUMS").read_text() == (release / "SHA256SUMS").read_text()


def test_a_tarball_has_the_program_and_its_papers(release, clone, tmp_path):
    _, version = clone
    name = f"nodeinit-{version}-linux-amd64"
    with tarfile.open(release / f"{name}.tar.gz") as packed:
        assert all(member.uid == member.gid == 0 for member in packed)
        packed.extractall(tmp_path)
    folder = tmp_path / name
    assert done(folder / "nodeinit", "--version") == f"nodeinit {version}\n"
    bill = json.loads((folder / "nodeinit.spdx.json").read_text())
    texts = (folder / "LICENSES.txt").read_text()
    for package in bill["packages"]:
        assert f"\n{package['name']}" in texts
    assert "Permission is hereby granted" in texts and "GNU LESSER GENERAL PUBLIC LICENSE" in texts
    assert {entry.name for entry in folder.iterdir()} == {
        "nodeinit", "nodeinit.8", "completion", "LICENSE", "LICENSES.txt", "README.md", "CHANGELOG.md",
        "nodeinit.spdx.json"}  # fmt: skip


def test_the_source_is_the_tag(release, clone):
    folder, version = clone
    with tarfile.open(release / f"nodeinit-{version}.tar.gz") as packed:
        names = {member.name.removeprefix(f"nodeinit-{version}/") for member in packed if not member.isdir()}
    assert names == set(done("git", "-C", folder, "ls-files").splitlines())


def test_the_debian_package_installs_one_program(release, clone, tmp_path):
    _, version = clone
    file = release / f"nodeinit_{version}_amd64.deb"
    fields = done("dpkg-deb", "--field", file)
    assert f"Version: {version}\n" in fields and "Depends" not in fields
    done("dpkg-deb", "--extract", file, tmp_path)
    assert done(tmp_path / "usr/sbin/nodeinit", "--version") == f"nodeinit {version}\n"
    assert (tmp_path / "usr/share/man/man8/nodeinit.8.gz").is_file()
    if shutil.which("lintian"):
        told = run("lintian", "--fail-on", "error,warning", "--tag-display-limit", "0", file)
        assert told.returncode == 0, told.stdout


def test_the_image_is_one_file_for_each_processor(release, clone, shipped):
    _, version = clone
    with tarfile.open(release / f"nodeinit-{version}.oci.tar") as archive:
        files = {member.name: archive.extractfile(member).read() for member in archive}
    for name, content in files.items():
        if name.startswith("blobs/"):
            assert hashlib.sha256(content).hexdigest() == name.rpartition("/")[2]

    def blob(descriptor):
        content = files[f"blobs/{descriptor['digest'].replace(':', '/')}"]
        assert len(content) == descriptor["size"]
        return content

    (top,) = json.loads(files["index.json"])["manifests"]
    images = json.loads(blob(top))["manifests"]
    assert [image["platform"]["architecture"] for image in images] == ["amd64", "arm64"]
    manifest = json.loads(blob(images[0]))
    config = json.loads(blob(manifest["config"]))
    assert config["config"]["Entrypoint"] == ["/nodeinit"] and config["config"]["User"] == "65532:65532"
    assert config["config"]["Labels"]["org.opencontainers.image.version"] == version
    with tarfile.open(fileobj=io.BytesIO(blob(manifest["layers"][0]))) as layer:
        assert layer.getnames() == ["nodeinit", "nodeinit.spdx.json"]
        with open(shipped, "rb") as program:
            assert layer.extractfile("nodeinit").read() == program.read()


@pytest.fixture
def podman():
    """Podman with a store of its own, or None. Podman refuses a run root of more than 50 characters."""
    if not shutil.which("podman") or os.geteuid() != 0:
        yield None
        return
    with tempfile.TemporaryDirectory(prefix="podman.", dir="/tmp", ignore_cleanup_errors=True) as folder:
        yield ["podman", "--root", f"{folder}/root", "--runroot", f"{folder}/run", "--storage-driver", "vfs"]


def test_an_engine_takes_the_image(release, clone, podman):
    if not podman:
        pytest.skip("wants podman, and root for its store")
    done(*podman, "load", "--quiet", "--input", release / f"nodeinit-{clone[1]}.oci.tar")
    told = done(*podman, "image", "inspect", "--format", "{{.Architecture}} {{.User}}", f"nodeinit:{clone[1]}")
    assert told in ("amd64 65532:65532\n", "arm64 65532:65532\n")


CONFIG = """
version: 0.1
storage: {filesystem: {rootdirectory: FOLDER}}
http: {addr: "127.0.0.1:PORT"}
"""


@pytest.fixture
def docker_registry(tmp_path):
    if not shutil.which("docker-registry") or not shutil.which("skopeo"):
        pytest.skip("wants Debian's docker-registry and skopeo")
    port = nodeinit.free_port()
    config = tmp_path / "config.yml"
    config.write_text(CONFIG.replace("FOLDER", str(tmp_path / "registry")).replace("PORT", str(port)))
    with subprocess.Popen(["docker-registry", "serve", config], stdout=subprocess.DEVNULL,
                          stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL) as serving:  # fmt: skip
        try:
            nodeinit.wait_for(lambda: serving.poll() is not None or answers(port), 30)
            yield f"127.0.0.1:{port}"
        finally:
            serving.terminate()


def answers(port):
    try:
        return http.get(port, "/v2/").status == 200
    except http.Failure:
        return False


@pytest.mark.long
def test_a_registry_gives_each_processor_its_program(release, clone, docker_registry, podman, shipped, foreign, tmp_path):
    version = clone[1]
    pushed = done(TOP / "docker/release/push", release / f"nodeinit-{version}.oci.tar", f"{docker_registry}/nodeinit",
                  "--dest-tls-verify=false").split()  # fmt: skip
    assert pushed == [f"{docker_registry}/nodeinit:{version}", f"{docker_registry}/nodeinit:{version.rpartition('.')[0]}"]
    for arch, program in (("amd64", shipped), ("arm64", foreign)):
        folder = tmp_path / arch
        done("skopeo", "copy", "--quiet", "--override-arch", arch, "--src-tls-verify=false", f"docker://{pushed[0]}",
             f"dir:{folder}")  # fmt: skip
        (layer,) = json.loads((folder / "manifest.json").read_text())["layers"]
        with tarfile.open(folder / layer["digest"].removeprefix("sha256:")) as packed, open(program, "rb") as wanted:
            assert packed.extractfile("nodeinit").read() == wanted.read()
        if podman:
            done(*podman, "pull", "--quiet", "--tls-verify=false", "--arch", arch, pushed[0])
            told = done(*podman, "image", "inspect", "--format", "{{.Architecture}}", pushed[0])
            assert told.strip() == arch


def test_provenance_names_every_file_and_the_commit(release, clone):
    folder, version = clone
    told = json.loads((release / f"nodeinit-{version}.intoto.json").read_text())
    sums = dict(line.split("  ")[::-1] for line in (release / "SHA256SUMS").read_text().splitlines())
    for subject in told["subject"]:
        assert sums[subject["name"]] == subject["digest"]["sha256"]
    assert len(told["subject"]) == len(sums) - 1
    commit = done("git", "-C", folder, "rev-parse", "HEAD").strip()
    assert told["predicate"]["buildDefinition"]["resolvedDependencies"][0]["digest"] == {"gitCommit": commit}


def test_what_does_not_fit_is_refused(clone, shipped, tmp_path):
    folder, _ = clone
    for tag, program, why in (("v9.9.9", shipped, "no such tag"), (f"v{clone[1]}", "/bin/true", "not linked statically"),
                              (f"v{clone[1]}", "/nowhere", "no such file")):  # fmt: skip
        out = tmp_path / why.replace(" ", "-")
        result = run(folder / "docker/release/make", tag, out, program)
        assert result.returncode == 1 and why in result.stderr, result.stderr


def test_workflows_are_in_order():
    yaml = pytest.importorskip("yaml")
    for file in sorted((TOP / ".github").rglob("*.yml")):
        assert yaml.safe_load(file.read_text()), file
    if shutil.which("actionlint"):
        done("actionlint", *sorted((TOP / ".github/workflows").glob("*.yml")), cwd=TOP)
