"""Every kind of program on every Node (matrix.py): a few cells here, all with --long; docker/docs/compatibility.md has the table."""

import pytest
from integration.primary import engines, matrix
from support import node, nodeinit

MAJOR = 24  # on which every program runs
# Next is installed and built for a minute.
CELLS = [
    pytest.param(
        program, major, id=f"{program.name}-{major}",
        marks=[] if program.name == "http" or (major == MAJOR and program.package != "next") else pytest.mark.long,
    )
    for program in matrix.PROGRAMS
    for major in matrix.MAJORS
]  # fmt: skip
PAGE = nodeinit.TOP / "docker/docs/compatibility.md"


@pytest.mark.timeout(900)
@pytest.mark.parametrize("program, major", CELLS)
def test_two_workers_answer_and_a_stop_loses_no_request(program, major, tmp_path):
    told = matrix.read_table(PAGE)[program.name, major]
    try:
        matrix.run_cell(program, major, tmp_path)
    except matrix.Excluded as why:
        assert told == str(why), "the page says otherwise: matrix.py --write docker/docs/compatibility.md"
    else:
        assert told == "", "the page says otherwise: matrix.py --write docker/docs/compatibility.md"


def test_the_readme_has_every_cell():
    wanted = {(program.name, major) for program in matrix.PROGRAMS for major in matrix.MAJORS}
    assert set(matrix.read_table(PAGE)) == wanted, "run matrix.py --write docker/docs/compatibility.md"


def test_ranges_of_engines_are_read_as_npm_does():
    for text in ("*", ">=14", ">= 0.8", "^14.2.0 || >=16", "14.x", "14 || 16", ">=10 <15", "~14.21.0", "v14"):
        assert engines.allows(text, node.RELEASES[14]), text
    for text in (">=18", ">=14.22", "^12 || ^16 || >=18", "16.x", ">=10 <14", "~14.20.0", "<14"):
        assert not engines.allows(text, node.RELEASES[14]), text
