"""NODEINIT_WORKERS=1..3: as many workers as the load wants."""

import re

from support import nodeinit


def heaps(service):
    found = set()
    for pid in service.pids():
        with open(f"/proc/{pid}/cmdline") as file:
            found.add(re.search(r"--max-old-space-size=\d+", file.read()).group(0))
    return found


def test_a_busy_loop_brings_one_more_worker_and_a_person_decides_otherwise(start):
    service = start(workers=1, NODEINIT_WORKERS="1..3", NODEINIT_MEMORY="900M")
    service.pid1.wait_line(r"→ 1 to 3 workers, heap \d+ MiB each")
    before = heaps(service)
    service.ask("/slow-loop?ms=200")
    service.pid1.wait_line(r"scaled \(load\): 1 → 2 workers: event loops (8|9)\d% busy for 3s|busy for 3s", deadline=60)
    service.pid1.wait_line(r"slot 1: worker \d+ is ready")
    assert heaps(service) == before, "heaps are planned for the most"
    # Half of the loops' time is free now: no third one, whoever waits for it.
    nodeinit.wait_for(lambda: len(service.pids()) == 2)
    assert service.pid1.ctl("scale", "1").code == 0
    service.pid1.wait_line(r"scaled \(nodeinit ctl\): 2 → 1 workers")
    nodeinit.wait_for(lambda: len(service.pids()) == 1, 30)
    assert service.pid1.err.count("scaled (load)") == 1, service.pid1.told()
    assert service.pid1.stop() == 0, service.pid1.told()


def test_without_a_module_nothing_tells_and_the_most_run(start):
    service = start(workers=2, NODEINIT_WORKERS="1..2", NODEINIT_MODULE="off", ready=False)
    service.pid1.wait_line(r"scaled \(load\): 1 → 2 workers: nothing tells how busy its event loops are")
    service.wait_ready()
    assert service.pid1.stop() == 0, service.pid1.told()
