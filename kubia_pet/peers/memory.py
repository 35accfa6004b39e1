"""What this pod remembers of its peers' volumes, kept on its own volume."""

import asyncio
import contextlib
from collections.abc import Mapping
from dataclasses import replace

from kubia_pet.limits import MAX_PEERS, WITNESS_PAUSE
from kubia_pet.model.ledger import Finding, Sighting
from kubia_pet.store import Ledger, Store, StoreError


class WitnessMemory:
    """The last that was seen of each peer's volume, by the peer's full name; and what was found in that.

    What changes is written at most once in WITNESS_PAUSE. Beyond MAX_PEERS whoever was not seen for longest
    is forgotten.
    """

    def __init__(self, store: Store, ledger: Ledger) -> None:
        self._store = store
        self._ledger = ledger
        self._seen: dict[str, Sighting] = {}
        self._findings: list[Finding] = []
        self._changed = asyncio.Event()

    @property
    def sightings(self) -> Mapping[str, Sighting]:
        """All that it remembers."""
        return self._seen

    def load(self) -> None:
        """Takes what is on the volume."""
        self._seen = dict(self._ledger.state.witness)

    def saw(self, name: str, sighting: Sighting) -> None:
        """A peer's volume was seen."""
        before = self._seen.pop(name, None)
        self._seen[name] = sighting  # the last one now
        if len(self._seen) > MAX_PEERS:
            del self._seen[next(iter(self._seen))]
        if before is None or replace(before, seen=sighting.seen) != sighting:
            self._changed.set()

    def found(self, *findings: Finding) -> None:
        """Something speaks against this pod's volume."""
        record = self._ledger.state.record
        known = {each.kind for each in (*(record.findings if record else ()), *self._findings)}
        new = [each for each in findings if each.kind not in known]
        if new:
            self._findings += new
            self._changed.set()

    async def keep(self) -> None:
        """Writes what changes, for ever."""
        while True:
            await self._changed.wait()
            self._changed.clear()
            with contextlib.suppress(StoreError):  # it is written with what changes next
                await self.flush()
            await asyncio.sleep(WITNESS_PAUSE)

    async def flush(self) -> None:
        """Writes it now. Raises StoreError."""
        seen, (findings, self._findings) = dict(self._seen), (self._findings, [])

        def write() -> None:
            if findings:
                self._ledger.note(*findings)
            if seen != self._ledger.state.witness:
                self._ledger.remember(seen)

        await self._store.between_commits(write)
