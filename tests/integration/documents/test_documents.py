"""What the documents say is held: blocks marked `run` run, configurations are in order, and every setting, option and verb
that is named is there.

A block of commands says behind its language what becomes of it: `sh run` is run here by bash -e in a folder with server.js,
node and nodeinit; `sh docker`, `sh container`, `sh install` want an engine, a container, a registry."""

import json
import os
import re
import subprocess
from pathlib import Path

import pytest
from support import node, nodeinit

TOP = nodeinit.TOP
PAGES = [TOP / "README.md", TOP / "docker/kubernetes/README.md", TOP / "docker/npm/README.md",
         *sorted((TOP / "docker/docs").glob("*.md"))]  # fmt: skip
BLOCK = re.compile(r"^ *```([^\n]*)\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
NOT_RUN = {"sh docker", "sh container", "sh install", ""}
# Variables that are no settings: what a worker is told, and the file's name.
TOLD = {"NODEINIT_CONFIG", "NODEINIT_SLOT", "NODEINIT_SLOTS"}
SERVER = """
require('node:http').createServer((_, answer) => answer.end('hello\\n')).listen(process.env.PORT);
"""


def blocks(kind):
    return [
        pytest.param(text, id=f"{page.name}:{number}")
        for page in PAGES
        for number, (info, text) in enumerate(BLOCK.findall(page.read_text()))
        if info == kind
    ]


def run(command, folder, **more):
    return subprocess.run(command, cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60,
                          check=False, **more)  # fmt: skip


@pytest.fixture
def place(tmp_path):
    tools = tmp_path / "bin"
    tools.mkdir()
    (tools / "nodeinit").symlink_to(nodeinit.binary())
    (tools / "node").symlink_to(node.path(22))
    (tmp_path / "server.js").write_text(SERVER)
    return tmp_path


@pytest.mark.parametrize("text", blocks("sh run"))
def test_commands_marked_run_do(place, text):
    environment = {"PATH": f"{place}/bin:{nodeinit.PATH}", "HOME": str(place), "LC_ALL": "C.UTF-8"}
    done = run(["bash", "-euo", "pipefail", "-c", text], place, env=environment)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("text", blocks("toml"))
def test_configurations_are_in_order(place, text):
    (place / "n.toml").write_text(text if "command" in text else 'command = "node server.js"\n' + text)
    done = run([nodeinit.binary(), "--check", "--config", "n.toml"], place, env={"PATH": nodeinit.PATH})
    assert done.returncode == 0, done.stderr
    assert not [line for line in done.stderr.splitlines() if "cannot open" not in line], done.stderr


@pytest.mark.parametrize("text", blocks("json"))
def test_json_is_json(text):
    json.loads(text)


@pytest.mark.parametrize("text", blocks("yaml"))
def test_yaml_is_yaml(text):
    yaml = pytest.importorskip("yaml")
    list(yaml.safe_load_all(text))


@pytest.mark.parametrize("text", blocks("Dockerfile"))
def test_dockerfiles_have_the_exec_form(text):
    for word, rest in re.findall(r"^(?:HEALTHCHECK )?(CMD|ENTRYPOINT) (.*)$", text, re.MULTILINE):
        assert all(isinstance(each, str) for each in json.loads(rest)), f"{word} {rest}"


def test_every_block_of_commands_says_what_becomes_of_it():
    for page in PAGES:
        kinds = {info for info, _ in BLOCK.findall(page.read_text()) if info.startswith(("sh", "bash", "console"))}
        assert kinds <= NOT_RUN | {"sh run"}, f"{page.name}: {kinds}"


@pytest.fixture(scope="module")
def helps():
    say = lambda *words: run([nodeinit.binary(), *words], "/", env={}).stdout  # noqa: E731
    return say("--help"), say("ctl", "help")


def named(pattern):
    return sorted({(page.name, *found) for page in PAGES for found in re.findall(pattern, page.read_text())})


def test_every_setting_that_is_named_is_there(helps):
    known = {"NODEINIT_" + name.upper().replace("-", "_") for name in re.findall(r"^  --([a-z-]+)", helps[0], re.M)}
    wrong = [(page, name) for page, name, _ in named(r"\b(NODEINIT_[A-Z_]*[A-Z])\b()") if name not in known | TOLD]
    assert not wrong


def test_every_value_that_is_named_is_allowed(tmp_path):
    environment, wrong = {"PATH": nodeinit.PATH}, []
    for page, name, value in named(r"\b(NODEINIT_[A-Z_]*[A-Z])=([\w%.:@/+,=-]*[\w%])"):
        if value.startswith("NODEINIT_") or name in TOLD | {"NODEINIT_USER"}:
            continue
        done = run([nodeinit.binary(), "--check", "--", "node", "a.js"], tmp_path, env=environment | {name: value})
        if "cannot use" in done.stderr:
            wrong.append((page, f"{name}={value}", done.stderr))
    assert not wrong


def test_every_option_and_verb_that_is_named_is_there(helps):
    options, verbs = helps
    wrong = [(page, name) for page, name, _ in named(r"nodeinit (--[a-z-]+)()") if f"  {name}" not in options]
    wrong += [(page, verb) for page, verb, _ in named(r"nodeinit[`\"]?,? ctl,? ([a-z][a-z0-9-]+)()")
              if not re.search(rf"^  {verb}\b", verbs, re.M) and verb != "help"]  # fmt: skip
    assert not wrong


def test_the_picture_says_what_its_source_says():
    source, picture = ((TOP / "docker/docs" / name).read_text() for name in ("how.dot", "how.svg"))
    for label in re.findall(r'label="([^"]+)"', source):
        for line in label.split("\\n"):
            assert line.replace("'", "&#39;") in picture or line in picture, f"docker/docs/draw: {line}"


def test_the_readme_can_be_read_in_ten_minutes():
    text = (TOP / "README.md").read_text()
    assert text.count("\n") <= 270 and len(text.split()) <= 2600


def test_figures_have_their_command():
    for page in ("README.md", "docker/docs/figures.md", "docker/docs/limits.md", "docker/docs/logs.md"):
        for script in re.findall(r"`/usr/bin/python3 (\S+?)[ `]", (TOP / page).read_text()):
            assert os.access(TOP / script, os.R_OK), f"{page}: {script}"


def test_the_index_names_every_page():
    index = (TOP / "docker/docs/README.md").read_text()
    missing = [page.name for page in Path(TOP / "docker/docs").glob("*.md") if f"({page.name})" not in index]
    assert missing == ["README.md"]


def test_the_manual_page_has_every_option_and_verb(helps):
    page = (TOP / "docker/nodeinit.8").read_text().replace("\\-", "-")
    missing = [name for name in re.findall(r"^  (--[a-z-]+)", helps[0], re.M) if name not in page]
    missing += [verb for verb in re.findall(r"^  ([a-z][a-z0-9-]+) ", helps[1], re.M) if verb not in page]
    assert not missing
