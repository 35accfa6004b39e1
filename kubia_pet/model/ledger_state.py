"""What is known of the volume and its ledger at one moment."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from kubia_pet.model.commit import Commit
from kubia_pet.model.ledger import Record, Sighting
from kubia_pet.model.moment import now


@dataclass(frozen=True)
class Identity:
    """Who starts: the pod's full name, its UID, its node, that machine's boot; None what is not known."""

    name: str | None = None
    pod_uid: str | None = None
    node: str | None = None
    boot_id: str | None = None


@dataclass(frozen=True)
class LedgerState:
    """A moment that any thread may keep.

    `durable` says whether the ledger on the disk has this start: only then may others hear of it. `commit` is
    the last durable one; `changed` says how somebody else changed the value, `fault` why the ledger is not
    kept, each as a sentence. `witness` is what this pod remembers of its peers, by their full names.
    """

    record: Record | None = None
    durable: bool = False
    commit: Commit | None = None
    changed: str | None = None
    fault: str | None = None
    witness: Mapping[str, tuple[Sighting, ...]] = field(default_factory=dict)

    @property
    def count(self) -> int:
        """How many commits this start has made."""
        if self.record is None or self.commit is None or self.commit.start != self.record.start.id:
            return 0
        return self.commit.count

    def sighting(self) -> Sighting | None:
        """What others may see of this volume now; None while its ledger is not kept."""
        if self.record is None or not self.durable:
            return None
        start = self.record.start
        return Sighting(self.record.volume, start.id, start.number, self.count, now())
