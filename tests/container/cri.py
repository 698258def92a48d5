"""A kubelet's conversation with containerd, over the real Container Runtime Interface.

    Containerd(folder)                       context manager; .available()
    containerd.load(root_tar, name, env)     an image of one layer
    containerd.pod(cpus, memory, pid) -> Pod     sandbox in a pod cgroup of its own, as a kubelet makes it;
                                                 pid: container, pod (shareProcessNamespace) or node (hostPID)
    Pod.start(image, command, args, env, binds) -> Started
    Started.execute(*command) -> Finished        an exec probe (ExecSync)
    Started.resize(cpus, memory)                 an in-place resize (UpdateContainerResources)
    Started.stop(grace) -> (code, seconds)       StopContainer
    Started.logs(), .running(), .status, .pid, .wait()
"""

import hashlib
import importlib
import io
import json
import os
import shutil
import signal
import subprocess
import sys
import tarfile
import time
from pathlib import Path

from container.engines import PATH, remove_groups, unmount_below
from support import nodeinit

_PAUSE = "localhost/pause:1"
_CGROUPS = Path("/sys/fs/cgroup")


class Containerd:
    def __init__(self, folder):
        self.folder = Path(folder)
        self.socket = f"/tmp/nodeinit-cri-{os.getpid()}.sock"
        self._pods = []

    @staticmethod
    def available() -> bool:
        try:
            importlib.import_module("grpc")
            importlib.import_module("google.protobuf")
        except ImportError:
            return False
        programs = ("containerd", "ctr", "runc", "protoc")
        return os.geteuid() == 0 and all(shutil.which(p, path=PATH) for p in programs)

    def __enter__(self):
        at = self.folder
        (at / "config.toml").write_text(f"""version = 2
root = "{at}/root"
state = "{at}/state"
[grpc]
  address = "{self.socket}"
[plugins."io.containerd.internal.v1.opt"]
  path = "{at}/opt"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{_PAUSE}"
  disable_hugetlb_controller = true
  restrict_oom_score_adj = true
""")
        with open(at / "log", "wb") as log:
            self._daemon = subprocess.Popen(["containerd", "-c", at / "config.toml"], env={"PATH": PATH},
                                            stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                            start_new_session=True)  # fmt: skip
        here = Path(__file__).parent
        subprocess.run(["protoc", f"--proto_path={here}", f"--python_out={at}", "cri.proto"], check=True)
        sys.path.insert(0, str(at))
        self.messages = importlib.import_module("cri_pb2")
        sys.path.remove(str(at))
        import grpc

        self._channel = grpc.insecure_channel(f"unix://{self.socket}")
        try:
            nodeinit.wait_for(self._answers, what="containerd")
        except TimeoutError:
            self.__exit__()
            raise AssertionError((at / "log").read_text()[-3000:]) from None
        self._load_pause()
        return self

    def __exit__(self, *_):
        for pod in list(self._pods):
            pod.remove()
        self._channel.close()
        self._daemon.send_signal(signal.SIGTERM)
        try:
            self._daemon.wait(20)
        except subprocess.TimeoutExpired:
            self._daemon.kill()
            self._daemon.wait()
        Path(self.socket).unlink(missing_ok=True)
        Path(self.socket + ".ttrpc").unlink(missing_ok=True)
        unmount_below(self.folder)
        shutil.rmtree(self.folder, ignore_errors=True)
        remove_groups("kubepods-nodeinit")
        remove_groups("k8s.io")  # of what ctr has run

    # `deadline` is ours, in seconds; a field `timeout` belongs to the request.
    def call(self, method, deadline=60, **fields):
        requests = {"StopPodSandbox": "PodSandboxRequest", "RemovePodSandbox": "PodSandboxRequest",
                    "StartContainer": "ContainerRequest", "RemoveContainer": "ContainerRequest"}  # fmt: skip
        answer = getattr(self.messages, f"{method}Response", self.messages.Empty)
        request = getattr(self.messages, requests.get(method, f"{method}Request"))
        ask = self._channel.unary_unary(f"/runtime.v1.RuntimeService/{method}", request.SerializeToString,
                                        answer.FromString)  # fmt: skip
        return ask(request(**fields), timeout=deadline)

    def load(self, root_tar, name, env=(), entrypoint=("/sbin/nodeinit",)):
        archive = self.folder / "image.tar"
        _write_image(archive, Path(root_tar).read_bytes(), name, env, entrypoint)
        subprocess.run(["ctr", "-a", self.socket, "-n", "k8s.io", "image", "import", archive], check=True,
                       capture_output=True, timeout=120)  # fmt: skip
        archive.unlink()

    def pod(self, cpus=None, memory=None, pid="container") -> "Pod":
        pod = Pod(self, f"pod{os.getpid()}-{time.monotonic_ns()}", cpus, memory, pid)
        self._pods.append(pod)
        return pod

    def _answers(self):
        import grpc

        try:
            return self.call("Version").runtime_name == "containerd"
        except grpc.RpcError:
            assert self._daemon.poll() is None, (self.folder / "log").read_text()[-3000:]
            return False

    def _load_pause(self):
        source, program = self.folder / "pause.c", self.folder / "pause"
        source.write_text("#include <unistd.h>\nint main(void) { for (;;) pause(); }\n")
        subprocess.run(["cc", "-static", "-o", program, source], check=True)
        layer = io.BytesIO()
        with tarfile.open(fileobj=layer, mode="w") as tar:
            tar.add(program, "pause")
        (self.folder / "pause.tar").write_bytes(layer.getvalue())
        self.load(self.folder / "pause.tar", _PAUSE, entrypoint=["/pause"])


