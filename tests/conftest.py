"""Options of the integration tests: --long adds the slow ones (marked `long`).

A run that is ended by SIGTERM (timeout(1), a CI that gives up) cleans up as after Ctrl-C: processes, cgroups and mounts
of the test that ran are gone.
"""

import signal

import pytest
from support import cgroup


def pytest_configure():
    signal.signal(signal.SIGTERM, signal.default_int_handler)


def pytest_sessionstart():
    cgroup.sweep()


def pytest_sessionfinish():
    cgroup.sweep()


def pytest_addoption(parser):
    parser.addoption("--long", action="store_true", help="run the tests marked long, too")


def pytest_collection_modifyitems(config, items):
    if config.getoption("--long"):
        return
    skip = pytest.mark.skip(reason="slow: run with --long")
    for item in items:
        if "long" in item.keywords:
            item.add_marker(skip)
