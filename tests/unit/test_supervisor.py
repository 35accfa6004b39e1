"""What `kubia-pet local` shows of its pods' logs, and how it judges them by their probes."""

import asyncio
import logging
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path

import pytest
from aiohttp import web

from kubia_pet.local.supervisor import LocalPod
from kubia_pet.logs import RELAYED


async def test_a_line_that_is_too_long_is_left_out_and_no_other(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(RELAYED, "propagate", True)
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", "print('before'); print('x' * 100_000); print('after')"),
        stdout=asyncio.subprocess.PIPE,
    )
    with caplog.at_level(logging.INFO, RELAYED.name):
        await LocalPod("kubia-0", 1, tmp_path, (), {})._relay(process)  # noqa: SLF001 - a pod writes none so long
    await process.wait()
    assert (caplog.messages[0], caplog.messages[-1]) == ("kubia-0 | before", "kubia-0 | after")


@dataclass
class Probed:
    """A pod that the supervisor probes: what it says to that is set here."""

    endpoints: dict[str, tuple[str, int]] = field(default_factory=dict)
    status: HTTPStatus = HTTPStatus.OK
    probes: int = 0
    changed: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def readyz(self, _: web.Request) -> web.Response:
        async with self.changed:
            self.probes += 1
            self.changed.notify_all()
        return web.Response(status=self.status)

    async def answered(self, more: int) -> None:
        """Returns when so many more probes came, and the last but one of them was judged."""
        async with self.changed:
            enough = self.probes + more
            await self.changed.wait_for(lambda: self.probes >= enough)


@asynccontextmanager
async def probed(tmp_path: Path) -> AsyncIterator[Probed]:
    """A pod in the list, and probed."""
    pod = Probed()
    app = web.Application()
    app.router.add_get("/readyz", pod.readyz)
    app.router.add_get("/healthz", _alive)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    watching = asyncio.create_task(LocalPod("kubia-0", port, tmp_path, (), pod.endpoints)._watch())  # noqa: SLF001 - its process is this one
    try:
        await pod.answered(2)
        assert pod.endpoints == {"kubia-0": ("127.0.0.1", port)}
        yield pod
    finally:
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)
        await runner.cleanup()


async def _alive(_: web.Request) -> web.Response:
    return web.Response()


async def test_a_pod_leaves_the_list_after_three_failures_in_a_row(tmp_path: Path) -> None:
    async with probed(tmp_path) as pod:
        pod.status = HTTPStatus.SERVICE_UNAVAILABLE
        await pod.answered(2)
        pod.status = HTTPStatus.OK
        await pod.answered(2)
        assert pod.endpoints
        pod.status = HTTPStatus.SERVICE_UNAVAILABLE
        await pod.answered(3)
        assert pod.endpoints
        await pod.answered(1)
        assert not pod.endpoints


async def test_a_failure_does_not_count_while_the_supervisor_itself_is_late(tmp_path: Path) -> None:
    async with probed(tmp_path) as pod:
        busy = asyncio.create_task(_busy())
        await pod.answered(2)
        pod.status = HTTPStatus.SERVICE_UNAVAILABLE
        await pod.answered(5)
        assert pod.endpoints
        busy.cancel()
        with suppress(asyncio.CancelledError):
            await busy
        await pod.answered(5)
        assert not pod.endpoints


async def _busy() -> None:
    """Keeps the event loop from its work for most of each second and a half."""
    while True:
        await asyncio.sleep(0.9)
        time.sleep(0.8)  # noqa: ASYNC251 - what it is about