class Pod:
    def __init__(self, containerd, uid, cpus, memory, pid):
        self._cri, self._limits = containerd, (cpus, memory)
        self._namespaces = {"network": 2, "pid": {"pod": 0, "container": 1, "node": 2}[pid], "ipc": 0}
        self._parent = f"/kubepods-nodeinit/burstable/{uid}"
        # The kubelet makes the pod's group itself, with the sum of the limits of its containers.
        for controller in ("cpu", "memory"):
            (_CGROUPS / controller / self._parent[1:]).mkdir(parents=True)
        self.limit(cpus, memory)
        self._logs = containerd.folder / f"logs-{uid}"
        self._logs.mkdir()
        self._config = {
            "metadata": {"name": "example", "uid": uid, "namespace": "default"},
            "log_directory": str(self._logs),
            "linux": {"cgroup_parent": self._parent, "security_context": {
                "namespace_options": self._namespaces, "run_as_user": {"value": 65535}}},
        }  # fmt: skip
        self._sandbox = containerd.call("RunPodSandbox", config=self._config).pod_sandbox_id

    def limit(self, cpus, memory):
        for file, value in (("cpu/cpu.cfs_quota_us", cpus and _quota(cpus)), ("memory/memory.limit_in_bytes", memory)):
            controller, name = file.split("/")
            if value:
                (_CGROUPS / controller / self._parent[1:] / name).write_text(str(value))

    def start(self, image, command=(), args=(), env=None, binds=()) -> "Started":
        cpus, memory = self._limits
        tmp = self._logs / "emptydir"
        tmp.mkdir(exist_ok=True)
        tmp.chmod(0o1777)
        config = {
            "metadata": {"name": "web"}, "image": {"image": image}, "command": command, "args": args,
            "log_path": "web.log",
            "envs": [{"key": k, "value": str(v)} for k, v in (env or {}).items()],
            "mounts": [{"container_path": "/tmp", "host_path": str(tmp)}] + [
                {"container_path": inside, "host_path": outside, "readonly": True} for outside, inside in binds],
            "linux": {
                "resources": {"cpu_period": 100_000, "cpu_quota": _quota(cpus), "cpu_shares": 512,
                              "memory_limit_in_bytes": memory or 0, "oom_score_adj": 950},
                "security_context": {
                    "namespace_options": self._namespaces, "run_as_user": {"value": 10001},
                    "run_as_group": {"value": 10001}, "readonly_rootfs": True, "no_new_privs": True,
                    "capabilities": {"drop_capabilities": ["ALL"]}, "seccomp": {"profile_type": 0}}},
        }  # fmt: skip
        made = self._cri.call("CreateContainer", pod_sandbox_id=self._sandbox, config=config,
                              sandbox_config=self._config)  # fmt: skip
        self._cri.call("StartContainer", container_id=made.container_id)
        return Started(self, made.container_id, self._logs / "web.log")

    def remove(self):
        self._cri.call("StopPodSandbox", pod_sandbox_id=self._sandbox)
        self._cri.call("RemovePodSandbox", pod_sandbox_id=self._sandbox)
        self._cri._pods.remove(self)


