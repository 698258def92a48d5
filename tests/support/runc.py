"""nodeinit as PID 1 of a container of runc, as hard as a platform makes it.

    start(folder, command, ...) -> nodeinit.Nodeinit        folder: for the bundle (a test's tmp_path)
        app        an apps.App: its script is /app/server.js inside
        major      the Node version, at /usr/bin/node inside
        options    nodeinit's options
        env        environment (PATH and HOME are there)
        cpus, memory, user=10001, cgroup_namespace=True
    update(container, cpus=None, memory=None)               live, as an orchestrator does
    execute(container, *command) -> Finished                runc exec
    Container.cgroup                                        name of its group below each controller

The root is read-only and holds node, its libraries and nodeinit, nothing else: no shell. No capabilities,
no_new_privs, the seccomp profile that podman and Docker use, PID, mount, IPC and UTS namespaces; the network is the
host's, so that a test reaches the port. Everything is removed when the container is closed.
"""

import json
import os
import shutil
import subprocess
from pathlib import Path

from . import apps, node, nodeinit

_SECCOMP = Path("/usr/share/containers/seccomp.json")
_count = 0


def start(folder, command, options=(), env=None, app=None, major=22, **limits) -> "Container":
    global _count
    _count += 1
    folder = Path(folder)
    name = f"nodeinit-test-{os.getpid()}-{_count}"
    bundle = folder / name
    root = make_root(bundle / "rootfs", major)
    mounts = [_bind(node.path(major), "/usr/bin/node")]
    if app:
        shutil.copy(app.script, root / "app" / "server.js")
        mounts.append(_bind(apps.packages() / "node_modules", "/app/node_modules"))
    words = ["/sbin/nodeinit", *options, *(["--", *command] if command else [])]
    environment = {"PATH": "/usr/bin:/sbin", "HOME": "/tmp"} | (env or {})
    config = specification([str(w) for w in words], environment, mounts, name, **limits)
    (bundle / "config.json").write_text(json.dumps(config, indent=1))
    return Container(bundle, name)


class Container(nodeinit.Nodeinit):
    def __init__(self, bundle, name):
        self.name = self.cgroup = name
        self._base = ["runc", "--root", str(bundle.parent / "runc")]
        super().__init__(
            [*self._base, "run", "--bundle", str(bundle), name],
            find_pid=lambda _: self._running_pid(),
            ctl=lambda _: [*self._base, "exec", name, "/sbin/nodeinit", "ctl"],
        )

    def runc(self, *words, check=True) -> nodeinit.Finished:
        done = subprocess.run([*self._base, *words], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              timeout=nodeinit.DEADLINE)  # fmt: skip
        assert not check or done.returncode == 0, f"runc {words}: {done.stderr}"
        return nodeinit.Finished(done.returncode, done.stdout, done.stderr)

    def close(self):
        self.runc("delete", "--force", self.name, check=False)
        super().close()

    def _running_pid(self):
        state = self.runc("state", self.name, check=False)
        if state.code != 0:
            return None
        told = json.loads(state.out)
        return told["pid"] if told["status"] == "running" else None


def update(container, cpus=None, memory=None):
    words = []
    if cpus is not None:
        words += ["--cpu-period", "100000", "--cpu-quota", str(round(cpus * 100_000))]
    if memory is not None:
        words += ["--memory", str(memory), "--memory-swap", str(memory)]
    container.runc("update", *words, container.name)


def execute(container, *command) -> nodeinit.Finished:
    return container.runc("exec", container.name, *command, check=False)


