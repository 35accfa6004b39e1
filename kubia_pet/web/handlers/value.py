"""The value of this pod: stored, removed, and given as it is."""

import asyncio
from functools import partial

from aiohttp import web

from kubia_pet.aio.once_per_turn import OncePerTurn
from kubia_pet.model.fault import OF_CHANGES, OF_READS
from kubia_pet.model.testimony import PEER, VERDICT
from kubia_pet.model.value import NO_VALUE
from kubia_pet.peers.witnesses import Witnesses
from kubia_pet.store import PreconditionFailedError, Store
from kubia_pet.web.body import BodyReader
from kubia_pet.web.changes import ChangeLog
from kubia_pet.web.preconditions import if_match, if_none_match, preconditions
from kubia_pet.web.problem import ProblemError
from kubia_pet.web.replay import Work, perform
from kubia_pet.web.route import Route


class ValueHandlers:
    """What writes and reads the value alone."""

    def __init__(
        self, pod: str, store: Store, witnesses: Witnesses, bodies: BodyReader, changes: ChangeLog
    ) -> None:
        self._pod = pod
        self._store = store
        self._witnesses = witnesses
        self._bodies = bodies
        self._changes = changes
        self._reading = Work(lambda _: store.read(), OncePerTurn(store.read_nowait))

    def routes(self) -> list[Route]:
        """Where they are."""
        return [
            Route("POST", "/", self.write, takes_body=True, changes=True, faults=OF_CHANGES),
            Route("PUT", "/", self.write, takes_body=True, changes=True, faults=OF_CHANGES),
            Route("DELETE", "/", self.remove, changes=True, faults=OF_CHANGES),
            Route("GET", "/data", self.data, essential=True, faults=OF_READS, for_peers=True),
            Route("PUT", "/data", self.write, takes_body=True, changes=True, faults=OF_CHANGES),
            Route("DELETE", "/data", self.remove, changes=True, faults=OF_CHANGES),
        ]

    async def write(self, request: web.Request) -> web.Response:
        """Stores the body; answers when it is durable."""
        writing = self._writing(request)
        async with self._bodies.received(request) as body:
            await perform(request, writing, body)
        return web.Response(text=f"Data stored on pod {self._pod}\n")

    async def remove(self, request: web.Request) -> web.Response:
        """Removes the value; answers when that is durable."""
        removing = self._store.remove(preconditions(request))
        removing.add_done_callback(partial(self._changes.done, request.remote, request.method, None))
        await removing
        return web.Response(text=f"Data removed from pod {self._pod}\n")

    async def data(self, request: web.Request) -> web.Response:
        """The value alone, its exact bytes."""
        is_meant, is_news = if_match(request), if_none_match(request)
        value = await perform(request, self._reading)
        if value is None:
            raise ProblemError(404, NO_VALUE, headers={"Cache-Control": "no-cache", **self._said(request)})
        headers = {
            **self._said(request),
            "Content-Type": "text/plain; charset=utf-8" if value.is_text else "application/octet-stream",
            "ETag": f'"{value.etag}"',
            "Cache-Control": "no-cache",
            "X-Content-Type-Options": "nosniff",
        }
        if is_meant is not None and not is_meant(value):
            raise PreconditionFailedError(value)
        if is_news is not None and not is_news(value):
            return web.Response(status=304, headers=headers)
        # aiohttp would leave an empty value's out where HEAD asks.
        headers["Content-Length"] = str(len(value.data))
        return web.Response(body=value.data, headers=headers)

    def _said(self, request: web.Request) -> dict[str, str]:
        """What a peer is told of the volume. An answer given again may be that of up to a second ago."""
        testimony = self._witnesses.testimony() if PEER in request.headers else None
        if testimony is None:
            return {}
        return testimony.as_header() | {VERDICT: self._witnesses.last_verdict}

    def _writing(self, request: web.Request) -> Work[None]:
        """Stores a body where the request's condition holds, and has it logged as this client's."""
        condition, client, method = preconditions(request), request.remote, request.method

        def write(body: bytes) -> asyncio.Future[None]:
            writing = self._store.write(body, condition)
            writing.add_done_callback(partial(self._changes.done, client, method, body))
            return writing

        return Work(write)
