"""One round of questions to many peers."""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from itertools import islice

from kubia_pet.limits import PEER_CONCURRENCY
from kubia_pet.model.peer import Peer
from kubia_pet.peers.connection import Response
from kubia_pet.peers.pool import Endpoint
from kubia_pet.peers.result import PeerResult

Asked = asyncio.Future[Response]


class FanOut:
    """Asks peers in turn, PEER_CONCURRENCY at the same time; those that are asked first are asked at once.

    `hear(peer, asked)` makes an answer of what was fetched or of its error, as it comes; `answers` has those
    that came, by their peers' names.
    """

    def __init__(
        self,
        peers: Iterable[Peer],
        fetch: Callable[[Sequence[Endpoint]], Asked],
        hear: Callable[[Peer, Asked], PeerResult],
    ) -> None:
        self.answers: dict[str, PeerResult] = {}
        self._waiting = iter(peers)
        self._fetch = fetch
        self._hear = hear
        self._asking: set[Asked] = set()
        self._ended = asyncio.get_running_loop().create_future()
        for peer in islice(self._waiting, PEER_CONCURRENCY):
            self._ask(peer)
        if not self._asking:
            self._ended.set_result(None)

    async def ended(self, deadline: float) -> None:
        """Returns when all have answered, or at `deadline` by the event loop's clock."""
        seconds = deadline - asyncio.get_running_loop().time()
        await asyncio.wait((self._ended,), timeout=max(0, seconds))

    def give_up(self) -> None:
        """Asks no more, and hears no more answers."""
        self._waiting = iter(())
        for asked in self._asking:
            asked.cancel()

    def _ask(self, peer: Peer) -> None:
        asked = self._fetch(peer.endpoints)
        self._asking.add(asked)
        asked.add_done_callback(partial(self._answered, peer))

    def _answered(self, peer: Peer, asked: Asked) -> None:
        self._asking.remove(asked)
        if not asked.cancelled():
            self.answers[peer.name] = self._hear(peer, asked)
        waiting = next(self._waiting, None)
        if waiting is not None:
            self._ask(waiting)
        elif not self._asking:
            self._ended.set_result(None)
