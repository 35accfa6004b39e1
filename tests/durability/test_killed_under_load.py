"""kill -9 at random times under eight writers, then the next start: again and again."""

import asyncio
import hashlib
import os
import random
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import pytest

from tests.durability.asking import NOT_FOUND, STORED, get
from tests.durability.machine import LONG
from tests.support.pod import Pod, files_on

CYCLES = 1000 if LONG else 50 if "CI" in os.environ else 10
WRITERS = 8
SIZES = (0, 100, 4096, 65_536, 1_000_000)  # of the payload
LONGEST = 0.15  # seconds from the first write to the kill


@dataclass
class Attempt:
    """One value that was posted, and when."""

    number: int
    began: float
    acknowledged: float | None = None

    @classmethod
    def of(cls, value: bytes) -> int:
        """The number of the attempt that made `value`; fails where the value is torn."""
        head, _, payload = value.partition(b"\n")
        match = re.fullmatch(rb"(\d+) (\d+) ([0-9a-f]{64})", head)
        assert match, f"torn: {value[:200]!r}"
        assert len(payload) == int(match[2]), f"torn: {len(payload)} of {int(match[2])} bytes"
        assert hashlib.sha256(payload).hexdigest() == match[3].decode(), "torn: wrong checksum"
        return int(match[1])

    def value(self) -> bytes:
        """Its number, length and checksum, and as many bytes."""
        payload = random.randbytes(random.choices(SIZES, (2, 4, 4, 2, 1))[0])
        return b"%d %d %s\n%s" % (
            self.number,
            len(payload),
            hashlib.sha256(payload).hexdigest().encode(),
            payload,
        )


async def write_until_killed(pod: Pod, numbers: Iterator[int]) -> list[Attempt]:
    """Eight clients post values all the time, until the pod is killed at a random moment."""
    attempts: list[Attempt] = []

    async def write() -> None:
        while True:
            attempt = Attempt(next(numbers), time.monotonic())
            attempts.append(attempt)
            try:
                async with session.post(pod.url, data=attempt.value()) as response:
                    assert response.status == STORED
                    await response.read()
            except aiohttp.ClientError:
                return
            attempt.acknowledged = time.monotonic()

    async with aiohttp.ClientSession() as session, asyncio.TaskGroup() as writers:
        for _ in range(WRITERS):
            writers.create_task(write())
        await asyncio.sleep(random.uniform(0, LONGEST))
        pod.process.kill()
    pod.process.wait()
    return attempts


@pytest.mark.timeout(CYCLES * 5 + 60)
async def test_no_acknowledged_value_is_lost_and_none_torn_by_kill_9_under_eight_writers(
    tmp_path: Path,
) -> None:
    numbers = iter(range(1 << 62))
    acknowledged = attempted = survived = 0
    last: int | None = None  # what the pod was last seen to hold
    attempts: list[Attempt] = []
    for cycle in range(CYCLES + 1):
        with Pod(tmp_path / "data") as pod:
            reply = get(pod)
            found = Attempt.of(reply.body) if reply.status == STORED else None
            assert found is not None or reply.status == NOT_FOUND
            assert files_on(pod.data_dir) == ["kubia.txt"] * (found is not None)
            done = [attempt.acknowledged for attempt in attempts if attempt.acknowledged is not None]
            of_this = {attempt.number: attempt for attempt in attempts}
            if found in of_this:
                ended = of_this[found].acknowledged or float("inf")
                newer = [a for a in attempts if a.acknowledged is not None and a.began > ended]
                assert not newer, f"cycle {cycle}: {newer} were acknowledged after {of_this[found]}"
            else:
                assert found == last, f"cycle {cycle}: {found} is neither new nor the value before"
                assert not done, f"cycle {cycle}: {len(done)} acknowledged values are lost"
            last = found
            acknowledged += len(done)
            attempted += len(attempts)
            survived += found in of_this and of_this[found].acknowledged is None
            if cycle < CYCLES:
                attempts = await write_until_killed(pod, numbers)
    print(  # noqa: T201 - the figures of a long run
        f"\n{CYCLES} kills: {attempted} values attempted, {acknowledged} acknowledged, 0 lost, 0 torn; "
        f"after {survived} of them the pod held one whose writer had no answer"
    )
    assert acknowledged > CYCLES
