"""Real programs from npm, by their documented command, beside bare node (zoo.py says what is looked at)."""

import pytest
from integration.zoo import zoo
from integration.zoo.programs import PROGRAMS


@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    "program",
    [
        pytest.param(program, id=program.name, marks=[] if program.group == "short" else pytest.mark.long)
        for program in PROGRAMS
    ],
)
def test_it_does_in_each_worker_what_it_does_alone(program, tmp_path):
    for folder in [tmp_path, *tmp_path.parents][:-1]:
        folder.chmod(folder.stat().st_mode | 0o055)
    assert zoo.judge(program, tmp_path).failed() == []
