"""Many clients at once, each with one request, and how long something takes."""

import http.client
import threading
import time

MAJORS = [18, 20, 22, 24, 26]  # of Node, that programs are compared on


def ask(port, path="/", timeout=15):
    """(status, body) on a connection of its own; (0, what went wrong)."""
    try:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        finally:
            connection.close()
    except OSError as error:
        return 0, repr(error)
    except http.client.HTTPException as error:
        return 0, repr(error)


class Crowd:
    """A client for each path, all at once; answers() waits for the last."""

    def __init__(self, port, paths):
        self._answers = [None] * len(paths)
        self._threads = [
            threading.Thread(target=self._one, args=(port, i, path), daemon=True) for i, path in enumerate(paths)
        ]
        for thread in self._threads:
            thread.start()

    def _one(self, port, i, path):
        self._answers[i] = ask(port, path)

    def lost(self):
        for thread in self._threads:
            thread.join(20)
        return [answer for answer in self._answers if answer is None or answer[0] != 200]


def seconds(action):
    began = time.monotonic()
    action()
    return time.monotonic() - began
