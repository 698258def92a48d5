"""What Node's own tests of its cluster module (test/parallel/test-cluster-*) ask of workers and no other test here does;
tests/README.md lists which is where."""

import json
import signal
import socket
import time

import pytest
from support import http, node, nodeinit

BALANCES = ["kernel", "shared", "round-robin"]


@pytest.fixture
def start(tmp_path):
    opened = []

    def begin(program, *options, **env):
        (tmp_path / "app.js").write_text(program)
        pid1 = nodeinit.start([node.path(24), "app.js"], ["--workers", "2", *options], env, cwd=tmp_path)
        opened.append(pid1)
        return pid1

    yield begin
    for pid1 in opened:
        pid1.close()


@pytest.mark.parametrize("balance", BALANCES)
def test_a_server_is_closed_and_listens_again(start, balance):
    """server-restart-none, server-restart-rr"""
    port = nodeinit.free_port()
    pid1 = start(
        """
        const server = require('http').createServer((_, answer) => answer.end('here'));
        let times = 0;
        const again = () => server.listen(process.env.PORT, () => {
          if (++times < 5) return server.close(again);
          console.log('listens for good');
        });
        again();
        """,
        "--balance", balance, PORT=port,
    )  # fmt: skip
    pid1.wait_for(lambda: pid1.out.count("listens for good") == 2, what="both workers")
    assert {http.get(port).body for _ in range(10)} == {b"here"}
    assert pid1.stop() == 0


def test_ports_of_several_listens_on_0_are_the_same_in_all_workers(start):
    """child-index-net, listening-port"""
    pid1 = start(
        """
        const net = require('net');
        const open = () => new Promise((done) => {
          const server = net.createServer().listen(0, () => done(server));
        });
        (async () => {
          const servers = [await open(), await open(), await open()];
          console.log(JSON.stringify(servers.map((server) => server.address().port)));
        })();
        """
    )
    pid1.wait_for(lambda: pid1.out.count("\n") == 2, what="both workers")
    ports = [json.loads(line) for line in pid1.out.splitlines()]
    assert ports[0] == ports[1] and len(set(ports[0])) == 3


def test_what_a_worker_knows_of_itself(start):
    """worker-init, worker-isconnected, worker-isdead, message, rr-ref (the channel keeps nobody from ending)"""
    pid1 = start(
        """
        const cluster = require('cluster');
        require('http').createServer().listen(0, () => console.log(JSON.stringify([
          cluster.isWorker, cluster.isPrimary, cluster.worker.isConnected(), cluster.worker.isDead(),
          cluster.worker.process === process, process.send({ any: 'message' }), typeof cluster.worker.id])));
        """
    )
    pid1.wait_for(lambda: pid1.out.count("\n") == 2, what="both workers")
    wanted = [True, False, True, False, True, True, "number"]
    assert [json.loads(line) for line in pid1.out.splitlines()] == [wanted, wanted]
    assert pid1.stop() == 0


@pytest.mark.parametrize("balance", BALANCES)
def test_a_worker_that_takes_no_more_leaves_clients_to_the_other(start, balance):
    """net-server-drop-connection, worker-disconnect"""
    port = nodeinit.free_port()
    pid1 = start(
        """
        const cluster = require('cluster');
        require('http').createServer((request, answer) => {
          answer.setHeader('Connection', 'close');
          answer.end(String(process.pid));
          if (request.url === '/leave') cluster.worker.disconnect();
        }).listen(process.env.PORT);
        """,
        "--balance", balance, "--restart", "on-failure", PORT=port,
    )  # fmt: skip
    for slot in range(2):
        pid1.wait_line(rf"slot {slot}: worker \d+ is ready")
    left = http.get(port, "/leave").body
    pid1.wait_for(lambda: len(pid1.workers()) == 1, what="that it leaves")
    assert left not in {http.get(port).body for _ in range(20)}
    assert pid1.stop() == 0


@pytest.mark.parametrize("connected", [True, False])
def test_a_worker_that_destroys_itself_ends_and_is_followed(start, connected):
    """worker-destroy, kill-disconnect"""
    port = nodeinit.free_port()
    pid1 = start(
        f"""
        const cluster = require('cluster');
        require('http').createServer((request, answer) => {{
          answer.end(String(process.pid));
          if (request.url !== '/end') return;
          if ({json.dumps(connected)}) return cluster.worker.destroy();
          process.once('disconnect', () => cluster.worker.destroy());
          cluster.worker.disconnect();
        }}).listen(process.env.PORT);
        """,
        "--workers", "1", PORT=port,
    )  # fmt: skip
    pid1.wait_line(r"slot 0: worker \d+ is ready")
    first = http.get(port, "/end").body
    pid1.wait_line(rf"worker {first.decode()} left by itself \(exit code 0\)")
    pid1.wait_for(lambda: pid1.err.count("is ready") == 2, what="its successor")
    assert http.get(port).body != first
    assert pid1.stop() == 0


def test_a_worker_that_leaves_ends_when_nothing_keeps_its_loop_alive_and_not_before(start):
    """worker-no-exit"""
    with socket.create_server(("127.0.0.1", 0)) as outside:
        pid1 = start(
            """
            require('net').connect(process.env.OUTSIDE, '127.0.0.1');
            require('http').createServer().listen(0);
            process.on('SIGUSR2', () => require('cluster').worker.disconnect());
            """,
            "--workers", "1", OUTSIDE=outside.getsockname()[1],
        )  # fmt: skip
        connection, _ = outside.accept()
        with connection:
            pid1.wait_line(r"slot 0: worker \d+ is ready")
            pid1.send(signal.SIGUSR2)
            pid1.wait_line("closed its last server")
            time.sleep(1)
            assert "left by itself" not in pid1.err, "it was not to be cut off"
        pid1.wait_line(r"left by itself \(exit code 0\)")


def test_a_connection_sent_twice_is_closed_and_nothing_else_is(start):
    """send-handle-twice"""
    port, other = nodeinit.free_port(), nodeinit.free_port()
    pid1 = start(
        """
        require('http').createServer((_, answer) => answer.end('here')).listen(process.env.PORT);
        require('net').createServer((connection) => {
          process.send('once', connection);
          process.send('twice', connection);
        }).listen(process.env.OTHER);
        """,
        "--workers", "1", PORT=port, OTHER=other,
    )  # fmt: skip
    pid1.wait_line(r"slot 0: worker \d+ is ready")
    for _ in range(5):
        with socket.create_connection(("127.0.0.1", other), 5) as connection:
            assert connection.recv(1) == b""
    assert http.get(port).body == b"here"
    assert pid1.stop() == 0
    assert "breaks the cluster protocol" not in pid1.err


@pytest.mark.parametrize("balance", BALANCES)
def test_a_stop_at_any_moment_of_a_workers_start_ends_it_in_order(start, balance):
    """disconnect-race, shared-leak"""
    program = "require('http').createServer((_, answer) => answer.end()).listen(0)"
    for attempt in range(12):
        pid1 = start(program, "--balance", balance)
        pid1.wait_line(r"slot 0: worker \d+ started")
        time.sleep(attempt * 0.01)
        # Before it is known to be a server its own end counts, as in single mode: Node dies of SIGTERM.
        assert pid1.stop() in (0, 128 + signal.SIGTERM)
        assert "Error" not in pid1.err, pid1.err
