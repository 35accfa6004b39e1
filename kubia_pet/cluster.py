"""Everybody's value: all peers asked at once, each answer a value or an error."""

import asyncio
import logging
import re
from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, Self

from kubia_pet.discovery import Discovered, Discovery, Finding, Peer
from kubia_pet.fetch import ConnectError, Fetched, Fetcher, FetchError
from kubia_pet.value import NO_VALUE, Value

log = logging.getLogger(__name__)
AT_ONCE = 32  # peers asked at the same time: all may come to the event loop's attention at once
SAID = 10  # peers that begin to fail in one gathering and are logged one by one
DATA_TYPES = {b"text/plain", b"application/octet-stream"}


class ClusterObserver(Protocol):
    """Told how each peer answered."""

    def asked(self, outcome: str) -> None:
        """`outcome` is ok or an error's code."""


@dataclass(frozen=True)
class Answer:
    """What one peer said: a value, None where it has none yet, or an error with a stable code."""

    peer: Peer
    value: Value | None = None
    error: Finding | None = None


@dataclass(frozen=True)
class Gathered:
    """The answers of all peers, this pod's own included, in the order of their ordinals."""

    discovered: Discovered
    answers: tuple[Answer, ...]


class Cluster:
    """Asks the peers that discovery finds for their values.

    Use it as an async context manager: its connections are kept alive between two gatherings and closed
    at its exit. `peer_timeout`, `connect_timeout` and `gather_timeout` are seconds; `peer_limit` and
    `gather_limit` bound the bytes of one peer's value and of all together, so that a gathering needs up
    to `gather_limit` and AT_ONCE times `peer_limit`.
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
        self._peer_timeout = peer_timeout
        self._gather_timeout = gather_timeout
        self._gather_limit = gather_limit
        self._observer = observer
        self._fetcher = Fetcher(connect_timeout=connect_timeout, limit=peer_limit, judge=_judge)
        self._failing: dict[str, Finding] = {}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        self._fetcher.close()
        self.discovery.close()

    async def gather(self, own: Awaitable[Value | None]) -> Gathered:
        """Every peer's answer, and `own`, which is looked up meanwhile. Raises only what `own` raises.

        It ends within `gather_timeout`, if `own` does.
        """
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._gather_timeout
        discovered = await self.discovery.discover()
        answered: dict[Peer, Answer] = {}
        others = [peer for peer in discovered.peers if not peer.is_self]
        waiting = iter(others)
        budget = _Budget(self._gather_limit)

        async def ask_in_turn() -> None:
            for peer in waiting:
                answered[peer] = await self._answer(peer, budget)

        asking = {asyncio.create_task(ask_in_turn()) for _ in others[:AT_ONCE]}
        try:
            value = await own
            if asking:
                _, asking = await asyncio.wait(asking, timeout=deadline - loop.time())
        finally:
            for task in asking:
                task.cancel()
        if asking:
            await asyncio.wait(asking)
        answers = tuple(
            Answer(peer, value) if peer.is_self else answered.get(peer) or self._unanswered(peer)
            for peer in discovered.peers
        )
        self._say(answers)
        return Gathered(discovered, answers)

    async def _answer(self, peer: Peer, budget: "_Budget") -> Answer:
        try:
            async with asyncio.timeout(self._peer_timeout):
                answer = Answer(peer, await self._ask(peer, budget))
        except FetchError as error:
            answer = Answer(peer, error=error.finding)
        except TimeoutError:
            answer = Answer(peer, error=_no_answer_within(self._peer_timeout))
        except Exception:
            log.exception("Failed to ask peer %s", peer.name)
            answer = Answer(peer, error=Finding("failed", "could not be asked; this pod's log says why"))
        self._observer.asked(answer.error.code if answer.error else "ok")
        return answer

    def _unanswered(self, peer: Peer) -> Answer:
        error = _no_answer_within(self._gather_timeout)
        self._observer.asked(error.code)
        return Answer(peer, error=error)

    async def _ask(self, peer: Peer, budget: "_Budget") -> Value | None:
        failure = FetchError("no-address", "DNS has no address for it")
        for address, port in peer.endpoints:
            try:
                fetched = await self._fetcher.fetch(address, port)
            except ConnectError as error:
                failure = error
            else:
                return _value_in(fetched, budget)
        raise failure

    def _say(self, answers: Sequence[Answer]) -> None:
        """Logs each peer that begins to fail, or fails otherwise than before, and each that is back."""
        failing = {answer.peer.name: answer.error for answer in answers if answer.error}
        new = [name for name, error in failing.items() if self._failing.get(name) != error]
        for name in new[:SAID]:
            log.warning("Peer %s: %s", name, failing[name].message)
        if len(new) > SAID:
            log.warning("And %d more peers fail", len(new) - SAID)
        back = sorted(self._failing.keys() - failing.keys())
        if back:
            more = f" and {len(back) - SAID} more" if len(back) > SAID else ""
            log.info("Answer again, or are gone: %s%s", ", ".join(back[:SAID]), more)
        self._failing = failing


def _judge(status: int, header: Mapping[bytes, bytes]) -> None:
    """Raises FetchError unless the answer can be a value, or say that there is none.

    An original pod names no content type.
    """
    if status not in (200, 404):
        raise FetchError("status", f"answered {status}")
    if header.get(b"content-encoding", b"identity").lower() != b"identity":
        raise FetchError("not-a-pet", "is no kubia-pet: its answer is compressed")
    kind = header.get(b"content-type", b"text/plain").partition(b";")[0].strip().lower()
    if status == 200 and kind not in DATA_TYPES:  # noqa: PLR2004
        # The type is a stranger's words: only a plain one is repeated.
        plain = re.fullmatch(rb"[a-z0-9.+/-]{1,80}", kind)
        shown = kind.decode() if plain else "an odd type"
        raise FetchError("not-a-pet", f"is no kubia-pet: it answered with {shown}")


def _value_in(fetched: Fetched, budget: "_Budget") -> Value | None:
    if fetched.status == 200:  # noqa: PLR2004
        budget.take(len(fetched.body))
        return Value(fetched.body)
    if fetched.body.strip() == NO_VALUE.encode():
        return None
    raise FetchError("status", f"answered {fetched.status}")


class _Budget:
    """Bounds the bytes of the values of one gathering; those of a peer that fails cost the others nothing."""

    def __init__(self, limit: int) -> None:
        self._limit = self._left = limit

    def take(self, size: int) -> None:
        if size > self._left:
            raise FetchError("too-much", f"left out: the answers together exceed {self._limit} bytes")
        self._left -= size


def _no_answer_within(seconds: float) -> Finding:
    return Finding("timeout", f"no answer within {seconds:g} s")