# A root file system of node's libraries and nodeinit alone; node itself is mounted in.
def make_root(root, major) -> Path:
    for name in ("proc", "sys", "dev", "tmp", "etc", "sbin", "app/node_modules", "usr/bin"):
        (root / name).mkdir(parents=True, exist_ok=True)
    (root / "usr/bin/node").touch()
    listed = subprocess.run(["ldd", node.path(major)], capture_output=True, text=True, check=True).stdout
    for line in listed.splitlines():
        library = next((word for word in line.split() if word.startswith("/")), None)
        if library:
            target = root / library.lstrip("/")
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(library, target)
    shutil.copy(nodeinit.binary(), root / "sbin/nodeinit")
    (root / "etc/passwd").write_text("root:x:0:0:root:/:/sbin/nologin\nnode:x:10001:10001::/app:/sbin/nologin\n")
    (root / "etc/group").write_text("root:x:0:\nnode:x:10001:\n")
    return root


def specification(args, env, mounts, cgroup, cpus=None, memory=None, user=10001, cgroup_namespace=True) -> dict:
    resources = {"devices": [{"allow": False, "access": "rwm"}], "pids": {"limit": 512}}
    if cpus is not None:
        resources["cpu"] = {"quota": round(cpus * 100_000), "period": 100_000}
    if memory is not None:
        resources["memory"] = {"limit": memory, "swap": memory}
    namespaces = ["pid", "mount", "ipc", "uts"] + (["cgroup"] if cgroup_namespace else [])
    return {
        "ociVersion": "1.0.2",
        "process": {
            "terminal": False,
            "user": {"uid": user, "gid": user},
            "args": args,
            "env": [f"{name}={value}" for name, value in env.items()],
            "cwd": "/app",
            "capabilities": {s: [] for s in ("bounding", "effective", "permitted", "inheritable", "ambient")},
            "noNewPrivileges": True,
        },
        "root": {"path": "rootfs", "readonly": True},
        "hostname": "pod-0",
        "mounts": [
            {"destination": "/proc", "type": "proc", "source": "proc"},
            _tmpfs("/dev", "mode=755", "nosuid", "strictatime"),
            _tmpfs("/tmp", "mode=1777", "nosuid", "nodev"),
            {"destination": "/sys", "type": "bind", "source": "/sys", "options": ["rbind", "ro"]},
            {"destination": "/sys/fs/cgroup", "type": "cgroup", "source": "cgroup",
             "options": ["nosuid", "noexec", "nodev", "relatime", "ro"]},
            *mounts,
        ],
        "linux": {
            "cgroupsPath": f"/{cgroup}",
            "resources": resources,
            "namespaces": [{"type": kind} for kind in namespaces],
            "maskedPaths": ["/proc/acpi", "/proc/kcore", "/proc/keys", "/proc/timer_list", "/sys/firmware"],
            "readonlyPaths": ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"],
            **({"seccomp": seccomp()} if _SECCOMP.exists() else {}),
        },
    }  # fmt: skip


# The profile of podman's package, in the form of the OCI specification: the rules for this architecture and
# for a container without capabilities.
def seccomp() -> dict:
    profile = json.loads(_SECCOMP.read_text())
    rules = []
    for rule in profile["syscalls"]:
        includes, excludes = rule.get("includes") or {}, rule.get("excludes") or {}
        if includes.get("caps") or "amd64" not in (includes.get("arches") or ["amd64"]):
            continue
        if "amd64" in (excludes.get("arches") or []):
            continue
        kept = {key: rule[key] for key in ("names", "action") if key in rule}
        if rule.get("errnoRet"):
            kept["errnoRet"] = rule["errnoRet"]
        if rule.get("args"):
            kept["args"] = [
                {key: arg[key] for key in ("index", "value", "valueTwo", "op") if key in arg} for arg in rule["args"]
            ]
        rules.append(kept)
    return {
        "defaultAction": profile["defaultAction"],
        "defaultErrnoRet": profile.get("defaultErrnoRet", 1),
        "architectures": ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"],
        "syscalls": rules,
    }


def _bind(source, destination) -> dict:
    return {"destination": destination, "type": "bind", "source": str(source), "options": ["bind", "ro", "nosuid"]}


def _tmpfs(destination, *options) -> dict:
    return {"destination": destination, "type": "tmpfs", "source": "tmpfs", "options": [*options, "size=65536k"]}
