"""One connection: odd requests that are right, and how long its client may stall."""

import asyncio
import time
from pathlib import Path

import pytest

from kubia_pet.config import Settings
from kubia_pet.web.app import build
from tests.api.conftest import OLD, STRICT
from tests.hostile.clients.raw_http import (
    address_of,
    body_of,
    deaf_client,
    exchange,
    header_of,
    request,
    statuses,
)
from tests.hostile.clients.vitals import reads_proc, sockets
from tests.support.pod import Pod, until
from tests.support.serving import serving
from tests.support.streams import ask, connect, is_closed


@pytest.mark.parametrize("path", ["/", "/data", "/peers", "/healthz", "/readyz", "/metrics", "/openapi.json"])
async def test_head_is_get_without_its_body(strict: Pod, path: str) -> None:
    await exchange(strict.url, request("POST", "/", "Content-Length: 1", body=b"1"))
    get, head = await ask(strict.url, "GET", path), await ask(strict.url, "HEAD", path)
    assert (statuses(head), body_of(head)) == ([200], b"")
    assert header_of(head, "Content-Type") == header_of(get, "Content-Type")
    if path != "/metrics":  # it counts these two requests
        assert header_of(head, "Content-Length") == header_of(get, "Content-Length") == str(len(body_of(get)))


async def test_head_says_how_large_an_empty_value_is(strict: Pod) -> None:
    await exchange(strict.url, request("POST", "/", "Content-Length: 0"))
    for method in ("GET", "HEAD"):
        assert header_of(await ask(strict.url, method, "/data"), "Content-Length") == "0"


@pytest.mark.parametrize("target", ["/%64ata", "/data?x=1#y", "http://elsewhere/data", "/d%61t%61?"])
async def test_a_path_may_be_written_in_other_ways(holding: str, target: str) -> None:
    assert body_of(await ask(holding, "GET", target)) == OLD.encode()


async def test_http_1_0_is_served_and_its_connection_closed(holding: str) -> None:
    answer = await exchange(holding, b"GET /data HTTP/1.0\r\n\r\n")
    assert (statuses(answer), body_of(answer)) == ([200], OLD.encode())


async def test_pipelined_requests_are_answered_in_their_order(holding: str) -> None:
    _, port = address_of(holding)
    sent = b"".join(
        f"GET /{each} HTTP/1.1\r\nHost: a:{port}\r\n\r\n".encode() for each in ("data", "healthz", "x")
    )
    answer = await exchange(holding, sent + request("GET", "/readyz"))
    assert statuses(answer) == [200, 200, 404, 200]
    assert answer.index(OLD.encode()) < answer.index(b"alive") < answer.index(b"ready")


