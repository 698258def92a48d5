"""containerd, asked through the Container Runtime Interface (cri.py), with the face of the other engines: a pod of one
container for each. A terminal is had by containerd's own `ctr`: a kubelet has none to give at a container's start."""

import subprocess

from container import wishes
from container.cri import Containerd
from container.engines import TIME, Engine
from support import nodeinit

_INSIDE = {"PATH": "/usr/bin:/sbin"}


class Cri(Engine):
    name = "containerd"

    def __init__(self, folder):
        super().__init__(folder)
        self.containerd = Containerd(self.folder)
        self._count = 0

    @staticmethod
    def available() -> bool:
        return Containerd.available()

    def version(self) -> str:
        return self.containerd.call("Version").runtime_version.lstrip("v").split("~")[0]

    def up(self):
        self.containerd.__enter__()

    def down(self):
        self.containerd.__exit__()

    def base(self):
        return ["ctr", "-a", self.containerd.socket, "-n", "k8s.io"]

    def load(self, tar, name, change=()):
        self.containerd.load(tar, name, _INSIDE)

    def start(self, image, *command, flags=()) -> "CriContainer":
        wanted = wishes.read(flags)
        # On cgroup v1 containerd gives every container the host's cgroup namespace.
        assert not wanted.cgroup_namespace, "cannot be chosen through CRI"
        namespace = {"private": "container", "host": "node"}.get(wanted.pid, "pod")
        pod = self.containerd.pod(wanted.cpus, wanted.memory, namespace)
        try:
            started = pod.start(image, args=[str(word) for word in command], env=wanted.env, binds=wanted.binds)
        except Exception:
            pod.remove()
            raise
        container = CriContainer(self, pod, started)
        self._containers.append(container)
        return container

    def run(self, image, *command, flags=(), check=False, timeout=TIME) -> nodeinit.Finished:
        container = self.start(image, *command, flags=flags)
        try:
            code = container.wait(timeout)
            assert not check or code == 0, container.logs()
            return nodeinit.Finished(code, container.stream("stdout"), container.stream("stderr"))
        finally:
            container.remove()

    def interactive(self, image, *command, flags=()):
        wanted = wishes.read(flags)
        self._count += 1
        words = [*self.base(), "run", "--rm", "-t", "--read-only", "--net-host", "--seccomp", "--cwd", "/app"]
        for name, value in wanted.env.items():
            words += ["--env", f"{name}={value}"]
        for outside, inside in wanted.binds:
            words += ["--mount", f"type=bind,src={outside},dst={inside},options=rbind:ro"]
        return [str(word) for word in [*words, image, f"terminal-{self._count}", "/sbin/nodeinit", *command]]


class CriContainer:
    def __init__(self, engine, pod, started):
        self.engine, self._pod, self._started = engine, pod, started
        self.identity = "of a pod"  # another in its PID namespace asks for that of the pod

    def logs(self) -> str:
        return self._started.logs()

    # The log file's lines are: time, stream, F (a whole line) or P (a part of one), text.
    def stream(self, name) -> str:
        text = ""
        for line in self.logs().splitlines():
            _, stream, tag, said = (line.split(" ", 3) + [""])[:4]
            if stream == name:
                text += said + ("\n" if tag == "F" else "")
        return text

    @property
    def running(self) -> bool:
        return self._started.running()

    @property
    def pid(self) -> int:
        return self._started.pid

    def execute(self, *command, check=False) -> nodeinit.Finished:
        done = self._started.execute(*map(str, command))
        assert not check or done.code == 0, done
        return done

    def wait(self, timeout=TIME) -> int:
        return self._started.wait(timeout)

    def stop(self, seconds=10):
        return self._started.stop(seconds)

    def limit_cpus(self, cpus):
        self._started.resize(cpus)

    def kill(self, name):
        subprocess.run(["kill", f"-{name}", str(self.pid)], check=True)

    def remove(self):
        self._pod.remove()
        self.engine._containers.remove(self)
