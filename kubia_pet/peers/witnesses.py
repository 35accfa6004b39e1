"""Witnesses: no volume can see that it was put back, but peers remember it; and the verdict on this pod's."""

import asyncio
import contextlib
import logging
from collections.abc import Mapping
from typing import Protocol, Self
from urllib.parse import quote

from kubia_pet.aio.coalescer import Coalescer
from kubia_pet.discovery import Discovery
from kubia_pet.limits import (
    MAX_TESTIMONY_BYTES,
    WITNESS_GRACE,
    WITNESS_INTERVAL,
    WITNESS_PAUSE,
    WITNESS_ROUNDS,
)
from kubia_pet.model.ledger import Kind, Sighting
from kubia_pet.model.ledger_state import LedgerState
from kubia_pet.model.moment import now
from kubia_pet.model.peer import Peer
from kubia_pet.model.testimony import Fields, Testimony, fields_of, from_fields, from_json
from kubia_pet.model.verdict import Verdict, judge, met, remembered
from kubia_pet.peers.connection import FetchError, Response, only_ok
from kubia_pet.peers.memory import WitnessMemory
from kubia_pet.peers.pool import ConnectionPool
from kubia_pet.store import Store, StoreError, Volume, VolumeUnavailableError

log = logging.getLogger(__name__)


class WitnessObserver(Protocol):
    """Told of each verdict."""

    def judged(self, verdict: str) -> None:
        """The verdict on this pod's volume is this one now."""


