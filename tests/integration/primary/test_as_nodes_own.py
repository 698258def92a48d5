"""What Node's own tests of its cluster module (test/parallel/test-cluster-*) ask of workers and no other test here does;
tests/README.md lists which is where."""

import json

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
