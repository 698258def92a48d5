"""Load by wrk(1).

    run(port, seconds=5, connections=64, path="/", keep_alive=True) -> Report
    start(...) -> Running; Running.wait() -> Report          the same, while the test does something else
    Report.requests, .rate, .errors                          errors: dict of connect, read, write, timeout, status
    Report.latency                                           {50: ms, 75: ms, 90: ms, 99: ms}
"""

import re
import subprocess
from dataclasses import dataclass

_MS = {"us": 0.001, "ms": 1, "s": 1000, "m": 60000}


@dataclass
class Report:
    requests: int
    rate: float
    errors: dict
    text: str
    latency: dict

    @property
    def failed(self) -> int:
        return sum(self.errors.values())


class Running:
    def __init__(self, command, seconds):
        self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                         stderr=subprocess.STDOUT, text=True)  # fmt: skip
        self._limit = seconds + 30

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()

    def wait(self) -> Report:
        text, _ = self._process.communicate(timeout=self._limit)
        assert self._process.returncode == 0, text
        return _parse(text)


def start(port, seconds=5, connections=64, path="/", keep_alive=True, threads=1, host="127.0.0.1") -> Running:
    headers = [] if keep_alive else ["-H", "Connection: close"]
    return Running(["wrk", f"-t{threads}", f"-c{connections}", f"-d{seconds}s", "--latency",
                    "--timeout", "5s", *headers, f"http://{host}:{port}{path}"], seconds)  # fmt: skip


def run(port, **how) -> Report:
    with start(port, **how) as running:
        return running.wait()


def _parse(text) -> Report:
    requests = re.search(r"(\d+) requests in", text)
    rate = re.search(r"Requests/sec:\s+([\d.]+)", text)
    assert requests and rate, text
    socket_errors = re.search(r"connect (\d+), read (\d+), write (\d+), timeout (\d+)", text)
    errors = dict(zip(("connect", "read", "write", "timeout"), map(int, socket_errors.groups()))) if socket_errors else {}
    status = re.search(r"Non-2xx or 3xx responses: (\d+)", text)
    errors["status"] = int(status[1]) if status else 0
    latency = {int(part): float(time) * _MS[unit]
               for part, time, unit in re.findall(r"^\s+(\d+)%\s+([\d.]+)(us|ms|s|m)$", text, re.MULTILINE)}  # fmt: skip
    return Report(int(requests[1]), float(rate[1]), errors, text, latency)