@pytest.mark.parametrize("before", [b"", b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n"], ids=["new", "reused"])
async def test_a_header_that_drips_gains_no_time(tmp_path: Path, loop: dict[str, str], before: bytes) -> None:
    with Pod(tmp_path / "data", *STRICT, env=loop) as pod:
        reader, writer = await connect(pod.url, before)
        if before:
            await reader.readuntil(b"alive\n")
        began = time.monotonic()
        writer.write(b"GET / HTTP/1.1\r\n")
        while not await is_closed(reader, 0.1):
            assert time.monotonic() - began < 1 + 2
            writer.write(b"a")
        assert time.monotonic() - began > 0.5
        writer.close()


@reads_proc
@pytest.mark.parametrize("size", [1 << 20, 60_000], ids=["one large answer", "many small ones"])
async def test_a_client_that_does_not_read_is_given_up(
    tmp_path: Path, loop: dict[str, str], size: int
) -> None:
    with Pod(tmp_path / "data", "--client-timeout=1s", env=loop) as pod:
        stored = request("POST", "/", f"Content-Length: {size}", body=bytes(size))
        assert statuses(await exchange(pod.url, stored)) == [200]
        open_before = sockets(pod.process.pid)
        with deaf_client(pod.url) as client:
            client.sendall(b"GET /data HTTP/1.1\r\nHost: a\r\n\r\n" * (1 if size > 1 << 16 else 30))
            assert client.recv(1)
            assert sockets(pod.process.pid) == open_before + 1
            for _ in range(20):  # it takes a little now and then, and gains no time by it
                await asyncio.sleep(0.05)
                client.recv(100)
            until("the server to end it", lambda: sockets(pod.process.pid) == open_before, 2)


async def test_one_that_idles_though_it_has_not_taken_its_answers_is_let_go(tmp_path: Path) -> None:
    """Also where the kernel does not see to that."""
    (tmp_path / "kubia.txt").write_bytes(b"x" * 60_000)
    app = build(Settings(data_dir=tmp_path, client_timeout=0.2), pod="kubia-0", service=None, port=8080)
    async with serving(app, patience=0.4) as (url, runner):
        with deaf_client(url) as client:
            client.sendall(100 * b"GET /data HTTP/1.1\r\nHost: a\r\n\r\n")
            assert runner.server
            async with asyncio.timeout(5):
                while not runner.server.connections:  # noqa: ASYNC110 - a connection is no event
                    await asyncio.sleep(0.01)
                while runner.server.connections:  # noqa: ASYNC110 - nor is its end
                    await asyncio.sleep(0.01)


# --- Clients that send no more ---------------------------------------------------------------------

KEPT = b"GET /data HTTP/1.1\r\nHost: a\r\n\r\n"
STORE = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\n1"


@pytest.mark.parametrize(
    ("sent", "answers"),
    [
        (KEPT, [200]),
        (b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", [200]),
        (STORE, [200]),
        (STORE * 3 + KEPT, [200] * 4),
        (STORE + b"GET /", [200]),
        (b"", []),
        (b"GET /", []),
    ],
)
async def test_a_client_that_shuts_down_its_sending_half_gets_its_answers(
    tmp_path: Path, loop: dict[str, str], sent: bytes, answers: list[int]
) -> None:
    with Pod(tmp_path / "data", env=loop) as pod:
        assert statuses(await exchange(pod.url, request("POST", "/", "Content-Length: 1", body=b"1"))) == [
            200
        ]
        async with asyncio.timeout(5):
            assert statuses(await exchange(pod.url, sent, end=True)) == answers


async def test_one_that_never_sends_anything_is_let_go_however_early_it_says_so(
    tmp_path: Path, loop: dict[str, str]
) -> None:
    with Pod(tmp_path / "data", env=loop) as pod:
        for _ in range(50):
            async with asyncio.timeout(5):
                assert await exchange(pod.url, end=True) == b""


async def test_so_does_one_whose_request_repeats_the_one_before_it(
    tmp_path: Path, loop: dict[str, str]
) -> None:
    with Pod(tmp_path / "data", env=loop) as pod:
        for last in (STORE, KEPT, STORE + KEPT):
            reader, writer = await connect(pod.url)
            for _ in range(5):
                writer.write(STORE)
                assert statuses(await reader.readuntil(b"on pod kubia-0\n")) == [200]
            writer.write(last)
            writer.write_eof()
            async with asyncio.timeout(5):
                assert statuses(await reader.read()) == [200] * (2 if last == STORE + KEPT else 1)
            writer.close()


@pytest.mark.parametrize("pause", [0.0, 0.05], ids=["together", "later"])
@pytest.mark.parametrize("framing", ["Content-Length: 10", "Transfer-Encoding: chunked"])
async def test_a_client_that_shuts_down_within_its_value_is_told_so(
    tmp_path: Path, loop: dict[str, str], framing: str, pause: float
) -> None:
    head = f"POST / HTTP/1.1\r\nHost: a\r\n{framing}\r\n\r\n".encode()
    with Pod(tmp_path / "data", env=loop) as pod:
        async with asyncio.timeout(5):
            answer = await exchange(pod.url, head, b"5\r\n", pause=pause, end=True)
        assert statuses(answer) == [400]
        assert not (pod.data_dir / "kubia.txt").exists()


async def test_a_large_value_is_stored_though_its_client_shuts_down_behind_it(
    tmp_path: Path, loop: dict[str, str]
) -> None:
    size = 1 << 20
    head = f"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {size}\r\n\r\n".encode()
    with Pod(tmp_path / "data", env=loop) as pod:
        async with asyncio.timeout(10):
            assert statuses(await exchange(pod.url, head + bytes(size), end=True)) == [200]
        assert (pod.data_dir / "kubia.txt").stat().st_size == size
