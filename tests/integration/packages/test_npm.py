"""The npm packages, installed by real package managers from a registry on loopback."""

import json
import os
import shutil
import signal
import subprocess
import tarfile
import time
from pathlib import Path

import pytest
from support import cache, http, node, nodeinit
from support.registry import Registry

SERVER = """
require('node:http').createServer((_, answer) => answer.end(JSON.stringify({ pid: process.pid, ppid: process.ppid })))
  .listen(process.env.PORT);
"""
PACKAGE = {"name": "app", "version": "1.0.0", "private": True,
           "scripts": {"start": "nodeinit node server.js"}, "dependencies": {"nodeinit": "*"}}  # fmt: skip
# What install tells the launcher about another platform: process.platform is what --require says.
PRETEND = "Object.defineProperty(process, 'platform', { value: process.env.PRETEND }); "


@pytest.fixture(scope="session")
def packages(shipped, foreign, tmp_path_factory):
    out = tmp_path_factory.mktemp("packages")
    subprocess.run([nodeinit.TOP / "docker/npm/pack", out, shipped, foreign], check=True, timeout=60,
                   capture_output=True)  # fmt: skip
    return sorted(out.glob("*.tgz"))


@pytest.fixture(scope="session")
def registry(packages):
    with Registry(packages) as served:
        yield served


def make_app(folder):
    (folder / "package.json").write_text(json.dumps(PACKAGE))
    (folder / "server.js").write_text(SERVER)
    return folder


@pytest.fixture
def app(tmp_path):
    return make_app(tmp_path)


@pytest.fixture(scope="session")
def installed(registry, tmp_path_factory):
    folder = make_app(tmp_path_factory.mktemp("installed"))
    install(folder, registry)
    return folder


# As npm installs it on macOS and Windows: the packages of Linux are left out.
@pytest.fixture(scope="session")
def elsewhere(registry, tmp_path_factory):
    folder = make_app(tmp_path_factory.mktemp("elsewhere"))
    install(folder, registry, "--omit=optional")
    (folder / "pretend.js").write_text(PRETEND)
    return folder


def environment(folder, **more):
    return {"PATH": nodeinit.PATH, "HOME": str(folder), "CI": "true", "npm_config_cache": str(folder / ".cache"),
            "npm_config_update_notifier": "false"} | more  # fmt: skip


def install(app, registry, *words, tool=("npm",)):
    command = [*tool, "install", *words, "--registry", registry.url]
    done = subprocess.run(command, cwd=app, env=environment(app), stdin=subprocess.DEVNULL, capture_output=True,
                          text=True, timeout=120)  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


def is_program(file):
    with open(file, "rb") as opened:
        return opened.read(4) == b"\x7fELF"


def serves(app, command, major=None, whole_group=False, **more):
    """The command as a team starts it answers, and ends at SIGTERM: (the parent of who answered, the command's own pid,
    its code, its stderr). npm passes no signal on: whole_group is Ctrl-C in a terminal."""
    port = nodeinit.free_port()
    path = f"{Path(node.path(major)).parent}:{nodeinit.PATH}" if major else nodeinit.PATH
    env = environment(app, PATH=path, PORT=port, NODEINIT_WORKERS=2, NODEINIT_MODE="cluster", **more)
    with nodeinit.Nodeinit([str(word) for word in command], lambda pid: pid, env, cwd=app, own_namespace=False) as ran:
        try:
            ran.wait_port(port)
            answer = http.get(port).json()
            ran.wait_for(lambda: ran.err.count("is ready") == 2 or "bare" in ran.err)
            (os.killpg if whole_group else os.kill)(ran.pid, signal.SIGTERM)
            code = ran.wait()
        finally:
            end_group(ran.pid)
        return answer["ppid"], ran.pid, code, ran.err


# It leads a session of its own. What is left of it stops, or is killed.
def end_group(group):
    def is_gone():
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return True
        return False

    try:
        nodeinit.wait_for(is_gone, 10)
    except TimeoutError:
        os.killpg(group, signal.SIGKILL)


def test_a_package_says_what_it_needs(packages):
    assert len(packages) == 3
    for file in packages:
        with tarfile.open(file) as packed:
            manifest = json.load(packed.extractfile("package/package.json"))
            names = packed.getnames()
            assert "package/LICENSE" in names and "package/README.md" in names
        assert "scripts" not in manifest, "nothing runs while it is installed"
        assert manifest["license"] == "MIT"


def test_the_same_programs_give_the_same_bytes(packages, shipped, foreign, tmp_path):
    subprocess.run([nodeinit.TOP / "docker/npm/pack", tmp_path, shipped, foreign], check=True, timeout=60,
                   capture_output=True)  # fmt: skip
    for file in packages:
        assert (tmp_path / file.name).read_bytes() == file.read_bytes()


