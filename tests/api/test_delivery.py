"""Large answers: rendered in a thread, bounded where values grow by being shown, sent to slow clients."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import aiohttp
import pytest

from kubia_pet.limits import MAX_OVERVIEW_BYTES, MAX_SENDING_BYTES, SENDING_PATIENCE
from tests.hostile.clients.raw_http import body_of, deaf_client, exchange, header_of, request, statuses
from tests.support.bad_peers import answers, peer
from tests.support.dns_server import SERVICE, NameServer, Zone
from tests.support.pod import Pod
from tests.support.streams import ask

JSON = {"Accept": "application/json"}
Crowd = Callable[[int, bytes], AbstractAsyncContextManager[aiohttp.ClientSession]]


@pytest.fixture
def crowd(tmp_path: Path) -> Crowd:
    """A client of kubia-0 which has so many peers, each with the same value."""

    @asynccontextmanager
    async def start(peers: int, value: bytes) -> AsyncIterator[aiohttp.ClientSession]:
        zone = Zone()
        async with peer(answers(value, Content_Type="text/plain")) as port:
            for ordinal in range(1, peers + 1):
                zone.add(f"kubia-{ordinal}", port)
            with NameServer(zone) as server:
                nameserver = "{}:{}".format(*server.address)
                times = "--peer-timeout=20s", "--gather-timeout=20s"
                options = f"--service={SERVICE}", f"--nameserver={nameserver}", *times
                with Pod(tmp_path / "data", *options) as pod:
                    async with aiohttp.ClientSession(pod.url) as client:
                        yield client

    return start


async def test_a_large_answer_carries_every_value(crowd: Crowd) -> None:
    value = "é" * 100_000
    async with crowd(2, value.encode()) as client:
        async with client.get("/", headers=JSON) as response:
            assert response.status == 200
            answer = await response.json()
        async with client.get("/") as response:
            lines = (await response.text()).splitlines()
    assert [each["value"] for each in answer["peers"]] == [None, value, value]
    assert answer["discovery"]["age"] >= 0
    assert [line.endswith(f": {value}") for line in lines[3:]] == [False, True, True]


@pytest.mark.parametrize("value", [b"\0" * 2**20, b"\xff" * 2**20, b"\0" * 2**19 + "🐾".encode() * 2**17])
async def test_values_that_grow_by_being_shown_leave_the_last_peers_out(crowd: Crowd, value: bytes) -> None:
    async with crowd(16, value) as client, client.get("/") as response:
        text = await response.text()
        assert response.status == 200
    last = text.splitlines()[-1]
    left_out = f"left out: the answer is over {MAX_OVERVIEW_BYTES} bytes without it"
    assert last == f"! kubia-16.{SERVICE.rstrip('.')}: {left_out}"
    assert len(text.encode()) < MAX_OVERVIEW_BYTES + 6 * len(value)


async def test_in_json_too_and_with_a_stable_code(crowd: Crowd) -> None:
    async with crowd(16, b"\0" * 2**20) as client, client.get("/", headers=JSON) as response:
        assert response.status == 200
        peers = (await response.json())["peers"]
    assert [each["ordinal"] for each in peers] == [*range(17)]
    assert peers[-1]["error"]["code"] == "too-much"
    assert peers[1]["value"] == "\0" * 2**20


async def test_clients_that_do_not_read_large_answers_do_not_keep_others_from_theirs(
    tmp_path: Path, loop: dict[str, str]
) -> None:
    size = 1 << 20
    with Pod(tmp_path / "data", env=loop) as pod:
        await exchange(pod.url, request("POST", "/", f"Content-Length: {size}", body=bytes(size)))
        deaf = [deaf_client(pod.url) for _ in range(MAX_SENDING_BYTES // size)]
        for client in deaf:
            client.sendall(b"GET /data HTTP/1.1\r\nHost: a\r\n\r\n")
            assert client.recv(1)
        refused = await ask(pod.url, "GET", "/data")
        assert (statuses(refused), header_of(refused, "Retry-After")) == ([503], "1")
        await asyncio.sleep(SENDING_PATIENCE)  # the others might have been slow, until now
        assert len(body_of(await ask(pod.url, "GET", "/data"))) == size
        for client in deaf:
            client.close()
