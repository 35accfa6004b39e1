"""A client that does no harm, and how long it waits for its answers."""

import http.client
import math
import time
from dataclasses import dataclass, field

from tests.hostile.clients.raw_http import address_of

PROBES = ("/healthz", "/readyz")
PEERS = "/data"


@dataclass
class Waits:
    """Seconds until each answer, by path."""

    by_path: dict[str, list[float]] = field(default_factory=dict)

    def p99(self, path: str) -> float:
        """All but one in a hundred were answered within so many seconds."""
        waits = sorted(self.by_path[path])
        return waits[math.ceil(len(waits) * 0.99) - 1]


def ask_for(url: str, seconds: float, pause: float = 0.002) -> Waits:
    """Asks as kubelet does, with a new connection for each probe, and as peers do, on one that is kept.

    Every answer must be 200, and the kept connection must stay.
    """
    waits = Waits()
    peer = http.client.HTTPConnection(*address_of(url), timeout=5)
    peer.connect()
    peer.auto_open = 0
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        for path in (*PROBES, PEERS):
            began = time.perf_counter()
            if path == PEERS:
                _get(peer, path)
            else:
                probe = http.client.HTTPConnection(*address_of(url), timeout=5)
                _get(probe, path)
                probe.close()
            waits.by_path.setdefault(path, []).append(time.perf_counter() - began)
            time.sleep(pause)
    peer.close()
    return waits


def _get(connection: http.client.HTTPConnection, path: str) -> None:
    connection.request("GET", path)
    response = connection.getresponse()
    body = response.read()
    assert response.status == 200, (path, response.status, body)
