"""The cap on connections: who makes room for whom."""

import asyncio
import signal
import socket
from pathlib import Path

import pytest

from kubia_pet.limits import CONNECTION_RESERVE
from tests.hostile.clients.raw_http import body_of, deaf_client, exchange, header_of, request, statuses
from tests.hostile.clients.vitals import reads_proc
from tests.support.pod import Pod
from tests.support.streams import ask, connect, is_closed

pytestmark = pytest.mark.alone


async def test_connections_without_a_request_make_room_before_those_that_are_used(
    tmp_path: Path, loop: dict[str, str]
) -> None:
    with Pod(tmp_path / "data", "--max-connections=1", "--max-watchers=0", env=loop) as pod:
        cap = 1 + CONNECTION_RESERVE
        used = await connect(pod.url)
        for _ in range(3):
            used[1].write(b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n")
            await used[0].readuntil(b"alive\n")
        idle = [await connect(pod.url) for _ in range(cap - 1)]
        assert not await is_closed(idle[0][0], 0.1)
        more = [await connect(pod.url) for _ in range(5)]
        assert [await is_closed(reader) for reader, _ in idle[:5]] == [True] * 5
        assert not await is_closed(idle[5][0], 0.1)
        used[1].write(b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n")
        await used[0].readuntil(b"alive\n")
        assert pod.log.read_text().count("Over 65 connections") == 1
        for _, writer in (used, *idle, *more):
            writer.transport.abort()


async def test_a_probe_may_take_its_time_though_others_use_up_all_connections(
    tmp_path: Path, loop: dict[str, str]
) -> None:
    asked = b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n"
    with Pod(tmp_path / "data", "--max-connections=1", "--max-watchers=0", env=loop) as pod:
        used = [await connect(pod.url, asked) for _ in range(1 + CONNECTION_RESERVE)]
        for reader, _ in used:
            await reader.readuntil(b"alive\n")
        probe = await connect(pod.url)
        others = [await connect(pod.url) for _ in range(20)]
        assert await is_closed(used[20][0])
        probe[1].write(asked)
        await probe[0].readuntil(b"alive\n")
        for _, writer in (probe, *used, *others):
            writer.transport.abort()


async def test_a_burst_of_connections_does_not_pass_the_cap(tmp_path: Path, loop: dict[str, str]) -> None:
    with Pod(tmp_path / "data", "--max-connections=1", "--max-watchers=0", env=loop) as pod:
        pod.process.send_signal(signal.SIGSTOP)  # they all wait in the backlog
        burst = [await connect(pod.url) for _ in range(300)]
        pod.process.send_signal(signal.SIGCONT)
        assert statuses(await ask(pod.url, "GET", "/healthz")) == [200]
        still_open = [not await is_closed(reader, 0.01) for reader, _ in burst]
        assert sum(still_open) <= 1 + CONNECTION_RESERVE
        for _, writer in burst:
            writer.transport.abort()


async def test_probes_and_peers_are_answered_though_every_request_lasts(
    tmp_path: Path, loop: dict[str, str]
) -> None:
    size = 500_000
    with Pod(tmp_path / "data", "--max-connections=2", env=loop) as pod:
        await exchange(pod.url, request("POST", "/", f"Content-Length: {size}", body=bytes(size)))
        busy = [busy_client(pod.url) for _ in range(2)]
        answer = await ask(pod.url, "GET", "/")
        assert (statuses(answer), header_of(answer, "Retry-After")) == ([503], "1")
        for path in ("/healthz", "/readyz", "/metrics"):
            assert statuses(await ask(pod.url, "GET", path)) == [200]
        assert len(body_of(await ask(pod.url, "GET", "/data"))) == size
        assert b'kubia_pet_refused_total{what="requests"} 1.0' in await ask(pod.url, "GET", "/metrics")
        for client in busy:
            client.close()


async def test_who_has_sent_no_body_yet_is_not_busy(tmp_path: Path, loop: dict[str, str]) -> None:
    head = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n"
    with Pod(tmp_path / "data", "--max-connections=8", "--max-watchers=0", env=loop) as pod:
        waiting = [await connect(pod.url, head) for _ in range(20)]
        for method, path in (("GET", "/"), ("GET", "/peers"), ("POST", "/")):
            assert statuses(await ask(pod.url, method, path)) == [200], path
        for _, writer in waiting:
            writer.transport.abort()


async def test_a_request_is_refused_when_its_body_comes_while_others_are_too_many_not_before(
    tmp_path: Path, loop: dict[str, str]
) -> None:
    head, size = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\n", 500_000
    with Pod(tmp_path / "data", "--max-connections=1", "--max-watchers=0", env=loop) as pod:
        await exchange(pod.url, request("POST", "/", f"Content-Length: {size}", body=bytes(size)))
        early, late = await connect(pod.url, head), await connect(pod.url, head)
        busy = busy_client(pod.url)
        during = await connect(pod.url, head)
        for reader, _ in (early, during):
            assert not await is_closed(reader, 0.1)
        early[1].write(b"1")
        assert (await early[0].readuntil(b"try again.\n")).startswith(b"HTTP/1.1 503 ")
        assert await is_closed(early[0])
        busy.close()
        async with asyncio.timeout(5):
            while statuses(await ask(pod.url, "GET", "/peers")) != [200]:
                pass
        for reader, writer in (during, late):
            writer.write(b"1")
            assert (await reader.readuntil(b"on pod kubia-0\n")).startswith(b"HTTP/1.1 200 ")
        for _, writer in (early, during, late):
            writer.transport.abort()


async def test_probes_take_no_place_of_other_requests(tmp_path: Path, loop: dict[str, str]) -> None:
    with Pod(tmp_path / "data", "--max-connections=1", "--faults", env=loop) as pod:
        assert statuses(await ask(pod.url, "PUT", "/faults/disk-slow?for=1s")) == [200]
        reader, writer = await connect(pod.url, b"GET /readyz HTTP/1.1\r\nHost: a\r\n\r\n")
        assert not await is_closed(reader, 0.1)
        assert statuses(await ask(pod.url, "GET", "/peers")) == [200]
        assert (await reader.readuntil(b"\r\n")).startswith(b"HTTP/1.1 200 ")
        writer.transport.abort()


def busy_client(url: str) -> socket.socket:
    """A client that makes no progress with its answer, which has begun."""
    client = deaf_client(url)
    client.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    assert client.recv(1)
    return client


async def test_who_has_awaited_a_body_for_longest_makes_room_before_those_that_are_used(
    tmp_path: Path, loop: dict[str, str]
) -> None:
    head = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\n"
    with Pod(tmp_path / "data", "--max-connections=1", "--max-watchers=0", env=loop) as pod:
        cap = 1 + CONNECTION_RESERVE
        used = await connect(pod.url, b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n")
        await used[0].readuntil(b"alive\n")
        waiting = [await connect(pod.url, head) for _ in range(cap - 1)]
        assert not await is_closed(waiting[0][0], 0.1)
        more = [await connect(pod.url, head) for _ in range(5)]
        assert [await is_closed(reader) for reader, _ in waiting[:5]] == [True] * 5
        for reader, writer in (waiting[5], more[-1]):
            writer.write(b"1")
            assert (await reader.readuntil(b"on pod kubia-0\n")).startswith(b"HTTP/1.1 200 ")
        used[1].write(b"GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n")
        await used[0].readuntil(b"kubia_pet_connections_evicted_total 5.0\n")
        for _, writer in (used, *waiting, *more):
            writer.transport.abort()


async def test_when_all_are_busy_the_longest_busy_one_makes_room(
    tmp_path: Path, loop: dict[str, str]
) -> None:
    size = 500_000
    with Pod(tmp_path / "data", "--max-connections=1", "--max-watchers=0", env=loop) as pod:
        await exchange(pod.url, request("POST", "/", f"Content-Length: {size}", body=bytes(size)))
        deaf = []
        for _ in range(1 + CONNECTION_RESERVE):
            client = deaf_client(pod.url)
            client.sendall(b"GET /data HTTP/1.1\r\nHost: a\r\n\r\n")
            assert client.recv(1)  # its answer has begun
            deaf.append(client)
        for path in ("/healthz", "/readyz", "/metrics"):
            assert statuses(await ask(pod.url, "GET", path)) == [200]
        for client in deaf:
            client.close()


@reads_proc
@pytest.mark.parametrize("limit", ["-S -n 200", "-n 200"], ids=["soft", "hard"])
async def test_connections_leave_the_store_files_to_open(
    tmp_path: Path, loop: dict[str, str], limit: str
) -> None:
    shell = ("sh", "-c", f'ulimit {limit}; exec "$@"', "sh")
    with Pod(tmp_path / "data", prefix=shell, env=loop) as pod:
        idle = [await connect(pod.url) for _ in range(300)]
        stored = await exchange(pod.url, request("POST", "/", "Content-Length: 1", body=b"1"))
        assert statuses(stored) == [200]
        assert body_of(await ask(pod.url)) == b"1"
        assert "Traceback" not in pod.log.read_text()
        for _, writer in idle:
            writer.transport.abort()
