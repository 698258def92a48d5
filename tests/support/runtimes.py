"""Other runtimes for JavaScript, from their npm packages, kept in the test cache.

    path("bun"), path("deno") -> str     the binary
"""

import platform
import shutil
import subprocess
import tarfile

from . import cache

# The package with the binary, its release, and where the binary lies in it. Bun: the build that needs no AVX2.
_X64 = {"bun": ("@oven/bun-linux-x64-baseline", "1.4.4", "bin/bun"), "deno": ("@deno/linux-x64-glibc", "2.9.6", "deno")}
_ARM64 = {"bun": ("@oven/bun-linux-aarch64", "1.4.4", "bin/bun"), "deno": ("@deno/linux-arm64-glibc", "2.9.5", "deno")}


def path(name) -> str:
    package, version, _ = _of(name)
    return str(cache.once(f"{name}/{version}", lambda target: _download(name, target)) / name)


def _of(name):
    return {"x86_64": _X64, "aarch64": _ARM64}[platform.machine()][name]


def _download(name, target):
    package, version, inside = _of(name)
    subprocess.run(
        ["npm", "pack", "--silent", f"{package}@{version}"],
        cwd=target, check=True, timeout=600, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
    )  # fmt: skip
    (archive,) = target.glob("*.tgz")
    with tarfile.open(archive) as packed, open(target / name, "wb") as out:
        shutil.copyfileobj(packed.extractfile(f"package/{inside}"), out)
    (target / name).chmod(0o755)
    archive.unlink()
