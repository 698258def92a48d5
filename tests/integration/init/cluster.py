"""nodeinit as an init in cluster mode: a service of two workers.

    ALONE                          the cluster as it starts: its first worker alone, until it is known to be a server
    start(words, *options) -> Run  a service whose workers are ready once they run: both are there, with a line each
    workers(run) -> {slot: pid}    its live workers by slot
    service(run, number=2)         waits until so many are there; the same
    successor(run, slot, pid)      waits until another worker than pid is in that slot; its pid
"""

import os
from pathlib import Path

from support import nodeinit

from .harness import Init, status, until, workers_of

_OPTIONS = ["--mode", "cluster", "--workers", "2", "--log", "inherit", "--log-level", "warn"]
ALONE = Init("nodeinit-cluster", [nodeinit.binary(), *_OPTIONS, "--"])


def start(words, *options, **how):
    init = Init("nodeinit-cluster", [nodeinit.binary(), *_OPTIONS, "--ready", "online", *options, "--"])
    return init.start(words, **how)


def environment(pid):
    entries = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    return dict(entry.decode(errors="replace").split("=", 1) for entry in entries if b"=" in entry)


def workers(run):
    found = {}
    for pid in workers_of(run.pid):
        try:
            # Orphans have the variable, too, but lead no group, or a session of their own.
            leads_here = os.getpgid(pid) == pid and os.getsid(pid) == os.getsid(run.pid)
            slot = environment(pid).get("NODEINIT_SLOT") if leads_here else None
        except OSError:
            continue  # it has just ended
        # Between clone and exec it is still a nodeinit.
        if slot is not None and (status(pid, "State") or "Z")[0] not in "ZX" and status(pid, "Name") != "nodeinit":
            found[int(slot)] = pid
    return found


def service(run, number=2):
    until(lambda: len(workers(run)) == number, f"{number} workers", 10)
    return workers(run)


def successor(run, slot, pid):
    until(lambda: workers(run).get(slot, pid) != pid, f"a successor in slot {slot}", 10)
    return workers(run)[slot]
