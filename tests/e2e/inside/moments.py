"""Asks a Service once at a random moment after each line of standard input; prints what it saw, as JSON."""

import http.client
import json
import random
import sys
import threading
import time


def main(service: str, within: float) -> None:
    """Each request has a connection of its own, as curl's, and is never tried again."""
    lost: list[str] = []
    asked: list[threading.Thread] = []

    def ask(pause: float) -> None:
        time.sleep(pause)
        connection = http.client.HTTPConnection(service, 80, timeout=5)
        try:
            connection.request("GET", "/data")
            status = connection.getresponse().status
            if status not in (200, 404):
                lost.append(f"{pause:.2f} s after the delete: {status}")
        except (OSError, http.client.HTTPException) as error:
            lost.append(f"{pause:.2f} s after the delete: {error!r}")
        finally:
            connection.close()

    for _ in sys.stdin:
        asked.append(threading.Thread(target=ask, args=(random.uniform(0, within),)))
        asked[-1].start()
    for each in asked:
        each.join()
    print(json.dumps({"asked": len(asked), "lost": lost}))  # noqa: T201 - its result


if __name__ == "__main__":
    main(sys.argv[1], float(sys.argv[2]))
