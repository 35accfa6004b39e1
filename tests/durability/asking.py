"""Requests to a pod, each on a connection of its own."""

import http.client
import json
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from tests.support.pod import Pod

STORED = 200
NOT_FOUND = 404
UNAVAILABLE = 503
FULL = 507


class Reply(NamedTuple):
    """What a pod answered."""

    status: int
    body: bytes


def ask(pod: Pod, method: str, path: str, body: bytes | None = None, *, timeout: float = 10) -> Reply:
    """The answer; raises OSError or HTTPException where there is none within `timeout` seconds."""
    connection = http.client.HTTPConnection(urlsplit(pod.url).netloc, timeout=timeout)
    try:
        connection.request(method, path, body)
        response = connection.getresponse()
        return Reply(response.status, response.read())
    finally:
        connection.close()


def post(pod: Pod, body: bytes) -> Reply:
    """Stores the value."""
    return ask(pod, "POST", "/", body)


def get(pod: Pod) -> Reply:
    """The value alone."""
    return ask(pod, "GET", "/data")


def ledger(pod: Pod) -> dict[str, Any]:
    """What the volume knows of itself."""
    members: dict[str, Any] = json.loads(ask(pod, "GET", "/ledger").body)
    return members


def is_ready(pod: Pod) -> bool:
    """What the readiness probe says."""
    return ask(pod, "GET", "/readyz").status == STORED
