"""A strict HTTP client: everything that goes wrong is counted under its own name, nothing is retried in silence.

    get(port, path="/", timeout=5) -> Answer(status, body, seconds, connection)      raises Failure(kind)
    Answer.json()
    Load(port, path="/", clients=4, keep_alive=True, timeout=5, pause=0)             a context manager
        clients threads ask again and again, `pause` seconds apart, until stop() or the end of the block
        .stop() -> Tally
        .tally      while it runs
    Tally.ok, .errors                    answers with status 200; everything else (a dict by kind)
    Tally.stale                          a kept-alive connection was closed by the server before it answered
                                         with one byte: HTTP allows that (RFC 9112, 9.3.1); asked again, counted
    Tally.slowest                        seconds
    Tally.pids                           who answered, from {"pid": …} in the body: Counter
    NamedClients(port, count, pause=0)   a context manager: count threads open a connection for each request, from an
                                         address of its own, by which the server can note whom it has accepted
        .answered, .lost                 their number (answers that end in "done"); {address: refused|reset|cut|hung}
    burst(port, path, count) -> [Future] count requests at once, a connection each; result() is an Answer

Kinds of error: refused, reset, timeout, short (ended within an answer), empty (closed without an answer on a
fresh connection), status (not 200), other.
"""

import concurrent.futures
import http.client
import json
import socket
import threading
import time
from collections import Counter
from dataclasses import dataclass, field


class Failure(Exception):
    def __init__(self, kind, why=""):
        super().__init__(f"{kind}: {why}" if why else kind)
        self.kind = kind


@dataclass
class Answer:
    status: int
    body: bytes
    seconds: float
    headers: dict

    def json(self):
        return json.loads(self.body)


@dataclass
class Tally:
    ok: int = 0
    stale: int = 0
    errors: Counter = field(default_factory=Counter)
    pids: Counter = field(default_factory=Counter)
    slowest: float = 0.0
    detail: list = field(default_factory=list)  # the first few errors, with their time


def get(port, path="/", timeout=5, host="127.0.0.1", headers=None) -> Answer:
    connection = http.client.HTTPConnection(host, port, timeout=timeout)
    try:
        return _ask(connection, path, {"Connection": "close"} | (headers or {}), fresh=True)
    finally:
        connection.close()


def burst(port, path, count, timeout=30, host="127.0.0.1"):
    pool = concurrent.futures.ThreadPoolExecutor(count)
    futures = [pool.submit(get, port, path, timeout, host) for _ in range(count)]
    pool.shutdown(wait=False)
    return futures


class Clients:
    """`count` threads that run _client(index) from `with` on until is_over(); joined within `patience` seconds."""

    def __init__(self, count, patience):
        self._patience, self._over, self._lock = patience, threading.Event(), threading.Lock()
        self._threads = [threading.Thread(target=self._client, args=(i,), daemon=True) for i in range(count)]

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.stop()

    def is_over(self):
        return self._over.is_set()

    def stop(self):
        self._over.set()
        for thread in self._threads:
            thread.join(self._patience)


class NamedClients(Clients):
    HUNG = 30  # seconds
    REQUEST = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"

    def __init__(self, port, count, pause=0.0):
        self.port, self.answered, self.lost = port, 0, {}
        self._next, self._pause = 0, pause
        super().__init__(count, self.HUNG + 5)

    def _client(self, _):
        while not self.is_over():
            with self._lock:
                self._next += 1
                number = self._next
            address = f"127.{1 + (number >> 16) % 250}.{(number >> 8) & 255}.{number & 255}"
            seen = self._ask(address)
            with self._lock:
                if seen == "done":
                    self.answered += 1
                else:
                    self.lost[address] = seen
            time.sleep(self._pause)

    def _ask(self, address):
        try:
            with socket.create_connection(("127.0.0.1", self.port), self.HUNG, (address, 0)) as connection:
                connection.sendall(self.REQUEST)
                answer = b"".join(iter(lambda: connection.recv(65536), b""))
                return "done" if answer.endswith(b"done") else "cut"
        except ConnectionRefusedError:
            return "refused"
        except (ConnectionResetError, BrokenPipeError):
            return "reset"
        except (socket.timeout, TimeoutError):
            return "hung"


class Load(Clients):
    def __init__(self, port, path="/", clients=4, keep_alive=True, timeout=5, pause=0.0, host="127.0.0.1"):
        self._target = (host, port)
        self._path, self._keep_alive, self._timeout, self._pause = path, keep_alive, timeout, pause
        self.tally = Tally()
        super().__init__(clients, timeout + 5)

    def stop(self) -> Tally:
        super().stop()
        return self.tally

    def _client(self, _):
        connection, used = None, False
        while not self._over.is_set():
            if connection is None:
                connection = http.client.HTTPConnection(*self._target, timeout=self._timeout)
                used = False
            try:
                headers = {} if self._keep_alive else {"Connection": "close"}
                answer = _ask(connection, self._path, headers, fresh=not used)
                self._count(answer)
                used = True
                keep = self._keep_alive and connection.sock is not None
            except Failure as failure:
                self._count_failure(failure)
                keep = False
                if failure.kind == "refused":
                    self._over.wait(0.01)
            if not keep:
                connection.close()
                connection = None
            if self._pause:
                self._over.wait(self._pause)
        if connection:
            connection.close()

    def _count(self, answer):
        with self._lock:
            tally = self.tally
            tally.slowest = max(tally.slowest, answer.seconds)
            if answer.status != 200:
                tally.errors["status"] += 1
                tally.detail.append((time.time(), f"status {answer.status}"))
                return
            tally.ok += 1
            if answer.body.startswith(b"{"):
                tally.pids[answer.json().get("pid")] += 1

    def _count_failure(self, failure):
        with self._lock:
            if failure.kind == "stale":
                self.tally.stale += 1
                return
            self.tally.errors[failure.kind] += 1
            if len(self.tally.detail) < 20:
                self.tally.detail.append((time.time(), str(failure)))


def _ask(connection, path, headers, fresh) -> Answer:
    began = time.monotonic()
    try:
        connection.request("GET", path, headers=headers)
        response = connection.getresponse()
    except http.client.RemoteDisconnected as gone:
        raise Failure("empty" if fresh else "stale", str(gone)) from None
    except (ConnectionResetError, BrokenPipeError) as gone:
        # Written to a connection that the server had closed in the meantime: no byte came back.
        raise Failure("reset" if fresh else "stale", str(gone)) from None
    except ConnectionRefusedError as refused:
        raise Failure("refused", str(refused)) from None
    except (socket.timeout, TimeoutError) as late:
        raise Failure("timeout", str(late)) from None
    except (OSError, http.client.HTTPException) as other:
        raise Failure("other", repr(other)) from None
    try:
        body = response.read()
    except http.client.IncompleteRead as short:
        raise Failure("short", str(short)) from None
    except ConnectionResetError as gone:
        raise Failure("reset", str(gone)) from None
    except (socket.timeout, TimeoutError) as late:
        raise Failure("timeout", str(late)) from None
    return Answer(response.status, body, time.monotonic() - began, dict(response.getheaders()))
