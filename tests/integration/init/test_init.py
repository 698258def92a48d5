"""nodeinit as an init: every case by its name. table.py judges other inits by the same cases."""

import pytest
from integration.init import harness
from integration.init.all_cases import CASES


@pytest.mark.parametrize("name", CASES)
def test_as_init(name):
    if not harness.can_unshare():
        pytest.skip("needs the right to make PID and mount namespaces (root)")
    try:
        CASES[name].judge(harness.INITS["nodeinit"])
    except harness.Skip as why:
        pytest.skip(str(why))