def test_with_npm_the_command_is_the_program_itself(app, registry):
    install(app, registry)
    command = app / "node_modules/.bin/nodeinit"
    assert is_program(command)
    parent, pid, code, err = serves(app, [command, "node", "server.js"])
    assert (parent, code) == (pid, 0), err
    # Installed once more, as a build does with a lock file, it is still so.
    shutil.rmtree(app / "node_modules")
    done = subprocess.run(["npm", "ci", "--registry", registry.url], cwd=app, env=environment(app), timeout=120,
                          stdin=subprocess.DEVNULL, capture_output=True)  # fmt: skip
    assert done.returncode == 0 and is_program(command)


def test_npx_and_npm_start_serve(installed):
    for command in (["npx", "nodeinit", "node", "server.js"], ["npm", "start"]):
        _, _, _, err = serves(installed, command, whole_group=True)
        assert err.count("is ready") == 2, err


@pytest.mark.parametrize("major, stays", [(24, False), (18, True)])
def test_the_launcher_gives_its_place_away_where_node_can(installed, major, stays):
    launcher = installed / "node_modules/nodeinit/nodeinit.js"
    parent, pid, code, err = serves(installed, [node.path(major), launcher, "node", "server.js"], major)
    assert code == 0, err
    assert (parent != pid) == stays
    assert ("stays in front" in err) == stays, err


def test_the_path_of_the_program_is_to_be_had(installed):
    told = subprocess.run(["node", "-p", "require('nodeinit')"], cwd=installed, env=environment(installed),
                          capture_output=True, text=True, timeout=30).stdout.strip()  # fmt: skip
    assert is_program(told)


@pytest.mark.parametrize("platform", ["darwin", "win32"])
def test_elsewhere_the_command_runs_bare_with_one_line(elsewhere, platform):
    options = ["--require", elsewhere / "pretend.js"]
    command = ["node", *options, "node_modules/nodeinit/nodeinit.js", "--workers", "2", "node", "server.js"]
    parent, pid, code, err = serves(elsewhere, command, PRETEND=platform)
    assert (parent, code) == (pid, 143), err
    assert err == f"nodeinit: {platform} is not Linux: the command runs bare, as one process\n"


def launched(app, *words, **more):
    command = ["node", "--require", app / "pretend.js", "node_modules/nodeinit/nodeinit.js", *words]
    return subprocess.run(command, cwd=app, env=environment(app, **more), stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, timeout=30)  # fmt: skip


def test_elsewhere_codes_and_mistakes_are_told(elsewhere):
    assert launched(elsewhere, "node", "-e", "process.exit(7)", PRETEND="darwin").returncode == 7
    assert launched(elsewhere, "--", "node", "-e", "process.exit(8)", PRETEND="win32").returncode == 8
    gone = launched(elsewhere, "no-such-command", PRETEND="darwin")
    assert (gone.returncode, gone.stderr) == (
        127, "nodeinit: error: cannot execute no-such-command: not found in PATH\n")  # fmt: skip
    nothing = launched(elsewhere, PRETEND="darwin")
    assert nothing.returncode == 64 and "nodeinit node server.js" in nothing.stderr
    left_out = launched(elsewhere, "node", "server.js", PRETEND="linux")
    assert left_out.returncode == 64 and "--omit=optional" in left_out.stderr


def test_a_program_that_is_none_of_ours_is_not_packed(tmp_path):
    for program, why in ((__file__, "neither"), ("/bin/true", "not linked statically"), ("/nowhere", "no such file")):
        done = subprocess.run([nodeinit.TOP / "docker/npm/pack", tmp_path, program], capture_output=True, text=True,
                              timeout=30, check=False)  # fmt: skip
        assert done.returncode == 1 and why in done.stderr


@pytest.mark.long
@pytest.mark.parametrize("tool", ["pnpm@9.15.9", "yarn@1.22.22"])
def test_other_package_managers(app, registry, tool):
    name = tool.partition("@")[0]

    def fetch(folder):
        subprocess.run(["npm", "install", "--silent", "--prefix", folder, tool], check=True, timeout=300,
                       stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)  # fmt: skip

    home = cache.once(f"managers/{tool}", fetch)
    began = time.monotonic()
    install(app, registry, tool=(home / "node_modules/.bin" / name,))
    assert time.monotonic() - began < 60
    for major, stays in ((24, False), (18, True)):
        command = [app / "node_modules/.bin/nodeinit", "node", "server.js"]
        parent, pid, code, err = serves(app, command, major)
        assert code == 0, err
        stayed = parent != pid
        assert stayed == stays or is_program(command[0]), err
