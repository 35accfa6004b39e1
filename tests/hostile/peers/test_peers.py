"""Peers that do everything wrong: one labelled line each, in time and bounded memory, the others there."""

import asyncio
import gzip
import tracemalloc
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack, contextmanager

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.hostile.peers.crowd import crowd
from tests.hostile.peers.loop_watch import BOUND, shortest_hold
from tests.support.bad_peers import (
    CHUNKED,
    FLOODS,
    ONE_BYTE_A_SECOND,
    Behaviour,
    answers,
    black_hole,
    closes_at_once,
    hangs,
    peer,
    refusing,
    request,
    resets,
    resets_in_its_answer,
    says,
)
from tests.support.gathering import MIB, View, label_of, view_of

OK = b"HTTP/1.1 200 OK\r\n"
GOOD = answers(b"Hey there!", Content_Type="text/plain")
BOMB = gzip.compress(bytes(100 * MIB))
EACH = 0.5  # seconds for a peer to answer

BAD: dict[str, tuple[Behaviour, str]] = {
    "accepts and hangs": (hangs, "(timeout)"),
    "hangs after the status": (says(OK, then_close=False), "(timeout)"),
    "hangs after the header": (says(OK + b"Content-Length: 5\r\n\r\n", then_close=False), "(timeout)"),
    "one byte a second": (ONE_BYTE_A_SECOND, "(timeout)"),
    "more length than body": (says(OK + b"Content-Length: 50\r\n\r\nshort"), "(garbled)"),
    "more length, and stays": (says(OK + b"Content-Length: 50\r\n\r\nshort", then_close=False), "(timeout)"),
    "less length than body": (says(OK + b"Content-Length: 3\r\n\r\nHey there!"), "(garbled)"),
    "a length that is none": (says(OK + b"Content-Length: many\r\n\r\nHey"), "(garbled)"),
    "a negative length": (says(OK + b"Content-Length: -1\r\n\r\nHey"), "(garbled)"),
    "a huge length": (says(OK + b"Content-Length: 99999999999999999999999\r\n\r\nHey"), "(garbled)"),
    "a length over the limit": (says(OK + b"Content-Length: 99999999\r\n\r\nHey"), "(too-much)"),
    "two lengths": (says(OK + b"Content-Length: 3\r\nContent-Length: 4\r\n\r\nHey!"), "(garbled)"),
    "length and chunks": (
        says(OK + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nHey\r\n0\r\n\r\n"),
        "(garbled)",
    ),
    "garbage": (says(b"\x16\x03\x01\x00\xa5 \xff\xfe\xfd\r\n\r\n"), "(garbled)"),
    "a chunk size that is none": (says(CHUNKED + b"zz\r\nHey\r\n0\r\n\r\n"), "(garbled)"),
    "a chunk that breaks off": (says(CHUNKED + b"ff\r\nHey"), "(garbled)"),
    "chunks without an end": (says(CHUNKED + b"3\r\nHey\r\n"), "(garbled)"),
    "a header line of 1 MiB": (says(OK + b"X: " + b"y" * MIB + b"\r\n\r\n"), "(garbled)"),
    "a reset": (resets, "(closed)"),
    "closes at once": (closes_at_once, "(closed)"),
    "closes after the status": (says(OK), "(closed)"),
    "a redirect": (answers(b"", "302 Found", Location="http://127.0.0.1:1/data"), "(status)"),
    "an error": (answers(b"Oops", "500 Internal Server Error"), "(status)"),
    "a status that is none": (says(b"HTTP/1.1 999 What\r\nContent-Length: 0\r\n\r\n"), "(status)"),
    "a switch of protocols": (says(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n"), "(status)"),
    "a switch that it says is agreed": (
        says(b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\nx"),
        "(status)",
    ),
    "an offer to switch": (
        says(OK + b"Connection: Upgrade\r\nUpgrade: x\r\nContent-Length: 3\r\n\r\nHey"),
        "Hey",
    ),
    "a reset in an answer without length": (resets_in_its_answer, "(garbled)"),
    "another program's page": (answers(b"<html>", Content_Type="text/html"), "(not-a-pet)"),
    "a gzip bomb": (answers(BOMB, Content_Encoding="gzip", Content_Type="text/plain"), "(not-a-pet)"),
    "a control character in its header": (answers(b"x", Content_Type="text/\x1b[2Jx"), "(garbled)"),
    "an odd content type": (answers(b"x", Content_Type="text/\u202e2Jx"), "(not-a-pet)"),
}


@contextmanager
def unconnected(kind: str) -> Iterator[int]:
    """The port of a peer that gives no connection."""
    with ExitStack() as stack:
        yield stack.enter_context({"refuses": refusing, "is a black hole": black_hole}[kind]())


async def said_of(port: int) -> str:
    """The label of the peer at this port, between two good ones: in time, one safe line, nothing held."""
    labels: dict[str, str] = {}
    async with (
        peer(GOOD) as good,
        view_of({"kubia-1": good, "kubia-2": port, "kubia-3": good}, each=EACH) as view,
    ):

        async def gather() -> None:
            for host, answer in (await view.answers()).items():
                labels[host] = label_of(answer)
                assert answer.error is None or answer.error.message.isprintable()
            assert view.took < EACH + 0.05 + 0.2  # 0.05 as promised, the rest for a busy machine

        assert await shortest_hold(gather) < BOUND
    assert labels.pop("kubia-1") == labels.pop("kubia-3") == "Hey there!"
    return labels["kubia-2"]


@pytest.mark.parametrize("kind", BAD)
async def test_a_bad_peer_costs_its_own_line_only(kind: str) -> None:
    behaviour, label = BAD[kind]
    async with peer(behaviour) as port:
        assert await said_of(port) == label


@pytest.mark.parametrize(("kind", "label"), [("refuses", "(refused)"), ("is a black hole", "(timeout)")])
async def test_a_peer_that_gives_no_connection_costs_its_own_line_only(kind: str, label: str) -> None:
    with unconnected(kind) as port:
        assert await said_of(port) == label


async def test_one_black_hole_in_ten_peers_is_waited_for_no_longer_than_the_deadline() -> None:
    with black_hole() as lost:
        async with peer(GOOD) as good:
            ports = {f"kubia-{ordinal}": good for ordinal in range(1, 10)} | {"kubia-10": lost}
            async with view_of(ports, connecting=5, each=EACH) as view:
                took = []
                for _ in range(4):
                    labels = await view.labels()
                    took.append(view.took)
                    assert labels.pop("kubia-10") == "(timeout)"
                    assert list(labels.values()) == ["Hey there!"] * 9
    assert min(took) <= EACH + 0.05


async def _measured(kind: str, number: int, run: Callable[[View], Awaitable[None]]) -> int:
    """The most bytes of memory that `run` needed at a time, with so many peers of this kind."""
    with crowd(number, kind) as (port, _):
        ports = {f"kubia-{ordinal}": port for ordinal in range(1, number + 1)}
        async with view_of(ports, connecting=0.5, each=EACH, together=1.5) as view:
            tracemalloc.start()
            try:
                await run(view)
                return tracemalloc.get_traced_memory()[1]
            finally:
                tracemalloc.stop()


@pytest.mark.parametrize("kind", FLOODS)
async def test_a_peer_that_never_ends_is_ended_and_holds_nobody_up(kind: str) -> None:
    with crowd(1, kind) as (port, _):
        async with view_of({"kubia-1": port}, each=EACH) as view:

            async def gather() -> None:
                (label,) = (await view.labels()).values()
                assert label in {"(too-much)", "(garbled)", "x"}  # not for its deadline, but for what it sent
                assert view.took < EACH + 0.5

            assert await shortest_hold(gather) < BOUND


@pytest.mark.parametrize("kind", [*FLOODS, "nearly endless"])
async def test_many_peers_that_never_end_need_bounded_memory(kind: str) -> None:
    async def gather(view: View) -> None:
        await view.labels()

    # 24 at a time with 1 MiB each, joined once; 16 MiB of good values; some for what is being parsed.
    assert await _measured(kind, 64, gather) < (2 * 24 + 16 + 8) * MIB


@pytest.mark.parametrize("kept", [1, 2, 3])
async def test_kept_connections_that_are_cut_at_the_worst_moment_are_no_error(kept: int) -> None:
    """After the request was written, before a byte of the answer; however many were kept."""
    together = asyncio.Barrier(kept)
    served = 0

    async def once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal served
        await request(reader)
        served += 1
        if served <= kept:
            await together.wait()  # so that each of the first gatherings needs a connection of its own
        writer.write(OK + b"Content-Length: 2\r\n\r\nme")
        await request(reader)
        writer.transport.abort()

    async with peer(once) as port, view_of({"kubia-1": port}, each=1.0) as view:
        await asyncio.gather(*(view.labels() for _ in range(kept)))
        assert served == kept
        for _ in range(3):
            assert await view.labels() == {"kubia-1": "me"}


async def test_a_peer_that_always_cuts_is_asked_a_few_times_within_its_deadline() -> None:
    asked = 0

    async def never(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal asked
        await request(reader)
        asked += 1
        writer.transport.abort()

    async with peer(never) as port, view_of({"kubia-1": port}, each=EACH) as view:
        assert await view.labels() == {"kubia-1": "(closed)"}
        assert view.took < EACH + 0.25
    assert asked <= 4


async def test_an_answer_before_the_question_is_not_taken_for_the_next_ones() -> None:
    """What a peer sends after its answer closes the connection, and with it what was sent."""

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request(reader)
        answer = OK + b"Content-Length: 4\r\n\r\n"
        writer.write(answer + b"true" + answer + b"fake")
        await reader.read()

    async with peer(behave) as port, view_of({"kubia-1": port}) as view:
        for _ in range(3):
            assert await view.labels() == {"kubia-1": "true"}


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(said=st.binary(max_size=60), typed=st.binary(max_size=40), cut=st.integers(0, 120))
def test_whatever_a_peer_says_is_a_value_or_one_safe_label(said: bytes, typed: bytes, cut: int) -> None:
    whole = OK + b"Content-Type: " + typed + b"\r\nContent-Length: %d\r\n\r\n" % len(said) + said

    async def asked() -> None:
        async with peer(says(whole[: 20 + cut])) as port, view_of({"kubia-1": port}, each=2.0) as view:
            (_, answer) = (await view.answers()).values()
        if answer.error is None:
            assert answer.value is not None
            assert answer.value.data == said or b"\n" in typed
        else:
            assert answer.error.message.isprintable()
            assert answer.error.message.isascii()
            assert answer.error.code in {"garbled", "closed", "not-a-pet", "timeout", "status", "too-much"}

    asyncio.run(asked())


SEVERAL = [
    OK + b"Content-Length: 10\r\nContent-Type: text/plain\r\n\r\nHey there!",
    CHUNKED + b"3\r\nHey\r\n7;x=y\r\n there!\r\n0\r\nTrailer: z\r\n\r\n",
    OK + b"\r\nHey there!",
    b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 404 Not Found\r\nContent-Length: 18\r\n\r\nNo data posted yet",
]


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    whole=st.sampled_from(SEVERAL),
    cuts=st.lists(st.tuples(st.integers(0, 120), st.integers(0, 4), st.binary(max_size=6)), max_size=3),
    portion=st.integers(1, 60),
)
def test_a_mangled_answer_is_a_value_or_one_safe_label(
    whole: bytes, cuts: list[tuple[int, int, bytes]], portion: int
) -> None:
    for where, length, new in cuts:
        whole = whole[:where] + new + whole[where + length :]
    pieces = [whole[at : at + portion] for at in range(0, len(whole), portion)]

    async def asked() -> None:
        async with peer(says(*pieces)) as port, view_of({"kubia-1": port}, each=2.0) as view:
            (_, answer) = (await view.answers()).values()
        if answer.error is not None:
            assert answer.error.message.isprintable()
            assert answer.error.message.isascii()
            assert answer.error.code in {"garbled", "closed", "not-a-pet", "timeout", "status", "too-much"}
        if not cuts:
            assert label_of(answer) in {"Hey there!", "None"}

    asyncio.run(asked())
