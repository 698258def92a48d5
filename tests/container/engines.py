"""Container engines started by the tests themselves, each with all its state in a folder of its own.

    Podman(folder), Docker(folder)      context managers; .available() tells whether it is installed
    engine.load(tar, name)              an image from the tar archive of a root file system
    engine.build(context, dockerfile, tag, arguments, flags)
    engine.cli("ps", "-a") -> Finished
    engine.run(image, command, flags) -> Finished                   `run --rm`, until it ends
    engine.start(image, command, flags) -> Container                `run -d`
    engine.interactive(image, command, flags) -> words              `run -it`, to be started on a terminal
    Container.logs(), .running, .execute(...), .wait(), .stop(seconds), .limit_cpus(N), .kill(SIG), .remove(), .pid
    engine.version()

runc_engine.py and cri_engine.py have the same face. None needs systemd, a bridge or the right to raise resource
limits: containers use the host's network.
"""

import json
import os
import re
import shutil
import signal
import subprocess
import time
from pathlib import Path

from support import nodeinit

TIME = 120  # seconds for one command of an engine, builds excepted
PATH = nodeinit.PATH
_NETNS = "/run/netns"


class Engine:
    name = ""
    program = ""

    def __init__(self, folder):
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self._containers = []

    def __enter__(self):
        self.up()
        return self

    def __exit__(self, *_):
        for container in list(self._containers):
            container.remove()
        self.down()
        unmount_below(self.folder)
        shutil.rmtree(self.folder, ignore_errors=True)  # hundreds of megabytes

    def up(self): ...

    def down(self): ...

    def base(self) -> list:
        raise NotImplementedError

    def environment(self) -> dict:
        return {"PATH": PATH, "HOME": str(self.folder), "TMPDIR": str(self.folder)}

    def version(self) -> str:
        return re.search(r"\d+(\.\d+)+", self.cli("--version").out)[0]

    def cli(self, *words, check=True, timeout=TIME, stdin=subprocess.DEVNULL) -> nodeinit.Finished:
        # conmon writes a file "oom" into its working directory when the kernel has killed in the container.
        done = subprocess.run([*self.base(), *map(str, words)], env=self.environment(), cwd=self.folder, stdin=stdin,
                              capture_output=True, text=True, errors="replace", timeout=timeout)  # fmt: skip
        assert not check or done.returncode == 0, f"{self.name} {words}: {done.stdout}{done.stderr}"
        return nodeinit.Finished(done.returncode, done.stdout, done.stderr)

    def load(self, tar, name, change=()):
        self.cli("import", *[w for c in change for w in ("--change", c)], tar, name)

    def build(self, context, dockerfile, tag, arguments=None, flags=()):
        words = [*flags, *[w for k, v in (arguments or {}).items() for w in ("--build-arg", f"{k}={v}")]]
        self.cli("build", "--network", "host", *self.build_flags, "-t", tag, "-f", dockerfile, *words, context,
                 timeout=1200)  # fmt: skip

    build_flags = ()

    def run(self, image, *command, flags=(), check=False, timeout=TIME) -> nodeinit.Finished:
        return self.cli("run", "--rm", *self.run_flags, *flags, image, *command, check=check, timeout=timeout)

    run_flags = ("--network", "host")

    def start(self, image, *command, flags=()) -> "Container":
        done = self.cli("run", "-d", *self.run_flags, *flags, image, *command)
        container = Container(self, done.out.split()[-1])
        self._containers.append(container)
        return container


    def interactive(self, image, *command, flags=()):
        words = [*self.base(), "run", "--rm", "-it", *self.run_flags, *flags, image, *command]
        return [str(word) for word in words]


class Container:
    def __init__(self, engine, identity):
        self.engine, self.identity = engine, identity

    def logs(self) -> str:
        done = self.engine.cli("logs", self.identity, check=False)
        return done.out + done.err

    def inspect(self) -> dict:
        return json.loads(self.engine.cli("inspect", self.identity).out)[0]

    @property
    def state(self) -> dict:
        return self.inspect()["State"]

    @property
    def pid(self) -> int:
        return self.state["Pid"]

    @property
    def running(self) -> bool:
        return self.state["Status"] == "running"

    def execute(self, *command, check=False) -> nodeinit.Finished:
        return self.engine.cli("exec", self.identity, *command, check=check)

    def wait(self, timeout=TIME) -> int:
        return int(self.engine.cli("wait", self.identity, timeout=timeout).out.split()[-1])

    # `stop` as a person types it; the exit code, and how long it took.
    def stop(self, seconds=10):
        began = time.monotonic()
        self.engine.cli("stop", "-t", seconds, self.identity)
        return self.state["ExitCode"], time.monotonic() - began

    def limit_cpus(self, cpus):
        self.engine.cli("update", "--cpus", cpus, self.identity)

    def kill(self, name):
        self.engine.cli("kill", "--signal", name, self.identity)

    def remove(self):
        self.engine.cli("rm", "-f", *self.engine.remove_flags, self.identity, check=False)
        if self in self.engine._containers:
            self.engine._containers.remove(self)


