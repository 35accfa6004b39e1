"""Values over the limit, many at once: refused, in bounded memory."""

import asyncio
from collections import Counter
from pathlib import Path

import pytest

from kubia_pet.limits import MAX_BUFFERED_BODIES
from tests.hostile.clients.raw_http import body_of, exchange, request, statuses
from tests.hostile.clients.vitals import forget_peak, memory, peak_memory, reads_proc
from tests.support.pod import Pod

LIMIT = 1 << 20
CLIENTS = 100
OLD = b"the old value"


def declared() -> list[bytes]:
    value = bytes(LIMIT + 1)
    return [request("POST", "/", f"Content-Length: {len(value)}"), *pieces_of(value)]


def chunked() -> list[bytes]:
    chunks = [b"%x\r\n" % len(piece) + piece + b"\r\n" for piece in pieces_of(bytes(LIMIT + 1))]
    return [request("POST", "/", "Transfer-Encoding: chunked"), *chunks, b"0\r\n\r\n"]


def pieces_of(value: bytes) -> list[bytes]:
    return [value[at : at + (1 << 16)] for at in range(0, len(value), 1 << 16)]


@reads_proc
@pytest.mark.parametrize("sent", [declared(), chunked()], ids=["with its length", "chunked"])
async def test_a_hundred_values_over_the_limit_are_refused_in_bounded_memory(
    tmp_path: Path, sent: list[bytes]
) -> None:
    with Pod(tmp_path / "data") as pod:
        put = request("POST", "/", f"Content-Length: {len(OLD)}", body=OLD)
        assert statuses(await exchange(pod.url, put)) == [200]
        await exchange(pod.url, *sent)
        forget_peak(pod.process.pid)
        before = memory(pod.process.pid)
        answers = await asyncio.gather(*(exchange(pod.url, *sent) for _ in range(CLIENTS)))
        grown = peak_memory(pod.process.pid) - before
        seen = Counter(status for answer in answers for status in statuses(answer))
        print(f"{dict(seen)}, {grown / 2**20:.1f} MiB more at most")  # noqa: T201 - the figures
        # Those that were let in are told of the limit, the others that there are too many.
        assert seen[413] + seen[503] == CLIENTS
        assert seen[413] >= (CLIENTS if sent[0] == declared()[0] else MAX_BUFFERED_BODIES)
        # What may be in memory as values, and for each connection what was received and not looked at yet.
        assert grown <= MAX_BUFFERED_BODIES * LIMIT + CLIENTS * LIMIT // 2
        assert body_of(await exchange(pod.url, request("GET", "/data"))) == OLD
