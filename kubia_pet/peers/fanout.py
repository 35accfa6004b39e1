"""One fan-out: the same request to many peers."""

import asyncio
from asyncio import FIRST_EXCEPTION
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

from kubia_pet.limits import QUIET_TIME
from kubia_pet.model.peer import Peer
from kubia_pet.model.value import Value
from kubia_pet.peers.connection import FetchError, Response


class FanOut:
    """Asks all peers; `on_done(peer, response)` is told of each response, or its error, as it comes."""

    def __init__(
        self,
        peers: Iterable[Peer],
        fetch: Callable[[Peer], asyncio.Future[Response]],
        on_done: Callable[[Peer, asyncio.Future[Response]], None],
    ) -> None:
        self._on_done = on_done
        self._ended = asyncio.get_running_loop().create_future()
        self._in_flight: dict[str, tuple[Peer, asyncio.Future[Response]]] = {}
        for peer in peers:
            response = fetch(peer)
            self._in_flight[peer.name] = peer, response
            response.add_done_callback(partial(self._done, peer))
        if not self._in_flight:
            self._ended.set_result(None)

    async def ended(
        self, own: asyncio.Future[Value | None], deadline: float, on_quiet: Callable[[], None]
    ) -> None:
        """Returns when all have answered and `own` is there or failed, or at `deadline` by the loop's clock.

        `on_quiet()` is called once nothing has come for QUIET_TIME seconds: the rest is slow.
        """
        loop, quiet = asyncio.get_running_loop(), False
        pending: set[asyncio.Future[Any]] = {self._ended, own}
        while pending and (left := deadline - loop.time()) > 0:
            waiting = len(self._in_flight)
            done, pending = await asyncio.wait(
                pending, timeout=left if quiet else min(left, QUIET_TIME), return_when=FIRST_EXCEPTION
            )
            if own in done and own.exception() is not None:
                return
            if not quiet and not done and waiting == len(self._in_flight):
                quiet = True
                on_quiet()

    def fail(self, peer: Peer, error: FetchError) -> None:
        """Waits no longer for this peer, if it does: the error is its answer."""
        asked, response = self._in_flight.get(peer.name, (None, None))
        if response is not None and asked == peer and not response.done():
            response.set_exception(error)

    def cancel(self) -> dict[Peer, asyncio.Future[Response]]:
        """Takes no more responses. Returns those that have not come: of each other one was told."""
        for peer, response in list(self._in_flight.values()):
            if response.done():  # in this turn of the loop
                self._done(peer, response)
        late = dict(self._in_flight.values())
        for response in late.values():
            response.cancel()
        return late

    def _done(self, peer: Peer, response: asyncio.Future[Response]) -> None:
        if self._in_flight.pop(peer.name, None) is None:
            return  # told by cancel
        if not response.cancelled():
            self._on_done(peer, response)
        if not self._in_flight and not self._ended.done():
            self._ended.set_result(None)
