"""Peers that are known not to answer: nobody waits for them, and they are asked anew in the background."""

import asyncio
from collections import deque
from collections.abc import Callable, Collection
from dataclasses import dataclass
from functools import partial

from kubia_pet.aio.expiry import ExpiryQueue
from kubia_pet.limits import MAX_RETRIES, MAX_RETRIES_OF_A_PEER, RETRY_INTERVAL, SUSPICION_TIME
from kubia_pet.model.diagnostic import Diagnostic, ErrorCode
from kubia_pet.model.peer import Peer
from kubia_pet.peers.connection import FetchError, Response


@dataclass
class _Suspect:
    error: Diagnostic
    retries: int = 0  # under way


class Suspects:
    """Peers that did not answer in time, each with the error that says so.

    Each is asked anew every RETRY_INTERVAL seconds, MAX_RETRIES at the same time, and is a suspect no longer
    when it answers, or refuses, which takes no time. At another address it is another peer. Where nobody
    looked for SUSPICION_TIME seconds all are forgotten, so that an address that may have become somebody
    else's is not asked for ever.
    """

    def __init__(self, fetch: Callable[[Peer], asyncio.Future[Response]]) -> None:
        self._fetch = fetch
        self._suspects: dict[Peer, _Suspect] = {}
        self._next = ExpiryQueue(RETRY_INTERVAL, self._retry)
        self._due: deque[Peer] = deque()
        self._in_flight: set[asyncio.Future[Response]] = set()
        self._looked_at = 0.0

    def among(self, peers: Collection[Peer]) -> dict[Peer, Diagnostic]:
        """Those of these peers that are suspect, and why. All others are forgotten."""
        self._looked_at = asyncio.get_running_loop().time()
        if not self._suspects:
            return {}
        for gone in self._suspects.keys() - set(peers):
            self._forget(gone)
        return {peer: suspect.error for peer, suspect in self._suspects.items()}

    def add(self, peer: Peer, error: Diagnostic) -> None:
        """It did not answer in time."""
        if peer in self._suspects:
            self._suspects[peer].error = error
        else:
            self._suspects[peer] = _Suspect(error)
            self._next.add(peer)

    def close(self) -> None:
        """Asks nobody any more."""
        for peer in list(self._suspects):
            self._forget(peer)
        self._due.clear()
        for response in list(self._in_flight):
            response.cancel()

    def _forget(self, peer: Peer) -> None:
        self._suspects.pop(peer, None)
        self._next.discard(peer)

    def _retry(self, peer: Peer) -> None:
        if asyncio.get_running_loop().time() - self._looked_at > SUSPICION_TIME:
            self._forget(peer)
        elif self._suspects[peer].retries < MAX_RETRIES_OF_A_PEER:
            self._due.append(peer)
            self._ask_those_due()
        else:
            self._next.add(peer)

    def _ask_those_due(self) -> None:
        while self._due and len(self._in_flight) < MAX_RETRIES:
            peer = self._due.popleft()
            suspect = self._suspects.get(peer)
            if suspect is None:
                continue
            self._next.add(peer)
            suspect.retries += 1
            response = self._fetch(peer)
            self._in_flight.add(response)
            response.add_done_callback(partial(self._retried, peer, suspect))

    def _retried(self, peer: Peer, suspect: _Suspect, response: asyncio.Future[Response]) -> None:
        self._in_flight.remove(response)
        suspect.retries -= 1
        error = None if response.cancelled() else response.exception()
        if response.cancelled() or self._suspects.get(peer) is not suspect:
            pass
        elif isinstance(error, FetchError) and error.diagnostic.code == ErrorCode.TIMEOUT:
            suspect.error = error.diagnostic
        else:
            self._forget(peer)
        self._ask_those_due()
