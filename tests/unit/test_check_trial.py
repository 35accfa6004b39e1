"""Old values are put back whatever happens to who wrote: against a pod that takes its time."""

import asyncio
from collections.abc import AsyncIterator
from copy import copy
from dataclasses import dataclass, field

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from kubia_pet.check.trial import Trial
from kubia_pet.client.errors import NotTriedError, UnansweredError
from kubia_pet.client.pod import PodClient
from kubia_pet.client.sessions import session


@dataclass
class SlowPod:
    """Keeps a value, as a pod does; each change takes `delay` seconds, and `lost` answers never come."""

    value: bytes = b"before"
    delay: float = 0.0
    lost: int = 0
    writes: int = 0
    silent: bool = False
    away: list[int] = field(default_factory=list)  # the API server's answers in its place
    limit: int = 1000
    written: asyncio.Event = field(default_factory=asyncio.Event)

    async def get(self, request: web.Request) -> web.Response:
        if self.silent and request.transport:
            request.transport.abort()
        if self.away:
            return web.json_response({"kind": "Status"}, status=self.away.pop())
        return web.Response(body=self.value, headers={"ETag": f'"{self.value.hex()}"'})

    async def put(self, request: web.Request) -> web.Response:
        body = await request.read()
        if len(body) > self.limit:
            return web.Response(status=413)
        if request.headers.get("If-Match") == '"-"':  # it asks, and changes nothing
            return web.Response(status=412)
        self.writes += 1
        self.written.set()
        number = self.writes
        await asyncio.shield(asyncio.sleep(self.delay))
        if request.headers.get("If-Match") != f'"{self.value.hex()}"':
            return web.Response(status=412)
        self.value = body
        if number <= self.lost and request.transport:
            request.transport.abort()
        return web.Response(text="Data stored on pod kubia-0\n")


@pytest.fixture
async def slow() -> AsyncIterator[tuple[SlowPod, PodClient]]:
    pod, app = SlowPod(), web.Application()
    app.add_routes([web.get("/data", pod.get), web.put("/data", pod.put)])
    async with TestServer(app) as server, session() as opened:
        yield pod, PodClient(opened, str(server.make_url("/")), name="kubia-0")


async def test_a_write_under_way_is_waited_for_before_the_old_value_is_put_back(
    slow: tuple[SlowPod, PodClient],
) -> None:
    pod, client = slow
    pod.delay = 0.3
    trial = Trial([client])
    writing = asyncio.create_task(trial.begin())
    await pod.written.wait()
    writing.cancel()
    await trial.end()
    assert trial.left == []
    assert (pod.value, pod.writes) == (b"before", 2)


async def test_who_is_ended_while_values_are_put_back_ends_after_that(
    slow: tuple[SlowPod, PodClient],
) -> None:
    pod, client = slow
    trial = Trial([client])
    await trial.begin()
    assert pod.value.startswith(b"kubia-pet check ")
    pod.delay = 0.3
    pod.written.clear()
    ending = asyncio.create_task(trial.end())
    await pod.written.wait()
    ending.cancel()
    with pytest.raises(asyncio.CancelledError):
        await ending
    assert (trial.left, pod.value, pod.writes) == ([], b"before", 2)


async def test_a_write_whose_answer_never_came_is_looked_for_again(
    slow: tuple[SlowPod, PodClient], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kubia_pet.check.trial.LATE_WRITE_TIME", 0.1)
    pod, client = slow
    pod.lost = 1
    trial = Trial([client])
    (part,) = await trial.begin()
    assert part.refusal is not None
    await trial.end()
    assert trial.left == []
    assert pod.value == b"before"


async def test_nothing_is_written_over_a_value_that_could_not_be_put_back(
    slow: tuple[SlowPod, PodClient],
) -> None:
    pod, client = slow
    pod.value = large = b"x" * (pod.limit + 1)
    trial = Trial([client])
    (part,) = await trial.begin()
    assert isinstance(part.refusal, NotTriedError)
    await trial.end()
    assert trial.left == []
    assert (pod.value, pod.writes) == (large, 0)


async def test_a_value_of_somebody_else_stays(slow: tuple[SlowPod, PodClient]) -> None:
    pod, client = slow
    trial = Trial([client])
    await trial.begin()
    pod.value = b"mine"
    await trial.end()
    assert trial.left == []
    assert (pod.value, pod.writes) == (b"mine", 1)


async def test_another_runs_value_is_never_taken_for_the_pods_own(slow: tuple[SlowPod, PodClient]) -> None:
    pod, client = slow
    first, second = Trial([client]), Trial([client])
    await first.begin()
    (part,) = await second.begin()
    assert isinstance(part.refusal, NotTriedError)
    await first.end()
    await second.end()
    assert pod.value == b"before"


async def test_a_pod_that_takes_its_value_back_no_more_is_told(
    slow: tuple[SlowPod, PodClient], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kubia_pet.check.trial.RESTORE_TIMEOUT", 0.3)
    pod, client = slow
    trial = Trial([client])
    await trial.begin()
    client.url = "http://127.0.0.1:9/"
    await trial.end()
    (said,) = trial.left
    assert said.startswith(
        "kubia-0 may still have this program's value instead of its own: it takes no connection"
    )
    assert pod.value.startswith(b"kubia-pet check ")


async def test_a_pod_that_was_not_even_read_has_nothing_to_be_put_back(
    slow: tuple[SlowPod, PodClient], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kubia_pet.check.trial.LATE_WRITE_TIME", 0.1)
    pod, client = slow
    pod.silent = True
    trial = Trial([client])
    (part,) = await trial.begin()
    assert isinstance(part.refusal, UnansweredError)
    await trial.end()
    assert (trial.left, pod.writes) == ([], 0)


@pytest.mark.parametrize("status", [400, 404, 429, 503])
async def test_a_pod_that_the_api_server_cannot_reach_for_a_moment_is_asked_again(
    slow: tuple[SlowPod, PodClient], status: int
) -> None:
    pod, client = slow
    trial = Trial([client])
    await trial.begin()
    pod.away = [status] * 3
    await trial.end()
    assert (trial.left, pod.value) == ([], b"before")


async def test_many_silent_pods_take_no_longer_than_one(
    slow: tuple[SlowPod, PodClient], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kubia_pet.check.trial.RESTORE_TIMEOUT", 0.5)
    pod, client = slow
    clients = [copy(client) for _ in range(40)]
    trial = Trial(clients[:1])
    await trial.begin()
    trial._kept |= dict.fromkeys(clients, trial._kept[clients[0]])  # noqa: SLF001 - forty pods in one
    pod.away = [503] * 10_000
    began = asyncio.get_running_loop().time()
    await trial.end()
    assert asyncio.get_running_loop().time() - began < 1.0
    assert len(trial.left) == 40