class Podman(Engine):
    name = "podman"
    remove_flags = ("-t", "0")
    build_flags = ("--format", "docker", "--isolation", "chroot")

    @staticmethod
    def available() -> bool:
        return os.geteuid() == 0 and bool(shutil.which("podman", path=PATH) and shutil.which("runc", path=PATH))

    def up(self):
        # default_ulimits: the machine's limits may not be raised without CAP_SYS_RESOURCE.
        (self.folder / "containers.conf").write_text(
            "[containers]\ndefault_ulimits = []\n[engine]\ncgroup_manager = \"cgroupfs\"\n"
            'events_logger = "file"\nruntime = "runc"\n'
        )

        self._had_netns = _NETNS in mount_points()

    def base(self):
        at = self.folder
        return ["podman", "--root", f"{at}/root", "--runroot", f"{at}/run", "--tmpdir", f"{at}/libpod",
                "--cgroup-manager=cgroupfs", "--runtime", "runc", "--log-level", "fatal"]  # fmt: skip

    def environment(self):
        return super().environment() | {"CONTAINERS_CONF": str(self.folder / "containers.conf")}

    def down(self):
        self.cli("rm", "-af", "-t", "0", check=False)
        self.cli("rmi", "-af", check=False)
        remove_groups("libpod_parent")
        # A network namespace of its own (slirp4netns) makes podman mount the folder of the names.
        if not self._had_netns and _NETNS in mount_points() and not os.listdir(_NETNS):
            subprocess.run(["umount", _NETNS], capture_output=True, check=False)


class Docker(Engine):
    name = "docker"
    remove_flags = ()

    @staticmethod
    def available() -> bool:
        return os.geteuid() == 0 and bool(shutil.which("dockerd", path=PATH) and shutil.which("docker", path=PATH))

    def version(self) -> str:  # the daemon's: the client may be of another
        return self.cli("version", "--format", "{{.Server.Version}}").out.split("+")[0].strip()

    def base(self):
        return ["docker"]

    def environment(self):
        # A socket's path has at most 107 bytes: not in a test's long folder.
        return super().environment() | {"DOCKER_HOST": f"unix://{self._socket}", "DOCKER_BUILDKIT": "0"}

    def up(self):
        self._socket = f"/tmp/nodeinit-docker-{os.getpid()}.sock"
        log = open(self.folder / "dockerd.log", "wb")
        self._daemon = subprocess.Popen(
            ["dockerd", "--data-root", self.folder / "data", "--exec-root", self.folder / "exec",
             "--pidfile", self.folder / "docker.pid", "-H", f"unix://{self._socket}", "--bridge=none",
             "--iptables=false", "--ip6tables=false", "--ip-forward=false", "--ip-masq=false",
             "--exec-opt", "native.cgroupdriver=cgroupfs"],
            env={"PATH": PATH, "HOME": str(self.folder)}, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            start_new_session=True,
        )  # fmt: skip
        log.close()
        try:
            nodeinit.wait_for(lambda: self.cli("version", check=False).code == 0, what="dockerd")
        except TimeoutError:
            self.down()
            raise AssertionError((self.folder / "dockerd.log").read_text()[-3000:]) from None

    def down(self):
        for identity in self.cli("ps", "-aq", check=False).out.split():
            self.cli("rm", "-f", identity, check=False)
        self._daemon.send_signal(signal.SIGTERM)  # ends its containerd with it
        try:
            self._daemon.wait(30)
        except subprocess.TimeoutExpired:
            self._daemon.kill()
            self._daemon.wait()
        Path(self._socket).unlink(missing_ok=True)
        remove_groups("docker")


def mount_points() -> list:
    with open("/proc/self/mountinfo") as mounts:
        return [line.split()[4] for line in mounts]


def unmount_below(folder):
    for point in reversed(mount_points()):
        if point.startswith(f"{folder}/"):
            subprocess.run(["umount", "--lazy", point], capture_output=True, check=False)


# The groups that an engine leaves behind; those which are not empty are somebody else's.
def remove_groups(name):
    for top in Path("/sys/fs/cgroup").glob(f"*/{name}"):
        for folder in [*sorted(top.rglob("*/"), reverse=True), top]:
            try:
                folder.rmdir()
            except OSError:
                pass
