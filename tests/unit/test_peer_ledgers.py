"""The peers' ledgers: how often one is asked for, whatever its pod says or does."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest

from kubia_pet.model.peer import Peer
from kubia_pet.peers import ledgers
from kubia_pet.peers.ledgers import PeerLedgers
from kubia_pet.peers.result import PeerResult

NAME = "kubia-1.kubia.default.svc.cluster.local"
NOT_FOUND = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"
LEDGER = b'{"volume": {"id": "a", "mount": null}, "start": {}, "verdict": {}}'
FOUND = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(LEDGER), LEDGER)


class Pod:
    """It answers each request for its ledger with `answer`, or not at all where that is empty."""

    def __init__(self, answer: bytes) -> None:
        self.answer = answer
        self.asked = 0
        self.port = 0
        self.serving: set[asyncio.Task[None]] = set()

    def says(self, version: int) -> list[PeerResult]:
        """That its ledger is of this version."""
        peer = Peer(NAME, is_self=False, endpoints=(("127.0.0.1", self.port),))
        return [PeerResult(peer, ledger_version=str(version))]

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self.serving.add(task)
        try:
            while await reader.readuntil(b"\r\n\r\n"):
                self.asked += 1
                writer.write(self.answer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()


@asynccontextmanager
async def serving(answer: bytes) -> AsyncIterator[Pod]:
    pod = Pod(answer)
    server = await asyncio.start_server(pod.serve, "127.0.0.1", 0)
    pod.port = server.sockets[0].getsockname()[1]
    async with server:
        yield pod
        await asyncio.gather(*pod.serving)  # whoever asked has closed its connections


@asynccontextmanager
async def asking() -> AsyncIterator[PeerLedgers]:
    async with PeerLedgers(timeout=5, connect_timeout=5) as peers:
        yield peers


async def test_a_ledger_is_asked_for_once_for_each_version() -> None:
    async with serving(FOUND) as pod, asking() as peers:
        for version in (1, 1, 2, 2):
            assert NAME in await peers.of(pod.says(version))
        assert pod.asked == 2


async def test_one_that_cannot_be_had_is_left_alone_for_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    async with serving(NOT_FOUND) as pod, asking() as peers:
        for version in (1, 1, 2, 3):
            assert await peers.of(pod.says(version)) == {}
        assert pod.asked == 1
        monkeypatch.setattr(ledgers, "LEDGER_PAUSE", 0.0)
        pod.answer = FOUND
        assert NAME in await peers.of(pod.says(3))


async def test_a_pod_that_does_not_answer_is_asked_one_question_at_a_time() -> None:
    async with serving(b"") as pod, asking() as peers:
        for version in range(8):
            assert await peers.of(pod.says(version)) == {}
        assert pod.asked == 1
