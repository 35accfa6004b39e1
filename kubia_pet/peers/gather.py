"""Everybody's value: all peers asked at once, each answer a value or an error."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Protocol, Self

from kubia_pet.discovery import Discovered, Discovery
from kubia_pet.model.diagnostic import Diagnostic, ErrorCode
from kubia_pet.model.peer import Peer
from kubia_pet.model.value import Value
from kubia_pet.peers.connection import FetchError, Response, no_answer_within
from kubia_pet.peers.fanout import FanOut
from kubia_pet.peers.pool import ConnectionPool
from kubia_pet.peers.result import Budget, PeerResult, judge, value_in

log = logging.getLogger(__name__)
LOGGED = 10  # peers that begin to fail in one gathering and are logged one by one


class ClusterObserver(Protocol):
    """Told how each peer answered."""

    def asked(self, outcome: str) -> None:
        """`outcome` is ok or an error's code."""


@dataclass(frozen=True)
class Gathered:
    """The answers of all peers, this pod's own included, in the order of their ordinals."""

    discovered: Discovered
    answers: tuple[PeerResult, ...]


class Cluster:
    """Asks the peers that discovery finds for their values.

    `on_response` is told of each answer that is heard.

    Use it as an async context manager: its connections are kept alive between two gatherings and closed
    at its exit. `peer_timeout`, `connect_timeout` and `gather_timeout` are seconds; `peer_limit` and
    `gather_limit` bound the bytes of one peer's value and of all together, so that a gathering needs up
    to `gather_limit` and PEER_CONCURRENCY times `peer_limit`.
    """

    def __init__(
        self,
        discovery: Discovery,
        *,
        connect_timeout: float,
        peer_timeout: float,
        gather_timeout: float,
        peer_limit: int,
        gather_limit: int,
        observer: ClusterObserver,
    ) -> None:
        self.discovery = discovery
        self.on_response: Callable[[Peer, Response], None] = lambda _, __: None
        self._gather_timeout = gather_timeout
        self._gather_limit = gather_limit
        self._observer = observer
        self._pool = ConnectionPool(
            timeout=peer_timeout, connect_timeout=connect_timeout, limit=peer_limit, judge=judge
        )
        self._failing: dict[str, Diagnostic] = {}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        self._pool.close()
        self.discovery.close()

    async def gather(self, own: Awaitable[Value | None]) -> Gathered:
        """Every peer's answer, and `own`, which is looked up meanwhile. Raises only what `own` raises.

        It ends within `gather_timeout`, if `own` does.
        """
        deadline = asyncio.get_running_loop().time() + self._gather_timeout
        discovered = await self.discovery.discover()
        others = [peer for peer in discovered.peers if not peer.is_self]
        asking = FanOut(
            others,
            lambda peer: self._pool.fetch(peer.endpoints),
            partial(self._result, Budget(self._gather_limit)),
        )
        try:
            value = await own
            await asking.ended(deadline)
        finally:
            asking.cancel()
        late = no_answer_within(self._gather_timeout).diagnostic
        answers = tuple(
            PeerResult(peer, value)
            if peer.is_self
            else asking.results.get(peer.name) or PeerResult(peer, error=late)
            for peer in discovered.peers
        )
        self._log_changes(answers)
        return Gathered(discovered, answers)

    def _result(self, budget: Budget, peer: Peer, response: asyncio.Future[Response]) -> PeerResult:
        try:
            self.on_response(peer, response.result())
            return PeerResult(peer, value_in(response.result(), budget))
        except FetchError as error:
            return PeerResult(peer, error=error.diagnostic)
        except Exception:
            log.exception("Failed to ask peer %s", peer.name)
            return PeerResult(
                peer, error=Diagnostic(ErrorCode.FAILED, "could not be asked; this pod's log says why")
            )

    def _log_changes(self, answers: Sequence[PeerResult]) -> None:
        """Counts the answers; logs who begins to fail, or fails otherwise than before, and who is back."""
        for answer in answers:
            if not answer.peer.is_self:
                self._observer.asked(answer.error.code if answer.error else "ok")
        failing = {answer.peer.name: answer.error for answer in answers if answer.error}
        new = [name for name, error in failing.items() if self._failing.get(name) != error]
        for name in new[:LOGGED]:
            log.warning("Peer %s: %s", name, failing[name].message)
        if len(new) > LOGGED:
            log.warning("And %d more peers fail", len(new) - LOGGED)
        back = sorted(self._failing.keys() - failing.keys())
        if back:
            more = f" and {len(back) - LOGGED} more" if len(back) > LOGGED else ""
            log.info("Answer again, or are gone: %s%s", ", ".join(back[:LOGGED]), more)
        self._failing = failing
