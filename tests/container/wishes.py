"""The options of `docker run` that these tests use, for engines which have no such command line.

    read(flags) -> Wishes
"""

import argparse
import re
from dataclasses import dataclass, field


@dataclass
class Wishes:
    env: dict = field(default_factory=dict)
    cpus: float | None = None
    memory: int | None = None
    pid: str = "private"  # private, host, container:ID
    cgroup_namespace: bool = False
    binds: list = field(default_factory=list)  # (host's path, path inside)


def read(flags) -> Wishes:
    parser = argparse.ArgumentParser(exit_on_error=True)
    # As hard as conftest.HARDENED says is what these engines always do.
    parser.add_argument("--read-only", action="store_true", required=True)
    parser.add_argument("--tmpfs", required=True)
    parser.add_argument("--cap-drop", choices=["all"], required=True)
    parser.add_argument("--security-opt", choices=["no-new-privileges"], required=True)
    parser.add_argument("--user", choices=["10001:10001"], required=True)
    parser.add_argument("--pids-limit")
    parser.add_argument("--cpus", type=float)
    parser.add_argument("--memory", type=size)
    parser.add_argument("--memory-swap")
    parser.add_argument("--pid", default="private")
    parser.add_argument("--cgroupns", choices=["private", "host"], default="host")
    parser.add_argument("-e", action="append", default=[])
    parser.add_argument("-v", action="append", default=[])
    said = parser.parse_args([str(flag) for flag in flags])
    return Wishes(
        env=dict(pair.split("=", 1) for pair in said.e), cpus=said.cpus, memory=said.memory, pid=said.pid,
        cgroup_namespace=said.cgroupns == "private", binds=[tuple(v.split(":")[:2]) for v in said.v],
    )  # fmt: skip


def size(text) -> int:
    number, unit = re.fullmatch(r"(\d+)([kmg]?)", text).groups()
    return int(number) << {"": 0, "k": 10, "m": 20, "g": 30}[unit]
