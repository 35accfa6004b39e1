"""The value of this pod: stored, removed, and given as it is."""

from aiohttp import ETag, web

from kubia_pet.model.testimony import PEER
from kubia_pet.model.value import NO_VALUE, Value
from kubia_pet.peers.witnesses import Witnesses
from kubia_pet.store import Store
from kubia_pet.web.body import BodyReader
from kubia_pet.web.problem import ProblemError
from kubia_pet.web.replay import Work, perform
from kubia_pet.web.route import Route


class ValueHandlers:
    """What writes and reads the value alone."""

    def __init__(self, pod: str, store: Store, witnesses: Witnesses, bodies: BodyReader) -> None:
        self._pod = pod
        self._store = store
        self._bodies = bodies
        self._writing = Work(store.write)
        self._witnesses = witnesses
        self._reading = Work(lambda _: store.read(), store.read_at_once)

    def routes(self) -> list[Route]:
        """Where they are."""
        return [
            Route("POST", "/", self.write, changes=True),
            Route("PUT", "/", self.write, changes=True),
            Route("DELETE", "/", self.remove, changes=True),
            Route("GET", "/data", self.data, essential=True),
        ]

    async def write(self, request: web.Request) -> web.Response:
        """Stores the body; answers when it is durable."""
        async with self._bodies.received(request) as body:
            await perform(request, self._writing, body)
        return web.Response(text=f"Data stored on pod {self._pod}\n")

    async def remove(self, _: web.Request) -> web.Response:
        """Removes the value; answers when that is durable."""
        await self._store.remove()
        return web.Response(text=f"Data removed from pod {self._pod}\n")

    async def data(self, request: web.Request) -> web.Response:
        """The value alone, its exact bytes."""
        value = await perform(request, self._reading)
        said = self._said(request)
        if value is None:
            raise ProblemError(404, NO_VALUE, headers={"Cache-Control": "no-cache", **said})
        headers = {
            **said,
            "Content-Type": "application/octet-stream" if value.text is None else "text/plain; charset=utf-8",
            "ETag": f'"{value.etag}"',
            "Cache-Control": "no-cache",
            "X-Content-Type-Options": "nosniff",
        }
        if "If-None-Match" in request.headers and _matches(request.if_none_match, value):
            return web.Response(status=304, headers=headers)
        return web.Response(body=value.data, headers=headers)

    def _said(self, request: web.Request) -> dict[str, str]:
        """What a peer is told of the volume. An answer given again may be that of up to a second ago."""
        testimony = self._witnesses.testimony() if PEER in request.headers else None
        return testimony.as_header() if testimony is not None else {}


def _matches(wanted: tuple[ETag, ...] | None, value: Value) -> bool:
    """RFC 9110 §13.1.2: weak comparison."""
    return any(etag.value in (value.etag, "*") for etag in wanted or ())
