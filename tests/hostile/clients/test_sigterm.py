"""SIGTERM under load: what was begun is ended, what was acknowledged is kept."""

import asyncio
import contextlib
import time
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

import aiohttp
import pytest

from tests.hostile.clients.raw_http import address_of, request, statuses
from tests.hostile.clients.torture import times
from tests.support.pod import Pod

SIGTERMS = times(5, 50)
DRAIN, FINISH = 0.4, 5.0
CLIENTS = 8


@dataclass
class Load:
    """Clients at work; they begin no more requests once `endpoint` is gone, as in a cluster."""

    url: str
    answered: int = 0
    last_acknowledged: int = 0
    failures: list[str] = field(default_factory=list)
    endpoint_gone: asyncio.Event = field(default_factory=asyncio.Event)

    async def write(self, session: aiohttp.ClientSession, numbers: "count[int]") -> None:
        """One writer, so that it is known which value is the last."""
        while not self.endpoint_gone.is_set():
            number = next(numbers)
            if await self._ask(session, "POST", "/", str(number)):
                self.last_acknowledged = number

    async def read(self, session: aiohttp.ClientSession) -> None:
        while not self.endpoint_gone.is_set():
            await self._ask(session, "GET", "/data")
            await self._ask(session, "GET", "/")

    async def _ask(self, session: aiohttp.ClientSession, method: str, path: str, value: str = "") -> bool:
        try:
            async with session.request(method, self.url + path, data=value or None) as response:
                await response.read()
        except (aiohttp.ClientError, OSError) as error:
            self.failures.append(f"{method} {path}: {error!r}")
            return False
        if response.status != 200:
            self.failures.append(f"{method} {path}: {response.status}")
        self.answered += 1
        return response.status == 200


async def slow_upload(url: str, value: bytes, *, seconds: float) -> list[int]:
    reader, writer = await asyncio.open_connection(*address_of(url))
    writer.write(request("PUT", "/", f"Content-Length: {len(value)}"))
    for byte in value:
        writer.write(bytes([byte]))
        await writer.drain()
        await asyncio.sleep(seconds / len(value))
    answer = await reader.read()
    writer.close()
    return statuses(answer)


@pytest.mark.timeout(60 + 10 * SIGTERMS)
async def test_a_signal_under_load_fails_no_request_and_loses_no_value(tmp_path: Path) -> None:
    answered, slowest, numbers = 0, 0.0, count(1)
    for cycle in range(SIGTERMS):
        with Pod(tmp_path / "data", f"--drain={DRAIN}s", f"--finish={FINISH}s") as pod:
            load = Load(pod.url)
            assert await slow_upload(pod.url, b"begin", seconds=0) == [200]
            async with (
                aiohttp.ClientSession() as kept,
                aiohttp.ClientSession(connector=aiohttp.TCPConnector(force_close=True)) as anew,
                asyncio.TaskGroup() as tasks,
            ):
                tasks.create_task(load.write(kept if cycle % 2 else anew, numbers))
                for each in range(CLIENTS):
                    tasks.create_task(load.read(kept if each % 2 else anew))
                await asyncio.sleep(0.05 + 0.05 * (cycle % 5))
                # Every other time a value is on its way when the signal comes and the drain ends.
                upload = (
                    tasks.create_task(slow_upload(pod.url, b"slow", seconds=DRAIN + 0.4))
                    if cycle % 2
                    else None
                )
                await asyncio.sleep(0.05)
                began = time.monotonic()
                pod.process.terminate()
                await asyncio.sleep(DRAIN / 2)
                load.endpoint_gone.set()
            with contextlib.suppress(TimeoutError):
                await asyncio.to_thread(pod.process.wait, DRAIN + FINISH + 2)
            slowest = max(slowest, time.monotonic() - began)
            assert load.failures == []
            assert pod.process.returncode == 0
            assert "Traceback" not in pod.log.read_text()
            if upload:
                assert upload.result() == [200]
            stored = (pod.data_dir / "kubia.txt").read_text()
            assert stored == ("slow" if upload else str(load.last_acknowledged))
            assert load.answered > CLIENTS
            answered += load.answered
    print(f"{SIGTERMS} signals, {answered} requests, none failed; the slowest end took {slowest:.2f} s")  # noqa: T201
    assert slowest < DRAIN + 0.5 + 2
