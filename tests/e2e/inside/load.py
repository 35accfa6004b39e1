"""Steady load on a Service. Ends when standard input does, and prints what it saw as JSON.

A fair client that hides nothing: http.client never tries a request again, a refused or reset connection
is a lost request. Some clients connect anew for each request, as curl does, some keep their connection, as
browsers and other servers do. One writes, and checks in between that each pod it hits has the value which
that pod acknowledged last.
"""

import http.client
import json
import sys
import threading
import time

PAUSE = 0.02  # seconds between two requests of one client
PATIENCE = 10.0  # seconds for one request
REACHED = 30.0  # seconds until a new Service is known to this node


class Load:
    """What all clients share, and what they found."""

    def __init__(self, service: str) -> None:
        self.service = service
        self.ended = threading.Event()
        self.lock = threading.Lock()
        self.requests = 0
        self.longest = 0.0
        self.lost: list[str] = []
        self.wrong: list[str] = []
        self.acknowledged: dict[str, str] = {}

    def ask(
        self, connection: http.client.HTTPConnection, method: str, path: str, body: str | None = None
    ) -> str | None:
        """The answer's text; None where the request was lost."""
        began = time.monotonic()
        try:
            connection.request(method, path, body)
            response = connection.getresponse()
            text = response.read().decode()
            lost = "" if response.status == 200 else f"answered {response.status} {text.strip()}"
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            text, lost = "", repr(error)
        seconds = time.monotonic() - began
        with self.lock:
            self.requests += 1
            self.longest = max(self.longest, seconds)
            if lost:
                self.lost.append(f"{time.time():.2f} {method} {path} after {seconds:.2f} s: {lost}")
        return None if lost else text

    def connection(self) -> http.client.HTTPConnection:
        """One that is not connected yet."""
        return http.client.HTTPConnection(self.service, 80, timeout=PATIENCE)

    def read(self, *, keep: bool) -> None:
        """A client that reads."""
        connection = self.connection()
        while not self.ended.wait(PAUSE):
            self.ask(connection, "GET", "/data")
            if not keep:
                connection.close()

    def write(self) -> None:
        """A client that writes and checks."""
        number = 0
        while not self.ended.wait(PAUSE):
            number += 1
            value = f"value {number}"
            connection = self.connection()
            answer = self.ask(connection, "POST", "/", value)
            connection.close()
            if answer:
                self.acknowledged[answer.strip().removeprefix("Data stored on pod ")] = value
            answer = self.ask(connection, "GET", "/")
            connection.close()
            if answer:
                self.check(*answer.splitlines()[:2])

    def check(self, first: str, second: str) -> None:
        """Whether the pod that was hit has what it acknowledged."""
        pod = first.removeprefix("You've hit ")
        value = second.removeprefix("Data stored on this pod: ")
        if self.acknowledged.get(pod, value) != value:
            self.wrong.append(f"{pod} has {value!r}, acknowledged {self.acknowledged[pod]!r}")

    def reach(self) -> None:
        """Returns when the Service takes connections: a node learns of a new one in its own time."""
        deadline = time.monotonic() + REACHED
        while True:
            try:
                connection = self.connection()
                connection.connect()
            except OSError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.1)
            else:
                connection.close()
                return

    def run(self) -> None:
        """Until standard input ends."""
        self.reach()
        clients = [threading.Thread(target=self.write)]
        clients += [threading.Thread(target=self.read, kwargs={"keep": keep}) for keep in (True, False) * 2]
        for client in clients:
            client.start()
        sys.stdin.read()
        self.ended.set()
        for client in clients:
            client.join()
        found = {
            name: getattr(self, name) for name in ("requests", "longest", "lost", "wrong", "acknowledged")
        }
        print(json.dumps(found))  # noqa: T201 - its result


if __name__ == "__main__":
    Load(sys.argv[1]).run()
