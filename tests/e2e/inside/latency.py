"""Asks one pod for everybody's value until standard input ends; prints how long each answer took, as JSON."""

import http.client
import json
import sys
import threading
import time

PAUSE = 0.02  # seconds between two requests


def main(address: str) -> None:
    """Asks over one connection, and prints what it saw."""
    ended = threading.Event()

    def wait() -> None:
        sys.stdin.read()
        ended.set()

    threading.Thread(target=wait, daemon=True).start()
    connection = http.client.HTTPConnection(address, 8080, timeout=10)
    took, errors = [], 0
    while not ended.wait(PAUSE):
        began = time.monotonic()
        connection.request("GET", "/")
        text = connection.getresponse().read().decode()
        took.append(time.monotonic() - began)
        errors += any(line.startswith("! ") for line in text.splitlines())
    print(json.dumps({"took": took, "errors": errors}))  # noqa: T201 - its result


if __name__ == "__main__":
    main(sys.argv[1])
