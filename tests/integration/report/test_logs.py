"""The workers' output: four writers of all shapes at once, byte for byte; slow, gone and full readers."""

import json
import os
import re
import subprocess
import time

import pytest
from support import node, nodeinit

# Each worker writes lines of every shape, in pieces, with its number and a count; then a last line without newline.
WRITER = r"""
const fs = require('fs'), slot = process.env.NODEINIT_SLOT;
require('net').createServer().listen(0);
const put = (text) => { for (let b = Buffer.from(text, 'latin1'), at = 0; at < b.length;) {
  try { at += fs.writeSync(1, b, at); } catch (e) { if (e.code !== 'EAGAIN') throw e; } } };
setTimeout(() => {
  for (let i = 0; i < 400; i++) {
    put(`<${slot}:${i}>plain\n`);
    put(`<${slot}:${i}>in`); put(' pie'); put('ces\n');
    put(`<${slot}:${i}>crlf\r\n`);
    put(`<${slot}:${i}>nul\0 ansi\x1b[1m bad\xff\xfe\n`);
    put(`<${slot}:${i}>` + 'x'.repeat((i * 37) % 5000) + '\n');
    put('\n');
    put(`{"slot":"mine","i":${i},"from":${slot}}\n`);
  }
  put(`<${slot}:>` + 'g'.repeat(600000) + '\n');
  put(`<${slot}:end>no newline`);
  process.exit(0);
}, 1500);
"""
WORKERS = 4


def expected(slot):
    lines = []
    for i in range(400):
        head = f"<{slot}:{i}>".encode()
        lines += [head + b"plain", head + b"in pieces", head + b"crlf\r", head + b"nul\0 ansi\x1b[1m bad\xff\xfe",
                  head + b"x" * ((i * 37) % 5000)]  # fmt: skip
    return [*lines, f"<{slot}:>".encode() + b"g" * 600000, f"<{slot}:end>no newline".encode()]


def write_all(tmp_path, mode, **env):
    """stdout, as bytes, of four writers that end by themselves."""
    script = tmp_path / "writer.js"
    script.write_text(WRITER)
    environment = {"PATH": nodeinit.PATH, "NODEINIT_WORKERS": WORKERS, "NODEINIT_LOG": mode,
                   "NODEINIT_RESTART": "never"} | env  # fmt: skip
    done = subprocess.run([nodeinit.binary(), node.path(22), str(script)], capture_output=True, timeout=120,
                          env={k: str(v) for k, v in environment.items()})  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


def joined(out):
    """With lines that were cut put together again, whichever lines stand between the pieces."""
    lines, open_ones = [], {}
    for line in out.split(b"\n"):
        begun = re.search(rb"\[nodeinit: (slot \d stdout), continued\]", line[:60])
        if begun:
            line = open_ones.pop(begun[1]) + line[begun.end() :]
        cut = re.search(rb"\[nodeinit: (slot \d stdout), line continues\]$", line[-60:])
        if cut:
            open_ones[cut[1]] = line[: -len(cut[0])]
        else:
            lines.append(line)
    assert not open_ones
    return lines


def test_lines_keep_every_byte_and_are_never_torn(tmp_path):
    lines = joined(write_all(tmp_path, "lines"))
    for slot in range(WORKERS):
        assert [line for line in lines if line.startswith(f"<{slot}:".encode())] == expected(slot)
    own = [line for line in lines if line.startswith(b"<")]
    assert len(own) == sum(len(expected(slot)) for slot in range(WORKERS))
    objects = [json.loads(line) for line in lines if line.startswith(b"{")]
    assert len(objects) == 400 * WORKERS
    # A last line without newline is ended by what follows it, and by nothing else.
    assert lines.count(b"") == 400 * WORKERS


def test_prefix_changes_nothing_behind_it(tmp_path):
    lines = write_all(tmp_path, "prefix").split(b"\n")
    assert all(re.match(rb"[0-3] out \| ", line) for line in lines)
    for slot in range(WORKERS):
        mine = joined(b"\n".join(line[8:] for line in lines if line.startswith(b"%d out" % slot)))
        assert [line for line in mine if line.startswith(b"<")] == expected(slot)
        assert mine.count(b"") == 400


