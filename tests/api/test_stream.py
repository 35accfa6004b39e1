"""Answers that last: neither busy, nor in the way of the end, nor a latency."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest
from aiohttp import web

from kubia_pet.metrics import Metrics
from kubia_pet.web.app import CONNECTIONS, LIFECYCLE, METRICS
from kubia_pet.web.connections import Connections
from kubia_pet.web.delivery import LargeResponses
from kubia_pet.web.lifecycle import Lifecycle
from kubia_pet.web.middleware import Admission, Hosts, Instrumentation, Pipeline
from kubia_pet.web.route import Route, register
from kubia_pet.web.token import Token
from tests.hostile.clients.raw_http import request, statuses
from tests.support.serving import serving
from tests.support.streams import Stream, ask, connect

EVENTS = request("GET", "/events")


@dataclass
class Streaming:
    """An application that streams, and what became of its streams."""

    url: str
    connections: Connections
    metrics: Metrics
    ended: asyncio.Queue[str] = field(default_factory=asyncio.Queue)

    async def begin(self) -> Stream:
        reader, writer = await connect(self.url, EVENTS)
        await reader.readuntil(b"begun\n")
        return reader, writer


@asynccontextmanager
async def streaming(max_requests: int = 1) -> AsyncIterator[Streaming]:
    lifecycle, connections, metrics = Lifecycle(), Connections(5, max_requests), Metrics()
    served = Streaming("", connections, metrics)

    async def events(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b"begun\n")
        try:
            await asyncio.wait_for(asyncio.Event().wait(), float(request.query.get("fails_after", "60")))
        except BaseException as error:
            served.ended.put_nowait(type(error).__name__)
            raise
        return response

    async def plain(_: web.Request) -> web.Response:
        return web.Response(text="plain")

    app = web.Application()
    app[CONNECTIONS], app[LIFECYCLE], app[METRICS] = connections, lifecycle, metrics
    routes = register(
        app.router, [Route("GET", "/events", events, stream=True), Route("GET", "/plain", plain)]
    )
    admission = Admission(lifecycle, connections, Hosts("kubia-0", (), ()), Token(None))
    counting, large = Instrumentation(metrics), LargeResponses(metrics)
    pipeline = Pipeline(
        routes,
        lifecycle=lifecycle,
        connections=connections,
        admission=admission,
        instrumentation=counting,
        large=large,
    )
    app.middlewares.append(pipeline.handle)
    async with serving(app) as (served.url, _):
        yield served


async def test_streams_are_not_busy() -> None:
    async with streaming(max_requests=1) as served:
        streams = [await served.begin() for _ in range(3)]
        assert statuses(await ask(served.url, "GET", "/plain")) == [200]
        async with asyncio.timeout(1):
            await served.connections.wait_idle()
        for _, writer in streams:
            writer.transport.abort()


async def test_a_stream_is_no_latency() -> None:
    async with streaming() as served:
        _, writer = await served.begin()
        writer.transport.abort()
        await served.ended.get()
        assert statuses(await ask(served.url, "GET", "/plain")) == [200]
        seconds = [line for line in served.metrics.render().decode().splitlines() if "_seconds_count" in line]
    assert any("/plain" in line for line in seconds)
    assert not any("/events" in line for line in seconds)


async def test_a_stream_is_cancelled_when_its_client_is_gone() -> None:
    async with streaming() as served:
        _, writer = await served.begin()
        writer.transport.abort()
        async with asyncio.timeout(1):
            assert await served.ended.get() == "CancelledError"


async def test_streams_do_not_hold_up_the_end() -> None:
    async with streaming() as served:
        reader, writer = await served.begin()
        served.connections.end_streams()
        async with asyncio.timeout(1):
            assert await served.ended.get() == "CancelledError"
            await reader.read()
        writer.transport.abort()


async def test_streams_make_room_before_requests_that_are_under_way() -> None:
    async with streaming() as served:
        streams = [await served.begin() for _ in range(10)]  # the cap
        answer = await ask(served.url, "GET", "/plain")
        assert statuses(answer) == [200]
        async with asyncio.timeout(1):
            assert await served.ended.get() == "CancelledError"
            await streams[0][0].read()
        assert served.ended.empty()
        for _, writer in streams:
            writer.transport.abort()


async def test_a_stream_that_fails_is_cut_and_no_second_answer_is_put_into_it(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with streaming() as served:
        reader, writer = await connect(served.url, request("GET", "/events?fails_after=0"))
        answer = await reader.read()
        assert statuses(answer) == [200]
        assert not answer.endswith(b"0\r\n\r\n")
        writer.close()
    assert "TimeoutError" in caplog.text
    assert "Failed to answer GET /events" in caplog.text
