"""Responses of a peer over one connection, one after the other."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from kubia_pet.limits import MAX_REPEATED_BYTES
from kubia_pet.peers.connection import PeerConnection, Response, only_ok
from tests.support.bad_peers import peer, request


def answer(body: bytes, status: str = "200 OK") -> bytes:
    return b"HTTP/1.1 %b\r\nContent-Length: %d\r\n\r\n%b" % (status.encode(), len(body), body)


@asynccontextmanager
async def connected(answers: Sequence[Sequence[bytes]]) -> AsyncIterator[PeerConnection]:
    """To a peer that gives these answers in turn, each in such pieces."""

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for pieces in answers:
            await request(reader)
            for piece in pieces:
                writer.write(piece)
                await writer.drain()
                await asyncio.sleep(0.02)  # each piece by itself
        await reader.read()

    async with peer(behave) as port:
        _, connection = await asyncio.get_running_loop().create_connection(
            lambda: PeerConnection(1 << 20, only_ok), "127.0.0.1", port
        )
        yield connection
        connection.close()


async def ask(connection: PeerConnection) -> Response:
    response: asyncio.Future[Response] = asyncio.get_running_loop().create_future()
    connection.send(b"GET /data HTTP/1.1\r\nHost: x\r\n\r\n", response, None)
    async with asyncio.timeout(5):
        return await response


async def test_equal_answers_are_one_and_each_other_one_is_read() -> None:
    one, other = answer(b"one"), answer(b"other")
    async with connected([[one], [one], [other], [one], [one[:20], one[20:]], [one]]) as connection:
        responses = [await ask(connection) for _ in range(6)]
        assert [each.body for each in responses] == [b"one", b"one", b"other", b"one", b"one", b"one"]
        assert responses[0] is responses[1], "it is not parsed again"
        assert connection.reusable


async def test_a_begin_that_equals_a_whole_answer_is_read_to_its_end() -> None:
    one = answer(b"one")
    async with connected([[one], [one + b"HTTP/1.1 200 OK\r\n"]]) as connection:
        assert (await ask(connection)).body == b"one"
        assert (await ask(connection)).body == b"one"
        assert not connection.reusable, "what came after it was not asked for"


async def test_a_large_answer_is_read_each_time() -> None:
    large = answer(b"x" * MAX_REPEATED_BYTES)
    async with connected([[large], [large]]) as connection:
        first, second = await ask(connection), await ask(connection)
    assert first == second
    assert first is not second