class Started:
    def __init__(self, pod, identity, log):
        self._pod, self._cri, self._id, self._log = pod, pod._cri, identity, log

    def logs(self) -> str:
        return self._log.read_text() if self._log.exists() else ""

    @property
    def status(self):
        return self._cri.call("ContainerStatus", container_id=self._id).status

    def running(self) -> bool:
        return self.status.state == 1  # CONTAINER_RUNNING

    def execute(self, *command, timeout=10) -> nodeinit.Finished:
        done = self._cri.call("ExecSync", container_id=self._id, cmd=command, timeout=timeout)
        return nodeinit.Finished(done.exit_code, done.stdout.decode(), done.stderr.decode())

    @property
    def pid(self) -> int:
        told = self._cri.call("ContainerStatus", container_id=self._id, verbose=True).info["info"]
        return json.loads(told)["pid"]

    # As a kubelet does: the pod's group first where limits grow, last where they shrink.
    def resize(self, cpus=None, memory=None):
        before = self._pod._limits
        after = (cpus or before[0], memory or before[1])
        self._pod.limit(*map(_larger, before, after))
        self._cri.call("UpdateContainerResources", container_id=self._id, linux={
            "cpu_period": 100_000 if cpus else 0, "cpu_quota": _quota(cpus) if cpus else 0,
            "memory_limit_in_bytes": memory or 0})  # fmt: skip
        self._pod.limit(*after)
        self._pod._limits = after

    def stop(self, grace):
        began = time.monotonic()
        self._cri.call("StopContainer", container_id=self._id, timeout=grace, deadline=grace + 60)
        return self.status.exit_code, time.monotonic() - began

    def wait(self, deadline=30) -> int:
        nodeinit.wait_for(lambda: self.status.state == 2, deadline, "the end of the container")
        return self.status.exit_code


def _larger(one, other):
    return max(one, other) if one and other else None


def _quota(cpus) -> int:
    return round(cpus * 100_000) if cpus else -1


# A docker-archive of one layer: manifest.json, the configuration, the layer.
def _write_image(archive, layer, name, env, entrypoint):
    config = json.dumps({
        "architecture": "amd64", "os": "linux",
        "config": {"Env": [f"{k}={v}" for k, v in dict(env).items()], "Entrypoint": list(entrypoint),
                   "WorkingDir": "/app", "User": "10001:10001"},
        "rootfs": {"type": "layers", "diff_ids": ["sha256:" + hashlib.sha256(layer).hexdigest()]},
    }).encode()  # fmt: skip
    manifest = json.dumps([{"Config": "config.json", "RepoTags": [name], "Layers": ["layer.tar"]}]).encode()
    with tarfile.open(archive, "w") as tar:
        for file, content in (("config.json", config), ("layer.tar", layer), ("manifest.json", manifest)):
            entry = tarfile.TarInfo(file)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
