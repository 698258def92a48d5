"""A folder for one run of a program of the zoo: apps/, beside the packages of its group."""

import hashlib
import json
import shutil
import subprocess
from pathlib import Path

from support import apps, cache

HERE = Path(__file__).parent


def home(program, folder):
    folder = Path(folder)
    shutil.copytree(HERE / "apps", folder, dirs_exist_ok=True)
    (folder / "node_modules").symlink_to(packages(program.group) / "node_modules")
    for place in (folder, folder / "public"):
        place.chmod(0o755)
    return folder


def packages(group):
    folder = HERE / group
    return apps.packages(folder) if (folder / "package-lock.json").exists() else without_lock(folder)


# Half a megabyte of lock file for what is run by hand: the versions of the programs themselves are pinned.
def without_lock(folder):
    def install(target):
        shutil.copy(folder / "package.json", target)
        subprocess.run(
            ["npm", "install", "--no-package-lock", "--legacy-peer-deps", "--silent", "--no-audit", "--no-fund", "--ignore-scripts"],
            cwd=target, check=True, timeout=900, stdin=subprocess.DEVNULL,
        )  # fmt: skip

    digest = hashlib.sha256((folder / "package.json").read_bytes()).hexdigest()[:16]
    return cache.once(f"apps/{digest}", install)


def version(program):
    described = packages(program.group) / "node_modules" / (program.package or program.name) / "package.json"
    return json.loads(described.read_text())["version"]
