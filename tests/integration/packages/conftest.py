"""What is made of the shipped program: packages of npm, releases."""

import subprocess
from pathlib import Path

import pytest
from support import nodeinit


@pytest.fixture(scope="session")
def shipped():
    """The program, if it is one that may be shipped."""
    program = nodeinit.binary()
    headers = subprocess.run(["readelf", "-lW", program], capture_output=True, text=True, check=True).stdout
    if "INTERP" in headers:
        pytest.skip("only a static program is packed: cmake --preset release")
    return program


@pytest.fixture(scope="session")
def foreign(shipped, tmp_path_factory):
    """The same, as it looks where it was built for arm64 (elf.h: e_machine)."""
    program = bytearray(Path(shipped).read_bytes())
    program[18:20] = (183).to_bytes(2, "little")
    file = tmp_path_factory.mktemp("arm64") / "nodeinit"
    file.write_bytes(program)
    return file
