"""Everybody's value: all peers asked at once, each answer a value or an error."""

import asyncio
import contextlib
import logging
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import count
from math import inf
from typing import Protocol, Self

from kubia_pet.discovery import Discovered, Discovery
from kubia_pet.model.diagnostic import Diagnostic, ErrorCode
from kubia_pet.model.peer import Peer
from kubia_pet.model.value import Value
from kubia_pet.peers.connection import FetchError, Response, no_answer_within
from kubia_pet.peers.fanout import FanOut
from kubia_pet.peers.pool import ConnectionPool
from kubia_pet.peers.result import PeerResult, is_ending, judge, ledger_version_of, value_in
from kubia_pet.peers.results import Results
from kubia_pet.peers.suspects import Suspects

log = logging.getLogger(__name__)
LOGGED = 10  # peers that begin to fail in one gathering and are logged one by one
# Perhaps DNS knows better by now. Networks say of a gone pod's address "no route" where they do not refuse.
_STALE = {ErrorCode.REFUSED, ErrorCode.UNREACHABLE, ErrorCode.TIMEOUT, ErrorCode.OTHER_POD}


class ClusterObserver(Protocol):
    """Told how the peers answered."""

    def asked(self, outcome: str, number: int) -> None:
        """So many answered so; `outcome` is ok or an error's code."""


@dataclass(frozen=True)
class Gathered:
    """The answers of all peers, this pod's own included, in the order of their ordinals."""

    discovered: Discovered
    answers: tuple[PeerResult, ...]

    @property
    def own(self) -> Value | None:
        """This pod's value."""
        return next(answer.value for answer in self.answers if answer.peer.is_self)


class Cluster:
    """Asks the peers that discovery finds for their values.

    `on_response` is told of each response.

    Use it as an async context manager: its connections are kept alive between two gatherings and closed
    at its exit. `peer_timeout`, `connect_timeout` and `gather_timeout` are seconds; `peer_limit` and
    `gather_limit` bound the bytes of one peer's value and of all together, so that gatherings need up
    to `gather_limit` and PEER_CONCURRENCY times `peer_limit`, however many overlap.
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
        on_response: Callable[[Peer, Response], None],
    ) -> None:
        self.discovery = discovery
        self._on_response = on_response
        self._gather_timeout = gather_timeout
        self._late = no_answer_within(gather_timeout).diagnostic
        self._unasked = Diagnostic(
            ErrorCode.TIMEOUT, f"was not asked within {gather_timeout:g} s: too many others are slow"
        )
        self._observer = observer
        self._pool = ConnectionPool(
            timeout=peer_timeout, connect_timeout=connect_timeout, limit=peer_limit, judge=judge
        )
        self._suspects = Suspects(self._pool.fetch)
        self._results = Results(gather_limit)
        self._moments = count()
        self._fan_outs: set[FanOut] = set()
        self._open: set[int] = set()  # the moments of gatherings that are under way
        self._failing: dict[str, Diagnostic] = {}

    async def __aenter__(self) -> Self:
        self.discovery.open()
        return self

    async def __aexit__(self, *_: object) -> None:
        self._suspects.close()
        self._pool.close()
        self.discovery.close()

    @contextlib.asynccontextmanager
    async def gathering(
        self,
        own: Awaitable[Value | None] | None,
        *,
        since: float | None = None,
        on_quiet: Callable[[], None] = lambda: None,
    ) -> AsyncIterator[Callable[[], Gathered]]:
        """Asks every peer, while `own` is looked up. Raises only what `own` raises.

        Where `own` is None the answer is of the other peers alone.

        Within it, what it gives makes an answer of the newest that was said since it began. It waits for
        `gather_timeout` seconds at most from `since` on, by the event loop's clock, where somebody has waited
        for longer; and for no peer that is known not to answer. `on_quiet()` is called once where the peers
        that have not answered are slow: another gathering may begin meanwhile.
        """
        loop = asyncio.get_running_loop()
        deadline = (loop.time() if since is None else since) + self._gather_timeout
        moment = next(self._moments)
        self._open.add(moment)
        try:
            discovered = await self.discovery.discover()
            await self._ask(discovered, own, moment, deadline, on_quiet)
            asked = [peer for peer in discovered.peers if own is not None or not peer.is_self]
            yield lambda: Gathered(discovered, tuple(map(self._results.newest, asked)))
        finally:
            self._open.remove(moment)
            self._results.forget(before=min(self._open, default=inf))

    async def _ask(
        self,
        discovered: Discovered,
        own: Awaitable[Value | None] | None,
        moment: int,
        deadline: float,
        on_quiet: Callable[[], None],
    ) -> None:
        others = [peer for peer in discovered.peers if not peer.is_self]
        errors = self._suspects.among(others)
        fan_out = FanOut(
            (peer for peer in others if peer not in errors) if errors else others,
            self._pool.fetch,
            partial(self._done, moment),
        )
        self._fan_outs.add(fan_out)
        try:
            reading = asyncio.ensure_future(own if own is not None else asyncio.sleep(0))
            await fan_out.ended(reading, deadline, on_quiet)
            value = await reading
        finally:
            self._fan_outs.remove(fan_out)
            asked = self._pool.under_way()
            late = fan_out.cancel()
        for peer, response in late.items():
            if response in asked:
                self._suspects.add(peer, self._late)
            errors[peer] = self._late if response in asked else self._unasked
        for peer, error in errors.items():
            self._results.put(moment, PeerResult(peer, error=error))
        if own is not None:
            self._results.put(moment, PeerResult(discovered.own, value))
        self._log_changes([self._results.newest(peer) for peer in others])

    def _done(self, moment: int, peer: Peer, fetched: asyncio.Future[Response]) -> None:
        try:
            response = fetched.result()
            self._on_response(peer, response)
            result = PeerResult(
                peer,
                value_in(response),
                ending=is_ending(response),
                ledger_version=ledger_version_of(response),
            )
        except FetchError as error:
            result = PeerResult(peer, error=error.diagnostic)
            self._failed(peer, error)
        except Exception:
            log.exception("Failed to ask peer %s", peer.name)
            sentence = "could not be asked; this pod's log says why"
            result = PeerResult(peer, error=Diagnostic(ErrorCode.FAILED, sentence))
        self._results.put(moment, result)

    def _failed(self, peer: Peer, error: FetchError) -> None:
        if error.diagnostic.code in _STALE:
            self.discovery.doubt()
        if error.diagnostic.code == ErrorCode.TIMEOUT:
            self._suspects.add(peer, error.diagnostic)
            for fan_out in self._fan_outs:
                fan_out.fail(peer, error)

    def _log_changes(self, results: Sequence[PeerResult]) -> None:
        """Counts the answers; logs who begins to fail, or fails otherwise than before, and who is back."""
        outcomes = Counter(result.error.code if result.error else "ok" for result in results)
        for outcome, number in outcomes.items():
            self._observer.asked(outcome, number)
        failing = {result.peer.name: result.error for result in results if result.error}
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
