"""How a value comes in: within its limit, in time, as it is framed."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from kubia_pet.limits import BODY_PATIENCE, MAX_BUFFERED_BODIES
from tests.api.conftest import LIMIT
from tests.hostile.clients.raw_http import body_of, exchange, header_of, request, statuses
from tests.support.pod import Pod
from tests.support.streams import Stream, ask, begin_upload, connect


@pytest.mark.parametrize("expect", [(), ("Expect: 100-continue",)])
async def test_a_value_over_the_limit_is_refused_before_a_byte_of_it_is_sent(
    holding: str, expect: tuple[str, ...]
) -> None:
    answer = await exchange(holding, request("POST", "/", f"Content-Length: {LIMIT + 1}", *expect))
    assert statuses(answer) == [413]


async def test_a_value_over_the_limit_is_refused_while_it_streams(holding: str) -> None:
    endless = b"%x\r\n" % (LIMIT + 1) + b"x" * (LIMIT + 1) + b"\r\n"
    answer = await exchange(holding, request("PUT", "/", "Transfer-Encoding: chunked"), endless)
    assert statuses(answer) == [413]


@pytest.mark.parametrize("framing", ["Content-Length: 4096", "Transfer-Encoding: chunked"])
async def test_a_value_of_exactly_the_limit_is_stored(strict: Pod, framing: str) -> None:
    value = b"y" * LIMIT
    body = value if framing.startswith("Content") else b"1000\r\n" + value + b"\r\n0\r\n\r\n"
    assert statuses(await exchange(strict.url, request("POST", "/", framing, body=body))) == [200]
    assert body_of(await ask(strict.url)) == value


async def test_a_body_that_is_wanted_is_asked_for_once(strict: Pod) -> None:
    reader, writer = await begin_upload(strict.url)
    writer.write(b"four")
    answer = await reader.read()
    assert statuses(answer) == [200]
    assert body_of(await ask(strict.url)) == b"four"
    writer.close()


async def test_a_client_of_http_1_0_is_not_told_to_continue(strict: Pod) -> None:
    sent = b"POST / HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n1"
    assert statuses(await exchange(strict.url, sent)) == [200]


@pytest.mark.parametrize(
    ("framing", "begun"),
    [("Content-Length: 10", b"12345"), ("Transfer-Encoding: chunked", b"5\r\n12345\r\n")],
)
async def test_a_body_that_stalls_is_given_up(holding: str, framing: str, begun: bytes) -> None:
    answer = await exchange(holding, request("POST", "/", framing, body=begun))
    assert statuses(answer) == [408]


async def test_a_body_that_drips_gains_no_time(holding: str) -> None:
    began = time.monotonic()
    answer = await exchange(holding, request("POST", "/", "Content-Length: 99"), *([b"x"] * 40), pause=0.1)
    assert statuses(answer) in ([408], [])  # closed while it drips: the answer may not be read in time
    assert time.monotonic() - began < 1 + 2 + 0.5  # the deadline, two seconds more, the last pieces


async def test_a_body_that_breaks_off_is_not_a_value(holding: str) -> None:
    _, writer = await connect(holding, request("POST", "/", "Content-Length: 10", body=b"12345"))
    writer.close()
    await writer.wait_closed()
    answer = await exchange(
        holding, request("POST", "/", "Transfer-Encoding: chunked", body=b"5\r\n123456\r\n")
    )
    assert statuses(answer) in ([400], [])


async def test_an_encoded_value_is_refused(holding: str) -> None:
    lines = ("Content-Encoding: gzip", "Content-Length: 4")
    assert statuses(await exchange(holding, request("POST", "/", *lines, body=b"1234"))) == [415]


# --- Many at once ----------------------------------------------------------------------------------

SLOW = 1 << 20


@asynccontextmanager
async def all_but_one_byte(url: str, count: int) -> AsyncIterator[list[Stream]]:
    """So many clients that stall before the last byte of the largest value."""
    head = f"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {SLOW}\r\n\r\n".encode()
    streams = [await connect(url, head + bytes(SLOW - 1)) for _ in range(count)]
    try:
        yield streams
    finally:
        for _, writer in streams:
            writer.transport.abort()


async def post(url: str, size: int) -> list[int]:
    return statuses(await exchange(url, request("POST", "/", f"Content-Length: {size}", body=bytes(size))))


async def test_small_values_have_room_though_large_ones_stall(tmp_path: Path, loop: dict[str, str]) -> None:
    with Pod(tmp_path / "data", env=loop) as pod:
        async with all_but_one_byte(pod.url, MAX_BUFFERED_BODIES):
            for _ in range(100):
                assert await post(pod.url, 100) == [200]
            assert b'what="bodies"} 0.0' in await ask(pod.url, "GET", "/metrics")  # none was in another's way


async def test_those_that_stall_make_room_after_a_short_patience_when_others_want_it(
    tmp_path: Path, loop: dict[str, str]
) -> None:
    with Pod(tmp_path / "data", env=loop) as pod:
        async with all_but_one_byte(pod.url, MAX_BUFFERED_BODIES) as stalling:
            for _ in range(3):
                began = time.monotonic()
                assert await post(pod.url, SLOW) == [200]
                assert time.monotonic() - began < BODY_PATIENCE + 1
            told = await stalling[0][0].read()
            assert (statuses(told), header_of(told, "Retry-After")) == ([408], "1")
            assert b'kubia_pet_refused_total{what="bodies"} 0.0' not in await ask(pod.url, "GET", "/metrics")
            last, its_end = stalling[-1]
            its_end.write(b"\0")  # it was in nobody's way, and may end in its own time
            assert (await last.readuntil(b"kubia-0\n")).startswith(b"HTTP/1.1 200 ")


async def test_many_large_values_at_once_are_all_stored(tmp_path: Path, loop: dict[str, str]) -> None:
    """More than there is room for: each waits for its own, and none is refused."""
    with Pod(tmp_path / "data", "--body-timeout=20s", env=loop) as pod:
        answers = await asyncio.gather(*(post(pod.url, SLOW) for _ in range(2 * MAX_BUFFERED_BODIES)))
        assert answers == [[200]] * len(answers)
