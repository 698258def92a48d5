"""The cases of an init, asked of a cluster while its first worker is alone: until a program is known to be a server it
is treated as in single mode, so all hold but those below, each of which has its own test."""

import pytest

from . import cluster, harness
from .all_cases import CASES

OTHERWISE = {
    "sig.std": "HUP reloads, TERM INT QUIT stop: test_cluster_signals.py",
    "sig.rt": "RTMIN+3 stops: test_cluster_signals.py",
    "sig.jobctl": "TTIN and TTOU add and remove a worker: test_cluster_signals.py",
    "child.fds": "a worker has its channel, too: test_cluster_workers.py",
    "child.env": "a worker has the variables of Node's cluster, too: test_cluster_workers.py",
    "child.quiet": "a supervisor tells why a worker died",
    "init.releases-fds": "a successor gets inherited descriptors, too, so they are held: test_cluster_workers.py",
    "fd.closed-not-leaked": "a worker has its channel, too: test_cluster_workers.py",
    "limit.nproc": "what is lacking may come back, so it is told and tried again: supervision/test_start_failures.py",
    "limit.pids-cgroup": "as limit.nproc",
    "limit.nofile-8": "too few for a cluster, which says so: test_cluster_surroundings.py",
    "idle.wakeups": "promised in single mode; bounded: test_cluster_surroundings.py",
}


def test_what_is_otherwise_is_a_case():
    assert set(OTHERWISE) <= set(CASES)


@pytest.mark.parametrize("name", [name for name in CASES if name not in OTHERWISE])
def test_as_init_while_alone(name):
    if not harness.can_unshare():
        pytest.skip("needs the right to make PID and mount namespaces (root)")
    try:
        CASES[name].judge(cluster.ALONE)
    except harness.Skip as why:
        pytest.skip(str(why))
