"""Clients that stall: headers and bodies that drip, answers that nobody reads, connections held open."""

import time
from pathlib import Path

import pytest

from tests.hostile.clients.good_client import PEERS, PROBES, Waits, ask_for
from tests.hostile.clients.raw_http import exchange, request, statuses
from tests.hostile.clients.swarm import SwarmProcess
from tests.hostile.clients.vitals import reads_proc, sockets
from tests.support.pod import Pod, until

pytestmark = pytest.mark.alone

HEADERS, BODIES, DEAF = 1000, 200, 200
SLOWER = 0.020  # seconds over twice the quiet value, at most


def assert_undisturbed(quiet: Waits, busy: Waits) -> None:
    for path in (*PROBES, PEERS):
        longest = max(busy.by_path[path]) * 1000
        print(  # noqa: T201 - the figures
            f"{path}: p99 {quiet.p99(path) * 1000:.1f} ms quiet, {busy.p99(path) * 1000:.1f} ms disturbed,"
            f" {longest:.1f} ms at most"
        )
        assert busy.p99(path) < 2 * quiet.p99(path) + SLOWER, path


async def store(url: str, value: bytes) -> None:
    assert statuses(
        await exchange(url, request("POST", "/", f"Content-Length: {len(value)}", body=value))
    ) == [200]


@reads_proc
@pytest.mark.parametrize("connections", [512, 2000], ids=["more than the cap", "fewer than the cap"])
async def test_clients_that_drip_or_do_not_read_disturb_nobody(tmp_path: Path, connections: int) -> None:
    client_timeout, body_timeout, grace = 4.0, 5.0, 2.0
    options = (f"--client-timeout={client_timeout}s", f"--body-timeout={body_timeout}s")
    with Pod(tmp_path / "data", *options, f"--max-connections={connections}") as pod:
        before = sockets(pod.process.pid)
        await store(pod.url, bytes(1 << 18))
        quiet = ask_for(pod.url, 1.5)
        until("those clients to be gone", lambda: sockets(pod.process.pid) <= before)
        with SwarmProcess(pod.url, deaf=DEAF, body=BODIES, header=HEADERS) as swarm:
            began = time.monotonic()
            most = before + min(connections, HEADERS + BODIES + DEAF)
            until("them to be let in", lambda: sockets(pod.process.pid) >= most, 2)
            busy = ask_for(pod.url, 2.0)
            left = max(client_timeout, body_timeout) + grace - (time.monotonic() - began)
            until("all of them to be closed", lambda: sockets(pod.process.pid) <= before, left)
            swarm.end()
        assert swarm.ended["header"]["closed"] == HEADERS
        assert swarm.ended["header"]["longest"] < client_timeout + grace
        assert swarm.ended["body"]["closed"] == BODIES
        assert swarm.ended["body"]["longest"] < body_timeout + grace
        assert_undisturbed(quiet, busy)
        assert "Traceback" not in pod.log.read_text()


@reads_proc
async def test_three_times_as_many_connections_as_the_cap_lock_nobody_out(tmp_path: Path) -> None:
    cap = 512 + 64
    with Pod(tmp_path / "data", "--max-watchers=0") as pod:
        await store(pod.url, b"value")
        quiet = ask_for(pod.url, 1.0)
        before = sockets(pod.process.pid)
        lines_before = len(pod.log.read_text().splitlines())
        began = time.monotonic()
        with SwarmProcess(pod.url, idle=3 * cap):  # each returns as often as it is closed
            busy = ask_for(pod.url, 4.0)
            held = sockets(pod.process.pid) - before
        lines = pod.log.read_text().splitlines()[lines_before:]
        assert cap - 8 <= held <= cap + 8
        assert 1 <= len(lines) <= time.monotonic() - began + 1
        ended = time.monotonic()
        until("it to be as before", lambda: sockets(pod.process.pid) <= before, 1)
        assert_undisturbed(quiet, ask_for(pod.url, 0.5))
        assert time.monotonic() - ended < 1 + 0.5
        assert {path: busy.p99(path) < 1.0 for path in (*PROBES, PEERS)} == dict.fromkeys(
            (*PROBES, PEERS), True
        )
        assert "Traceback" not in pod.log.read_text()
