"""How long the tests of supervision are: NODEINIT_TEST_LONG=1 is the long form."""

import os

import pytest

LONG = bool(os.environ.get("NODEINIT_TEST_LONG"))


@pytest.fixture
def reloads():
    return 10 if LONG else 3
