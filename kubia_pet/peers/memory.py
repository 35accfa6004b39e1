"""What this pod remembers of its peers' volumes, kept on its own volume."""

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import replace

from kubia_pet.limits import MAX_PEERS, WITNESS_PAUSE
from kubia_pet.model.ledger import Finding, Sighting
from kubia_pet.model.witness import seen_again
from kubia_pet.store import Ledger, Store, StoreError

log = logging.getLogger(__name__)


class WitnessMemory:
    """What was seen of each peer's volume, by the peer's full name; and what was found in that.

    What changes is written at most once in WITNESS_PAUSE. Beyond MAX_PEERS whoever was not seen for longest
    is forgotten. What a volume remembers is taken when its ledger begins, before anything is written there.
    """

    def __init__(self, store: Store, ledger: Ledger) -> None:
        self._store = store
        self._ledger = ledger
        self._seen: dict[str, tuple[Sighting, ...]] = {}
        self._told: set[str] = set()  # peers that know what there is about them, but for their newest start
        self._findings: list[Finding] = []
        self._start: str | None = None  # whose volume's memory was taken
        self._changed = asyncio.Event()

    @property
    def newest(self) -> Mapping[str, Sighting]:
        """The last that was seen of each."""
        return {name: sightings[-1] for name, sightings in self._seen.items()}

    def load(self) -> None:
        """Takes what is on the volume, where its ledger began; what was heard meanwhile is newer."""
        state = self._ledger.state
        if state.record is None or state.record.start.id == self._start:
            return
        self._start = state.record.start.id
        heard, self._seen = self._seen, dict(state.witness)
        self._told.clear()
        self._findings.clear()  # another volume's
        for name, sightings in heard.items():
            for sighting in sightings:
                self.saw(name, sighting)

    def saw(self, name: str, sighting: Sighting) -> None:
        """A peer's volume was seen."""
        before = self._seen.pop(name, ())
        now = seen_again(before, sighting, told=name in self._told)
        self._seen[name] = now  # behind all others
        if len(self._seen) > MAX_PEERS:
            del self._seen[next(iter(self._seen))]
        if not before or now[-1].start != before[-1].start:
            self._told.discard(name)
        if [replace(each, seen="") for each in now] != [replace(each, seen="") for each in before]:
            self._changed.set()

    def tell(self, name: str, *, is_told: bool) -> tuple[Sighting, ...]:
        """What this pod remembers of a peer, the newest last; `is_told` where that is who asks."""
        if is_told and name in self._seen:
            self._told.add(name)
        return self._seen.get(name, ())

    def found(self, *findings: Finding) -> None:
        """Something speaks against this pod's volume."""
        record = self._ledger.state.record
        known = {each.kind for each in (*(record.findings if record else ()), *self._findings)}
        new = [each for each in findings if each.kind not in known]
        if new:
            self._findings += new
            self._changed.set()

    def settle(self) -> None:
        """What was found and not written yet is settled by an adoption."""
        self._findings.clear()

    async def keep(self) -> None:
        """Writes what changes, for ever."""
        while True:
            await self._changed.wait()
            self._changed.clear()
            try:
                await self.flush()
            except StoreError as error:  # it is written with what changes next
                log.debug("%s", error)
            except Exception:
                log.exception("Failed to keep what was seen of peers")
            await asyncio.sleep(WITNESS_PAUSE)

    async def flush(self) -> None:
        """Writes it now. Raises StoreError."""
        self.load()
        start, seen, findings = self._start, dict(self._seen), tuple(self._findings)

        def write() -> None:
            record = self._ledger.state.record
            if record is None or record.start.id != start:
                return  # another volume came: what it remembers is not taken yet
            if findings:
                self._ledger.note(*findings)
            if seen != self._ledger.state.witness:
                self._ledger.remember(seen)

        await self._store.between_commits(write)
        self._findings = [each for each in self._findings if each not in findings]
