"""A program says at run time that it is not ready, and that it is again."""

import json
import time
import urllib.parse

import pytest
from support import http, nodeinit


def say(service, message):
    """By whichever worker answers; its pid."""
    return service.ask("/say?message=" + urllib.parse.quote(json.dumps(message)))["pid"]


def answering(service, asked=40):
    return {service.ask()["pid"] for _ in range(asked)}


@pytest.mark.parametrize("balance", ["kernel", "round-robin", "client-ip"])
def test_a_worker_that_is_not_ready_gets_nothing_until_it_is(start, balance):
    service = start(workers=3, NODEINIT_BALANCE=balance)
    shy = say(service, {"type": "nodeinit:not-ready", "reason": "the cache\nis cold"})
    told = service.pid1.wait_line(r"worker \d+ says that it is not ready \((.*)\): it gets no new connections")
    assert told.group(1) == r"the cache\x0ais cold"
    nodeinit.wait_for(lambda: service.states()[shy] == "unavailable")
    assert shy not in answering(service)
    assert service.is_ready(), "two others are"
    silent = {shy}
    while len(silent) < 3:  # who answers is one that has not said it yet
        silent.add(say(service, {"reason": 7, "type": "nodeinit:not-ready"}))
        nodeinit.wait_for(lambda: sum(state == "unavailable" for state in service.states().values()) == len(silent))
    assert service.ask()["pid"], "where nobody is ready, whoever comes is answered all the same"
    assert service.pid1.ctl("health", "ready").code == 1
    back = say(service, {"type": "nodeinit:ready"})
    service.pid1.wait_line(r"worker \d+ says that it is ready$")
    nodeinit.wait_for(service.is_ready)
    assert answering(service) == {back}
    assert service.pid1.stop() == 0, service.pid1.told()


def test_a_successor_that_is_not_ready_yet_does_not_take_over(start, tmp_path):
    script = tmp_path / "warms.js"
    script.write_text("""
        const fs = require('fs');
        const warm = () => fs.existsSync(process.env.WARM);
        if (!warm()) {
          process.send({ type: 'nodeinit:not-ready', reason: 'warming' });
          const look = setInterval(() => {
            if (!warm()) return;
            clearInterval(look);
            process.send({ type: 'nodeinit:ready' });
          }, 20);
        }
        require('http').createServer((_, response) => {
          response.end(JSON.stringify({ pid: process.pid }));
        }).listen(Number(process.env.PORT));
    """)
    warm = tmp_path / "warm"
    warm.touch()
    service = start(workers=2, script=script, WARM=str(warm))
    before = set(service.states())
    warm.unlink()
    reload = service.pid1.ctl_started("reload")
    service.pid1.wait_line("says that it is not ready")
    nodeinit.wait_for(lambda: len(service.pids()) == 3)
    time.sleep(1)
    assert before <= set(service.states()) and reload.poll() is None, "nobody gives way before it is ready"
    warm.touch()
    assert reload.wait(20) == 0, service.pid1.told()
    assert answering(service) == set(service.states()) and not before & set(service.states())
    assert service.pid1.stop() == 0, service.pid1.told()


def test_readiness_over_http_follows_the_only_worker(start):
    port = nodeinit.free_port()
    service = start(workers=1, NODEINIT_HTTP=f"127.0.0.1:{port}")
    say(service, {"type": "nodeinit:not-ready", "reason": "password hunter2"})
    nodeinit.wait_for(lambda: http.get(port, "/readyz").status == 503)
    assert http.get(port, "/livez").status == 200
    assert 'slot="0",state="unavailable"} 1' in http.get(port, "/metrics").body.decode()
    assert "hunter2" not in http.get(port, "/events").body.decode(), "who may scrape sees no words of the program's"
    say(service, {"type": "nodeinit:ready"})
    nodeinit.wait_for(lambda: http.get(port, "/readyz").status == 200)
    assert service.pid1.stop() == 0, service.pid1.told()
