"""What a worker, or another process of its user, does to PID 1: it goes on answering, and acts with no rights for them."""

import os
import re
import resource
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from support import crowd, nodeinit

NOBODY = 65534
SERVER = "require('http').createServer((q, r) => r.end(String(process.pid))).listen(+process.env.PORT, '127.0.0.1');"

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root: other users, limits of other processes")


def cpu(pid):
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@pytest.fixture
def folders(tmp_path):
    """One of the worker's user, and one of root's with a file and a socket's name in it."""
    tmp_path.chmod(0o755)
    for parent in tmp_path.parents:
        if parent != Path("/"):
            parent.chmod(parent.stat().st_mode | 0o055)
    own, roots = tmp_path / "own", tmp_path / "roots"
    own.mkdir()
    roots.mkdir(mode=0o700)
    os.chown(own, NOBODY, NOBODY)
    (roots / "victim").write_text("secret")
    (roots / "victim").chmod(0o600)
    return own, roots


SWAP = """
const fs = require('fs'), base = process.env.BASE;
fs.mkdirSync(base + '/d', {recursive: true});
const server = require('http').createServer(() => {});
server.listen({path: base + '/d/victim', readableAll: true, writableAll: true}, () => {
  fs.renameSync(base + '/d', base + '/old');
  fs.symlinkSync(process.env.TARGET, base + '/d');
  server.close();
  setTimeout(() => process.exit(0), 300);
});
"""


def test_no_file_goes_that_the_workers_user_could_not_remove(program, folders):
    own, roots = folders
    pid1, _ = program(SWAP, workers=1, ready=False, NODEINIT_USER=f"{NOBODY}:{NOBODY}", NODEINIT_RESTART="never",
                      BASE=own, TARGET=roots)  # fmt: skip
    pid1.wait()
    assert (roots / "victim").read_text() == "secret"
    assert (roots / "victim").stat().st_mode & 0o777 == 0o600


def test_no_socket_is_made_where_the_workers_user_could_not(program, folders):
    own, roots = folders
    script = "require('net').createServer().on('error', (e) => { console.log(e.code); process.exit(7); }).listen(process.env.TARGET + '/s');"
    pid1, _ = program(script, workers=1, ready=False, NODEINIT_USER=f"{NOBODY}:{NOBODY}", NODEINIT_RESTART="never", TARGET=roots)
    assert pid1.wait() == 7
    assert "EACCES" in pid1.out
    assert not (roots / "s").exists()


def test_a_socket_of_a_worker_belongs_to_its_user_and_goes_with_it(program, folders):
    own, _ = folders
    script = "require('http').createServer((q, r) => r.end('ok')).listen(process.env.BASE + '/s');"
    pid1, _ = program(script, workers=2, NODEINIT_USER=f"{NOBODY}:{NOBODY}", BASE=own)
    assert (own / "s").stat().st_uid == NOBODY
    assert pid1.stop() == 0
    assert not (own / "s").exists()


