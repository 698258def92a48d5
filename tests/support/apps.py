"""Real applications from npm, unmodified: the programs in apps/*.js with the packages they need.

    make(folder, "express") -> App     copies apps/express.js to folder/server.js, beside a node_modules
    App.script                         absolute path of server.js
    App.folder
    packages() -> Path                 the folder that holds node_modules (installed once per lock file)
    packages(folder)                   the same for another folder with a package.json and package-lock.json
    NAMES                              every application

Each application listens on $PORT (and $HOST if set) and answers
    /            {"app", "pid", "worker", "slot"} as JSON
    /slow?ms=N   "done", after N milliseconds
    /exit?code=N the worker leaves by process.exit(N), before it answers
"""

import hashlib
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from . import cache

_HERE = Path(__file__).resolve().parent / "apps"
NAMES = sorted(p.stem for p in _HERE.glob("*.js"))


@dataclass
class App:
    folder: Path

    @property
    def script(self) -> str:
        return str(self.folder / "server.js")


def packages(folder=_HERE) -> Path:
    lock = (folder / "package-lock.json").read_bytes()
    name = "apps/" + hashlib.sha256(lock).hexdigest()[:16]
    return cache.once(name, lambda target: _install(folder, target))


def make(folder, name: str) -> App:
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copy(_HERE / f"{name}.js", folder / "server.js")
    link = folder / "node_modules"
    if not link.is_symlink():
        link.symlink_to(packages() / "node_modules")
    return App(folder)


def _install(folder, target):
    for file in ("package.json", "package-lock.json"):
        shutil.copy(folder / file, target / file)
    subprocess.run(
        ["npm", "ci", "--silent", "--no-audit", "--no-fund", "--ignore-scripts"],
        cwd=target, check=True, timeout=600, stdin=subprocess.DEVNULL,
    )  # fmt: skip