class Witnesses:
    """Asks the peers what they remember of this pod's volume, remembers theirs, and judges it by all that.

    Use it as an async context manager within the store's. `name` is this pod's full name, None where it has
    none; `discovery` is None where it looks for no peers; `is_cluster` tells whether what is no volume is a
    fault. Peers prove nothing about themselves: a verdict is evidence, and nothing is destroyed on it.
    """

    def __init__(
        self,
        store: Store,
        volume: Volume,
        discovery: Discovery | None,
        *,
        name: str | None,
        is_cluster: bool,
        peer_timeout: float,
        connect_timeout: float,
        observer: WitnessObserver,
    ) -> None:
        self.name = name
        self._is_cluster = is_cluster
        self._store = store
        self._volume = volume
        self._ledger = volume.ledger
        self._discovery = discovery
        self._observer = observer
        self._memory = WitnessMemory(store, volume.ledger)
        self._looks = Coalescer(lambda: store.between_commits(lambda: volume.ledger.look(volume.found)))
        self._pool = ConnectionPool(
            timeout=peer_timeout,
            connect_timeout=connect_timeout,
            limit=MAX_TESTIMONY_BYTES,
            judge=only_ok,
            path=f"/ledger/peers/{quote(name or '-', safe='')}",
        )
        self._peers: tuple[Peer, ...] = ()
        self._heard: set[str] = set()  # peers that said what they remember of this start's volume
        self._start: str | None = None
        self._rounds = 0  # since this start
        self._gathered_at = float("-inf")
        self._last: dict[str, tuple[Fields, float]] = {}  # that were heard in gatherings, and when
        self.last_verdict = Kind.UNKNOWN
        self._judged: tuple[LedgerState, str, Verdict] | None = None
        self._logged: Kind | None = None
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        self._memory.load()
        self.verdict()
        self._tasks = [
            asyncio.create_task(self._ask_again_and_again()),
            asyncio.create_task(self._memory.keep()),
        ]
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        with contextlib.suppress(StoreError):
            await self._memory.flush()
        self._pool.close()

    @property
    def sightings(self) -> Mapping[str, Sighting]:
        """What this pod remembers of its peers' volumes, by their full names."""
        return self._memory.newest

    def verdict(self) -> Verdict:
        """What is to be thought of this pod's volume now; logged when it changes.

        While nothing has changed that it rests on, it is the one before.
        """
        state, asked = self._ledger.state, self._who_was_asked()
        if self._judged is None or self._judged[0] is not state or self._judged[1] != asked:
            self._judged = state, asked, self._judge(state, asked)
        return self._judged[2]

    def members(self) -> dict[str, object]:
        """The volume's id, this start, its commits and the verdict, for JSON."""
        state, verdict = self._ledger.state, self.verdict()
        record = state.record
        return {
            "volume": record and record.volume,
            "start": record and record.start.number,
            "commits": state.count,
            "verdict": verdict.verdict,
            "message": verdict.message,
        }

    def testimony(self, of: str | None = None, *, is_told: bool = False) -> Testimony | None:
        """What this pod says of its volume, and remembers of a peer's; None while it can say nothing.

        `is_told` where it is that peer who asks: others may not tell it.
        """
        own = self._ledger.state.sighting()
        if own is None or self.name is None:
            return None
        return Testimony(self.name, own, self._memory.tell(of, is_told=is_told) if of is not None else ())

    def gathered(self, peer: Peer, response: Response) -> None:
        """A peer was asked for its value, and answered."""
        time = self._gathered_at = asyncio.get_running_loop().time()
        fields = fields_of(response.header)
        last, heard_at = self._last.get(peer.name, (None, 0.0))
        if fields == last and time - heard_at < WITNESS_PAUSE:  # as with each answer of a busy cluster
            return
        self._last[peer.name] = fields, time
        testimony = from_fields(fields, now())
        if testimony is not None:
            self._hear(peer, testimony)

    def look(self) -> asyncio.Future[None]:
        """Looks anew at the value and the ledger on the disk. Raises StoreError."""
        return self._looks.submit()

    async def adopt(self) -> Verdict:
        """Takes the volume as it is, with what was found and not written yet. Raises StoreError."""
        if not await self._store.between_commits(lambda: self._ledger.adopt(self._volume.found())):
            raise VolumeUnavailableError(self._ledger.state.fault or "The volume has no ledger to adopt it.")
        self._memory.settle()
        return self.verdict()

    def _judge(self, state: LedgerState, asked: str) -> Verdict:
        verdict = judge(
            state,
            name=self.name,
            mount=self._volume.mount if self._is_cluster else None,
            witnesses=asked,
            pending=self._discovery is not None and not self._rounds,
        )
        self._observer.judged(verdict.verdict)
        self.last_verdict = verdict.verdict
        if verdict.verdict not in (self._logged, Kind.UNKNOWN):
            self._logged = verdict.verdict
            level = logging.INFO if verdict.verdict is Kind.GOOD else logging.WARNING
            sentences = filter(None, (verdict.message, *verdict.evidence, verdict.remedy))
            log.log(level, "The volume is %s. %s", verdict.verdict, " ".join(sentences))
        return verdict

    async def _ask_again_and_again(self) -> None:
        """From WITNESS_GRACE on, as more peers are found; after some rounds each WITNESS_INTERVAL."""
        while True:
            done = self._discovery is None or self._rounds >= WITNESS_ROUNDS
            await asyncio.sleep(WITNESS_INTERVAL if done else WITNESS_GRACE)
            try:
                await self.look()
                await self._ask_all()
                await self._memory.flush()
            except StoreError as error:
                log.debug("%s", error)
            except Exception:
                log.exception("Failed to ask the peers what they remember")
            self.verdict()

    async def _ask_all(self) -> None:
        record = self._ledger.state.record
        if record is not None and record.start.id != self._start:  # it may be another volume
            self._start, self._rounds = record.start.id, 0
            self._heard.clear()
        self._memory.load()
        if self._discovery is None or await self._ask_peers(self._discovery):
            self._rounds += 1  # only now: until somebody was asked nothing is known

    async def _ask_peers(self, discovery: Discovery) -> bool:
        """False where DNS failed, and it is not known who they are."""
        time = asyncio.get_running_loop().time()
        all_again = self._rounds >= WITNESS_ROUNDS and time - self._gathered_at >= WITNESS_INTERVAL
        discovered = await discovery.discover()
        self._peers = tuple(peer for peer in discovered.peers if not peer.is_self)
        self._last.clear()
        await asyncio.gather(*(self._ask(peer) for peer in (self._peers if all_again else self._unheard())))
        return discovered.failure is None

    async def _ask(self, peer: Peer) -> None:
        with contextlib.suppress(FetchError):
            testimony = from_json((await self._pool.fetch(peer)).body)
            if testimony is not None and self._hear(peer, testimony):
                self._heard.add(peer.name)

    def _hear(self, peer: Peer, testimony: Testimony) -> bool:
        """Whether the volume was judged by it: not by another pod's, nor before the ledger is kept."""
        if testimony.pod != peer.name:
            return False
        self._memory.saw(peer.name, testimony.own)
        state = self._ledger.state
        if state.record is None or not state.durable:
            return False
        clone = met(state.record, self.name, peer.name, testimony.own)
        against = remembered(state.record, self.name, state.count, peer.name, *testimony.remembers)
        self._memory.found(*filter(None, (clone, *against)))
        return True

    def _unheard(self) -> list[Peer]:
        return [peer for peer in self._peers if peer.name not in self._heard]

    def _who_was_asked(self) -> str:
        if self._discovery is None:
            return "There are no peers to ask."
        if not self._rounds:
            return f"Its peers are asked from {WITNESS_GRACE:g} s after the start on, once DNS tells of them."
        answered = len(self._peers) - len(self._unheard())
        return f"{answered} of {len(self._peers)} peers said what they remember of it."
