"""Real programs from npm, by their documented command, beside bare node (zoo.py says what is looked at)."""

import pytest
from integration.zoo import homes, zoo
from integration.zoo.programs import PROGRAMS
from support import nodeinit

PAGE = nodeinit.TOP / "docker/docs/programs.md"


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


def test_the_table_has_these_programs():
    """Written by zoo.py --write, after all were judged."""
    rows = [[cell.strip() for cell in line.split("|")[1:4]] for line in zoo.between(PAGE.read_text())[1].splitlines() if line]
    told = [[program.name, f"`{zoo.shown(program)}`"] for program in PROGRAMS]
    assert [[name, command] for name, _, command in rows[2:]] == told
    for (_, package, _), program in zip(rows[2:], PROGRAMS, strict=True):
        if program.group == "short":
            assert package.split()[1] == homes.version(program)
