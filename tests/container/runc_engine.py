"""runc with the face of the other engines (engines.py): a bundle for each container, one root for all."""

import json
import os
import shutil
import subprocess
import time

from container import wishes
from container.engines import PATH, TIME, Engine
from support import nodeinit, runc

_INSIDE = {"PATH": "/usr/bin:/sbin", "HOME": "/tmp"}


class Runc(Engine):
    name = "runc"

    def __init__(self, folder):
        super().__init__(folder)
        self._count = 0

    @staticmethod
    def available() -> bool:
        return os.geteuid() == 0 and bool(shutil.which("runc", path=PATH))

    def version(self) -> str:
        return self.cli("--version").out.split()[2].split("+")[0]

    def base(self):
        return ["runc", "--root", str(self.folder / "state")]

    def load(self, tar, name, change=()):
        (self.folder / "rootfs").mkdir()
        subprocess.run(["tar", "-C", self.folder / "rootfs", "-xf", tar], check=True)

    def run(self, image, *command, flags=(), check=False, timeout=TIME) -> nodeinit.Finished:
        words = self._bundle(command, flags)
        try:
            return self.cli(*words, check=check, timeout=timeout)
        finally:
            self.cli("delete", "--force", words[-1], check=False)

    def start(self, image, *command, flags=()) -> "RuncContainer":
        container = RuncContainer(self, self._bundle(command, flags))
        self._containers.append(container)
        return container

    def interactive(self, image, *command, flags=()):
        return [*self.base(), *self._bundle(command, flags, terminal=True)]

    def _bundle(self, command, flags, terminal=False):
        wanted = wishes.read(flags)
        self._count += 1
        name = f"nodeinit-test-runc-{os.getpid()}-{self._count}"
        bundle = self.folder / name
        bundle.mkdir()
        mounts = [{"destination": inside, "type": "bind", "source": outside, "options": ["bind", "ro"]}
                  for outside, inside in wanted.binds]  # fmt: skip
        if terminal:
            mounts.append({"destination": "/dev/pts", "type": "devpts", "source": "devpts",
                           "options": ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620"]})  # fmt: skip
        words = ["/sbin/nodeinit", *map(str, command)]
        config = runc.specification(words, _INSIDE | wanted.env, mounts, name, wanted.cpus, wanted.memory,
                                    cgroup_namespace=wanted.cgroup_namespace)  # fmt: skip
        config["root"]["path"] = str(self.folder / "rootfs")
        config["process"]["terminal"] = terminal
        if wanted.pid != "private":
            namespaces = config["linux"]["namespaces"]
            namespaces.remove({"type": "pid"})
            if wanted.pid.startswith("container:"):
                other = next(c for c in self._containers if c.identity == wanted.pid.partition(":")[2])
                namespaces.append({"type": "pid", "path": f"/proc/{other.pid}/ns/pid"})
        (bundle / "config.json").write_text(json.dumps(config))
        return ["run", "--bundle", str(bundle), name]


# The engine's `runc run` stays in the foreground: nobody else would know the exit code.
class RuncContainer:
    def __init__(self, engine, words):
        self.engine, self.identity = engine, words[-1]
        self._log = engine.folder / f"{self.identity}.log"
        with open(self._log, "wb") as log:
            self._process = subprocess.Popen([*engine.base(), *words], env=engine.environment(), cwd=engine.folder,
                                             stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                             start_new_session=True)  # fmt: skip
        nodeinit.wait_for(lambda: self.running or self._process.poll() is not None, what="the container")

    def logs(self) -> str:
        return self._log.read_text()

    @property
    def running(self) -> bool:
        return self._told()["status"] == "running"

    @property
    def pid(self) -> int:
        return self._told()["pid"]

    def execute(self, *command, check=False) -> nodeinit.Finished:
        return self.engine.cli("exec", self.identity, *command, check=check)

    def wait(self, timeout=TIME) -> int:
        return self._process.wait(timeout)

    def stop(self, seconds=10):
        began = time.monotonic()
        self.kill("TERM")
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill("KILL")
        return self._process.wait(TIME), time.monotonic() - began

    def limit_cpus(self, cpus):
        self.engine.cli("update", "--cpu-period", 100_000, "--cpu-quota", round(cpus * 100_000), self.identity)

    def kill(self, name):
        self.engine.cli("kill", self.identity, name)

    def remove(self):
        self.engine.cli("delete", "--force", self.identity, check=False)
        self._process.wait(TIME)
        self.engine._containers.remove(self)

    def _told(self) -> dict:
        state = self.engine.cli("state", self.identity, check=False)
        return json.loads(state.out) if state.code == 0 else {"status": "gone", "pid": None}