def test_a_waiting_client_does_not_make_pid1_spin_when_no_descriptor_is_left(program):
    pid1, _ = program(SERVER)
    hard = resource.prlimit(pid1.pid, resource.RLIMIT_NOFILE)[1]
    resource.prlimit(pid1.pid, resource.RLIMIT_NOFILE, (3, hard))
    client = subprocess.Popen(["nsenter", "-t", str(pid1.pid), "-m", "-p", nodeinit.binary(), "ctl", "status"],
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # fmt: skip
    time.sleep(0.3)
    before = cpu(pid1.pid)
    time.sleep(1)
    used = cpu(pid1.pid) - before
    resource.prlimit(pid1.pid, resource.RLIMIT_NOFILE, (1024, hard))
    assert client.wait(10) == 0, "it is answered once there are descriptors again"
    assert used < 0.3


@pytest.mark.parametrize("user", [None, 1234], ids=["root", "without capabilities"])
def test_no_address_space_is_no_end(program, user, tmp_path):
    for folder in [tmp_path, *tmp_path.parents][:-1]:
        folder.chmod(folder.stat().st_mode | 0o055)
    pid1, port = program(SERVER, user=user)
    prlimit = ["prlimit", f"--pid={pid1.pid}", "--as=1000000"]
    become = ["setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups"] if user else []
    subprocess.run([*become, *prlimit], check=True)
    for number in range(3, 9):
        pid1.ctl("status")
        subprocess.run(["nsenter", "-t", str(pid1.pid), "-m", "-p", nodeinit.binary(), "ctl", "scale", str(number)],
                       capture_output=True, timeout=20)  # fmt: skip
        assert crowd.ask(port)[0] == 200
    assert pid1.running()
    pid1.stop()
    assert "cannot go on" not in pid1.err


def test_no_epoll_watch_left_is_no_end(program, tmp_path):
    """The limit counts all watches of a user, whoever has them (epoll(7)). Node itself aborts when it wants one more,
    so nothing is asked of the workers meanwhile."""
    for folder in [tmp_path, *tmp_path.parents][:-1]:
        folder.chmod(folder.stat().st_mode | 0o055)
    limit = Path("/proc/sys/fs/epoll/max_user_watches")
    pid1, port = program(SERVER, user=4321)
    before = limit.read_text()
    try:
        limit.write_text("1")
        answers = [pid1.ctl("status").code for _ in range(3)]
    finally:
        limit.write_text(before)
    assert answers == [0, 0, 0]
    assert crowd.ask(port)[0] == 200
    assert pid1.stop() == 0


JOIN = """
import socket, sys, threading, time
for _ in range(2):
    s = socket.socket(socket.AF_INET6)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        s.bind(("::", int(sys.argv[1])))
        s.listen()
        print("joined", flush=True)
    except OSError as error:
        print(error.strerror, flush=True)
        break
"""


def test_nobody_joins_the_sockets_of_a_port(program):
    pid1, port = program("require('http').createServer((q, r) => r.end('ok')).listen(+process.env.PORT);")
    other = subprocess.run([sys.executable, "-c", JOIN, str(port)], capture_output=True, text=True, timeout=20)
    assert other.stdout == "Address already in use\n"
    assert pid1.ctl("scale", "3").code == 0
    pid1.wait_line(r"slot 2: worker \d+ is ready")
    assert crowd.ask(port)[0] == 200


@pytest.mark.parametrize("step", [1, 2, 4])
def test_one_clients_connections_are_spread_whatever_the_step_of_its_ports(program, step):
    _, port = program(SERVER, workers=4)
    seen, source = {}, 20000 + 512 * step
    while sum(seen.values()) < 16:
        source += step
        with socket.socket() as client:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                client.bind(("127.0.0.1", source))
                client.connect(("127.0.0.1", port))
            except OSError:
                continue
            client.sendall(b"GET / HTTP/1.0\r\n\r\n")
            worker = client.recv(1000).split(b"\r\n\r\n")[-1]
            seen[worker] = seen.get(worker, 0) + 1
    assert len(seen) == 4 and max(seen.values()) <= 8, seen


def test_a_taken_name_of_the_control_socket_is_got_around(program):
    """Another user has bound the name that this PID namespace would have, and those around it."""
    squat = """
import os, socket, sys, time
own, held = os.stat("/proc/self/ns/pid").st_ino, []
for number in range(own - 100, own + 100):
    s = socket.socket(socket.AF_UNIX)
    try:
        s.bind(chr(0) + f"nodeinit/{number}")
        s.listen()
        held.append(s)
    except OSError:
        pass
print(len(held), flush=True)
time.sleep(60)
"""
    # A namespace's number is near those made just before.
    squatter = subprocess.Popen(["unshare", "--pid", "--fork", "--mount-proc", "--kill-child", "setpriv", "--reuid=65534",
                                 "--regid=65534", "--clear-groups", sys.executable, "-c", squat],
                                stdout=subprocess.PIPE, text=True)  # fmt: skip
    try:
        assert int(squatter.stdout.readline()) > 100
        pid1, _ = program(SERVER)
        name = f"@nodeinit/{os.stat(f'/proc/{pid1.pid}/ns/pid').st_ino}"
        if name + "-" not in Path("/proc/net/unix").read_text():
            pytest.skip("the squatter did not guess the number")
        assert pid1.ctl("health").code == 0
        assert pid1.ctl("status").code == 0
    finally:
        squatter.kill()
        squatter.wait()


CROWD = """
import socket, sys, time
held, end = [], time.monotonic() + 60
print("here", flush=True)
while time.monotonic() < end:
    s = socket.socket(socket.AF_UNIX)
    s.settimeout(1)
    try:
        s.connect(chr(0) + sys.argv[1])
        s.sendall(sys.argv[2].encode())
        held.append(s)
    except OSError:
        pass
    if len(held) > 60:
        held.pop(0).close()
"""


@pytest.mark.parametrize("says", ["", '{"nodeinit":1,"verb":"events"}\n'], ids=["silent", "followers"])
def test_a_crowd_at_the_control_socket_keeps_no_health_check_out(program, says):
    """Of peers that are allowed in, each with dozens of connections."""
    pid1, _ = program(SERVER)
    name = f"nodeinit/{os.stat(f'/proc/{pid1.pid}/ns/pid').st_ino}"
    inside = ["nsenter", "-t", str(pid1.pid), "-p", "-m"]
    crowds = [subprocess.Popen([*inside, sys.executable, "-c", CROWD, name, says], stdout=subprocess.PIPE) for _ in range(6)]
    try:
        for each in crowds:
            each.stdout.readline()
        asked = [pid1.ctl("health") for _ in range(20)]
        assert [each for each in asked if each.code != 0] == []
        assert pid1.ctl("restart", "0").code == 0
    finally:
        for each in crowds:
            each.kill()  # this is nsenter; Python itself ends with the namespace
            each.wait()
    assert pid1.stop() == 0


def test_what_is_no_socket_stays_at_the_path_of_the_control_socket(program, tmp_path):
    precious = tmp_path / "precious"
    precious.write_text("data")
    pid1, _ = program(SERVER, ready=False, NODEINIT_CONTROL=precious)
    assert pid1.wait() == 78
    assert precious.read_text() == "data"
    assert f"{precious} (NODEINIT_CONTROL)" in pid1.err


@pytest.mark.skipif(not shutil.which("strace"), reason="wants strace")
def test_a_worker_with_its_socket_from_pid1_is_not_taken_for_one_with_a_socket_of_its_own(program):
    """PID 1 loses the CPU when it has just sent the socket, until it is time to look at who has not asked for one."""
    pid1, _ = program(SERVER, workers=1)
    delay = ["strace", "-qq", "-e", "trace=sendmsg", "-e", "inject=sendmsg:delay_exit=3000000", "-o", "/dev/null", "-p", str(pid1.pid)]
    slow = subprocess.Popen(delay)
    try:
        pid1.wait_for(lambda: "TracerPid:\t0\n" not in Path(f"/proc/{pid1.pid}/status").read_text(), what="strace")
        pid1.send(signal.SIGTTIN)  # one more worker
        pid1.wait_line(r"slot 1: worker \d+ (is ready|listens on port)")
    finally:
        slow.terminate()
        slow.wait()
    pid1.wait_line(r"slot 1: worker \d+ is ready")
    assert "by itself" not in pid1.err
    assert len(pid1.workers()) == 2
    assert pid1.stop() == 0


HOLD = """
import resource, socket, sys, time
hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
s = socket.socket()
s.bind((sys.argv[1], 0))
s.listen(4096)
held = []
try:
    for _ in range(5000):
        c = socket.socket()
        c.connect(s.getsockname())
        held += [c, s.accept()[0]]
except OSError:
    pass
print(len(held), flush=True)
time.sleep(60)
"""


def test_the_sockets_of_others_do_not_make_pid1_deaf_while_workers_start(program):
    late = """setTimeout(() => require('http').createServer((q, r) => r.end('ok')).listen(+process.env.PORT, '127.0.0.1'),
                         process.env.NODEINIT_SLOT === '0' ? 0 : 6000);"""
    web = nodeinit.free_port()
    pid1, _ = program(late, workers=12, ready=False, NODEINIT_HTTP=f"127.0.0.1:{web}")
    pid1.wait_line(r"slot 0: worker \d+ is ready")
    time.sleep(1.5)

    def used_in_a_second():
        before = cpu(pid1.pid)
        time.sleep(1)
        return cpu(pid1.pid) - before

    alone = used_in_a_second()
    holders = [subprocess.Popen([sys.executable, "-c", HOLD, f"127.0.0.{n}"], stdout=subprocess.PIPE, text=True) for n in (2, 3)]
    try:
        assert sum(int(holder.stdout.readline()) for holder in holders) > 10_000
        beside = used_in_a_second()
        began = time.monotonic()
        assert crowd.ask(web, "/livez")[0] == 200
        assert time.monotonic() - began < 1
    finally:
        for holder in holders:
            holder.kill()
            holder.wait()
    assert beside < alone + 0.2, f"{alone} s of CPU in a second alone, {beside} s beside the sockets of others"
