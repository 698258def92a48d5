"""A throw-away virtual machine with a pure cgroup v2 tree, for what the tree of this machine cannot show.

    available() -> str             "" or why there can be none here (the reason to skip)
    run(script, files, ...) -> {section: text}
        script    for busybox sh, run as root by the machine's init once /proc, /sys, /dev and the cgroup tree are
                  mounted; `section NAME` (a function it has) begins a section of the output
        files     {path in the machine: path here}; the libraries that a program needs come along
        cpus, memory (MiB), timeout (seconds, whole life of the machine)

The kernel is that of Debian's linux-image-cloud-amd64, downloaded once with apt-get into the test cache and only
unpacked; the initramfs is made anew for each machine. QEMU interprets every instruction (TCG): it runs wherever
this program runs, and no faster than a tenth of it. So: assert limits and counts, never times. /dev/kvm is never
used: where this machine is itself a virtual one it may hang.
"""

import platform
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

from . import cache

_QEMU = "qemu-system-x86_64"
_BUSYBOX = "/bin/busybox"
_NEEDED = (_QEMU, _BUSYBOX, "cpio", "apt-get", "dpkg-deb")

_INIT = r"""#!/bin/busybox sh
B=/bin/busybox
$B mkdir -p /proc /sys /dev /tmp /bin
$B mount -t proc proc /proc; $B mount -t sysfs sys /sys; $B mount -t devtmpfs dev /dev; $B mount -t tmpfs tmp /tmp
$B --install -s /bin
export PATH=/bin:/usr/bin HOME=/tmp
ip link set lo up
R=/sys/fs/cgroup
mount -t cgroup2 cgroup2 $R
enable() { for c in cpu memory cpuset pids; do echo +$c > $1/cgroup.subtree_control; done 2>/dev/null; }
enable $R
# group a/b: makes a and a/b, with every controller in b
group() { p=$R; for d in $(echo $1 | tr / ' '); do enable $p; p=$p/$d; mkdir -p $p; done; }
# inside a/b command…: runs the command in group a/b
inside() { g=$1; shift; sh -c 'echo $$ > $0/cgroup.procs && exec "$@"' $R/$g "$@"; }
# within 30 command…: until the command succeeds; fails after so many seconds
within() { n=$1; shift; until "$@"; do n=$((n - 1)); [ $n -gt 0 ] || return 1; sleep 1; done; }
section() { echo; echo "@@section $1"; }
echo "@@begin"
. /script
echo; echo "@@end"
reboot -f
"""


def available() -> str:
    if platform.machine() != "x86_64":
        return "the virtual machine is an x86-64 one"
    missing = [name for name in _NEEDED if not shutil.which(name)]
    return f"not installed: {', '.join(missing)}" if missing else ""


def run(script: str, files=None, cpus=2, memory=1024, timeout=240) -> dict:
    with tempfile.TemporaryDirectory(prefix="nodeinit-vm-") as folder:
        initramfs = _make_initramfs(Path(folder), script, files or {})
        command = [
            _QEMU, "-machine", "pc", "-accel", "tcg,thread=multi", "-cpu", "max", "-smp", str(cpus),
            "-m", str(memory), "-nodefaults", "-no-user-config", "-display", "none", "-serial", "stdio",
            "-no-reboot", "-kernel", str(_kernel()), "-initrd", str(initramfs),
            "-append", "console=ttyS0 quiet loglevel=1 reboot=t panic=-1 psi=1 mitigations=off tsc=reliable",
        ]  # fmt: skip
        try:
            done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                  stderr=subprocess.STDOUT, timeout=timeout)  # fmt: skip
            output = done.stdout
        except subprocess.TimeoutExpired as late:
            output = (late.stdout or b"") + f"\n@@ not ended within {timeout} s".encode()
    text = output.decode(errors="replace").replace("\r", "")
    assert "@@begin" in text and "@@end" in text, f"the virtual machine did not get through:\n{text[-8000:]}"
    pieces = re.split(r"^@@section (\S+)\n", text[text.index("@@begin") : text.rindex("@@end")], flags=re.MULTILINE)
    return dict(zip(pieces[1::2], (piece.strip() for piece in pieces[2::2])))


def _kernel() -> Path:
    folder = cache.once("vm-kernel", _download_kernel)
    (kernel,) = folder.glob("vmlinuz-*")
    return kernel


# linux-image-cloud-amd64 depends on the package of the current version; neither is installed here.
def _download_kernel(target: Path):
    depends = subprocess.run(["apt-cache", "depends", "linux-image-cloud-amd64"], check=True, capture_output=True,
                             text=True, timeout=60).stdout  # fmt: skip
    name = re.search(r"Depends: (linux-image-\S+)", depends)[1]
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        subprocess.run(["apt-get", "download", "-q", name], cwd=folder, check=True, timeout=600,
                       stdin=subprocess.DEVNULL)  # fmt: skip
        (package,) = Path(folder).glob("*.deb")
        subprocess.run(["dpkg-deb", "-x", package, f"{folder}/unpacked"], check=True, timeout=120)
        (kernel,) = Path(folder).glob("unpacked/boot/vmlinuz-*")
        shutil.copy(kernel, target)


def _make_initramfs(folder: Path, script: str, files: dict) -> Path:
    root = folder / "root"
    root.mkdir()
    for target, source in {"/bin/busybox": _BUSYBOX, **files}.items():
        for path, origin in {target: source, **_libraries_of(source)}.items():
            place = root / path.lstrip("/")
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(origin, place)
    (root / "script").write_text(script)
    (root / "init").write_text(_INIT)
    (root / "init").chmod(0o755)
    names = "\n".join(str(path.relative_to(root)) for path in sorted(root.rglob("*")))
    packed = subprocess.run(["cpio", "--create", "--format=newc", "--quiet"], cwd=root, input=names.encode(),
                            stdout=subprocess.PIPE, check=True, timeout=120).stdout  # fmt: skip
    initramfs = folder / "initramfs"
    initramfs.write_bytes(packed)
    return initramfs


def _libraries_of(path) -> dict:
    done = subprocess.run(["ldd", str(path)], capture_output=True, text=True, timeout=30)
    found = re.findall(r"(/\S+) \(0x", done.stdout) if done.returncode == 0 else []
    return {library: library for library in found}
