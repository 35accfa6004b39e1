"""Floods of values that do not come: others get their answers, and store their values, all the time."""

import http.client
import statistics
import time
from pathlib import Path

import pytest

from tests.hostile.clients.good_client import Waits
from tests.hostile.clients.raw_http import address_of
from tests.hostile.clients.swarm import LARGEST, SwarmProcess
from tests.hostile.clients.torture import times
from tests.hostile.clients.vitals import reads_proc, sockets
from tests.support.pod import Pod, until

pytestmark = pytest.mark.alone

TORTURE = times(0, 1)
SECONDS = times(3, 60)
SMALL = 0.1  # seconds for a POST of 100 bytes, 99 times in 100


def use(url: str, seconds: float) -> Waits:
    """Stores and reads by turns, each on a connection of its own; every answer must be 200."""
    waits = Waits()
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        for method, path in (("POST", "/"), ("GET", "/"), ("GET", "/peers"), ("POST", "/"), ("POST", "/")):
            began = time.perf_counter()
            assert ask(url, method, path, b"x" * 100 if method == "POST" else None) == 200, (method, path)
            waits.by_path.setdefault(f"{method} {path}", []).append(time.perf_counter() - began)
    return waits


def ask(url: str, method: str, path: str, body: bytes | None) -> int:
    connection = http.client.HTTPConnection(*address_of(url), timeout=5)
    try:
        connection.request(method, path, body)
        response = connection.getresponse()
        response.read()
        return response.status
    finally:
        connection.close()


@reads_proc
@pytest.mark.timeout(60 + 2 * SECONDS)
@pytest.mark.parametrize(
    "flood",
    [{"stalled": 32}, {"stalled": 100}, {"bodiless": 520}, {"bodiless": 1000}, {"body": 1000}],
    ids=str,
)
async def test_values_that_do_not_come_keep_nobody_out(tmp_path: Path, flood: dict[str, int]) -> None:
    with Pod(tmp_path / "data") as pod:
        before = sockets(pod.process.pid)
        quiet = use(pod.url, 1)
        until("their connections to be closed", lambda: sockets(pod.process.pid) <= before)
        with SwarmProcess(pod.url, **flood):
            most = before + min(sum(flood.values()), 512)
            until("them to be let in", lambda: sockets(pod.process.pid) >= most, 20)
            busy = use(pod.url, SECONDS)
            if "stalled" in flood:
                assert ask(pod.url, "POST", "/", bytes(LARGEST)) == 200
        post = "POST /"
        print(  # noqa: T201 - the figures
            f"{flood}: {len(busy.by_path[post])} {post}, p99 {busy.p99(post) * 1000:.1f} ms,"
            f" {quiet.p99(post) * 1000:.1f} ms before"
        )
        if "stalled" in flood:  # 99 in 100 where the machine is ours, as in `make torture`; else half of them
            assert (busy.p99(post) if TORTURE else statistics.median(busy.by_path[post])) < SMALL
        assert "Traceback" not in pod.log.read_text()
