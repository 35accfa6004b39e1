"""One fan-out: the same request to many peers."""

import asyncio
from collections.abc import Callable, Iterable
from functools import partial
from itertools import islice

from kubia_pet.limits import PEER_CONCURRENCY
from kubia_pet.model.peer import Peer
from kubia_pet.peers.connection import Response
from kubia_pet.peers.result import PeerResult


class FanOut:
    """Asks peers in turn, PEER_CONCURRENCY at the same time; the first of them before it returns.

    `on_done(peer, response)` makes a result of a response or of its error, as it comes; `results` has those
    that came, by their peers' names.
    """

    def __init__(
        self,
        peers: Iterable[Peer],
        fetch: Callable[[Peer], asyncio.Future[Response]],
        on_done: Callable[[Peer, asyncio.Future[Response]], PeerResult],
    ) -> None:
        self.results: dict[str, PeerResult] = {}
        self._waiting = iter(peers)
        self._fetch = fetch
        self._on_done = on_done
        self._in_flight: set[asyncio.Future[Response]] = set()
        self._ended = asyncio.get_running_loop().create_future()
        for peer in islice(self._waiting, PEER_CONCURRENCY):
            self._ask(peer)
        if not self._in_flight:
            self._ended.set_result(None)

    async def ended(self, deadline: float) -> None:
        """Returns when all have answered, or at `deadline` by the event loop's clock."""
        seconds = deadline - asyncio.get_running_loop().time()
        await asyncio.wait((self._ended,), timeout=max(0, seconds))

    def cancel(self) -> None:
        """Asks no more, and takes no more responses."""
        self._waiting = iter(())
        for response in self._in_flight:
            response.cancel()

    def _ask(self, peer: Peer) -> None:
        response = self._fetch(peer)
        self._in_flight.add(response)
        response.add_done_callback(partial(self._done, peer))

    def _done(self, peer: Peer, response: asyncio.Future[Response]) -> None:
        self._in_flight.remove(response)
        if not response.cancelled():
            self.results[peer.name] = self._on_done(peer, response)
        waiting = next(self._waiting, None)
        if waiting is not None:
            self._ask(waiting)
        elif not self._in_flight:
            self._ended.set_result(None)