def test_json_carries_every_line(tmp_path):
    records = [json.loads(line) for line in write_all(tmp_path, "json").splitlines()]
    for slot in range(WORKERS):
        texts, parts = [], ""
        for record in (r for r in records if r.get("slot") == slot):
            assert record["stream"] == "stdout" and record["program"] == "node" and record["pid"] > 1
            parts += record["message"]
            if "part" not in record or record.get("last_part"):
                texts.append(parts)
                parts = ""
        wanted = [line.decode("utf-8", "replace") for line in expected(slot)]
        assert [text for text in texts if text] == wanted
    kept = [r for r in records if r.get("slot") == "mine"]
    assert len(kept) == 400 * WORKERS and all("message" not in r and "time" in r for r in kept)


def test_a_slow_reader_slows_the_writers_and_nodeinit_stays_small_and_awake(tmp_path):
    script = tmp_path / "flood.js"
    script.write_text("require('net').createServer().listen(0);"
                      "setInterval(() => require('fs').writeSync(1, 'y'.repeat(60000) + '\\n'), 1)")  # fmt: skip
    env = {"PATH": nodeinit.PATH, "NODEINIT_WORKERS": "2", "NODEINIT_LOG": "lines"}
    with subprocess.Popen([nodeinit.binary(), node.path(22), str(script)], env=env,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE) as running:  # fmt: skip
        time.sleep(4)  # nobody reads
        first = resident(running.pid)
        time.sleep(2)
        assert resident(running.pid) <= first + 1024
        flags = re.search(r"flags:\s+(\d+)", open(f"/proc/{running.pid}/fdinfo/1").read())[1]
        assert not int(flags, 8) & os.O_NONBLOCK, "the inherited descriptor belongs to others, too"
        running.terminate()
        out, _ = running.communicate(timeout=60)
    assert running.returncode in (0, 137)
    assert all(line in ("y" * 60000, "") for line in out.decode().split("\n")[:-1])


def resident(pid):
    with open(f"/proc/{pid}/status") as status:
        return int(re.search(r"VmRSS:\s+(\d+)", status.read())[1])


@pytest.mark.parametrize("target", ["closed", "full disk", "gone"])
def test_an_output_that_fails_ends_nothing(tmp_path, target):
    script = tmp_path / "writer.js"
    script.write_text("require('net').createServer().listen(0); setInterval(() => console.log('x'), 20);"
                      "setTimeout(() => process.exit(0), 2500)")  # fmt: skip
    reader, writer = os.pipe()
    os.close(reader)
    out = {"closed": None, "full disk": os.open("/dev/full", os.O_WRONLY), "gone": writer}[target]
    command = [nodeinit.binary(), node.path(22), str(script)]
    if target == "closed":
        command = ["sh", "-c", 'exec "$@" >&-', "sh", *command]
    env = {"PATH": nodeinit.PATH, "NODEINIT_WORKERS": "2", "NODEINIT_LOG": "lines", "NODEINIT_RESTART": "never"}
    done = subprocess.run(command, env=env, stdout=out, stderr=subprocess.PIPE, timeout=60)
    os.close(writer)
    assert done.returncode == 0, done.stderr


def test_last_words_come_whole_and_a_grandchild_does_not_hold_the_end(tmp_path):
    script = tmp_path / "dies.js"
    script.write_text("require('child_process').spawn('sleep', ['30'], {stdio: 'inherit', detached: true}).unref();"
                      "require('fs').writeSync(2, 'w'.repeat(50000) + '\\nlast words'); process.abort()")  # fmt: skip
    env = {"PATH": nodeinit.PATH, "NODEINIT_WORKERS": "2", "NODEINIT_LOG": "lines", "NODEINIT_RESTART_LIMIT": "1/60s"}
    start = time.monotonic()
    done = subprocess.run([nodeinit.binary(), node.path(22), str(script)], env=env, capture_output=True, timeout=60)
    assert time.monotonic() - start < 20
    assert done.returncode == 134
    assert b"w" * 50000 + b"\n" in done.stderr and b"last words" in done.stderr
