"""What a volume knows of itself: whose it is, and the starts of the program on it."""

from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import pairwise


class Kind(StrEnum):
    """What can be said of a volume, the gravest first: of several findings that is the verdict."""

    SHARED = "shared"
    CLONED = "cloned"
    SWAPPED = "swapped"
    ROLLED_BACK = "rolled-back"
    NOT_A_VOLUME = "not-a-volume"
    LOST = "lost"
    CHANGED_OUTSIDE = "changed-outside"
    UNKNOWN = "unknown"
    GOOD = "good"

    @property
    def rank(self) -> int:
        """0 for the gravest."""
        return list(Kind).index(self)


@dataclass(frozen=True)
class Finding:
    """Something that speaks for a verdict; `evidence` is a sentence."""

    kind: Kind
    evidence: str


@dataclass(frozen=True)
class Start:
    """One start of the program on a volume. `number` counts them from 1, `id` is random.

    `commits` is how many commits it made; None where that is not known, as while it runs, after a kill, or
    where somebody else changed the value.
    """

    number: int
    id: str
    at: str
    pod_uid: str | None = None
    node: str | None = None
    boot_id: str | None = None
    previous_end: str | None = None
    commits: int | None = None


@dataclass(frozen=True)
class Record:
    """The ledger's file.

    `starts` has at least one once it is kept, the newest last; `parents` are earlier ids, the newest first.
    `adopted` is when somebody last took the volume as it is, `accepted` the ETag of a value without a number
    that was taken so; `ended` says whether the newest start ended in order.
    """

    volume: str
    created: str
    starts: tuple[Start, ...]
    name: str | None = None
    parents: tuple[str, ...] = ()
    adopted: str | None = None
    accepted: str | None = None
    findings: tuple[Finding, ...] = ()
    ended: bool = False

    @property
    def start(self) -> Start:
        """The newest one."""
        return self.starts[-1]

    def knows(self, volume: str) -> bool:
        """Whether that is this volume's id, or was."""
        return volume == self.volume or volume in self.parents

    def started(self, start: Start, keep: int) -> "Record":
        """With one start more, and at most `keep` of them: the oldest are forgotten."""
        return replace(self, starts=(*self.starts, start)[-keep:], ended=False)

    def found(self, *findings: Finding) -> "Record":
        """With those findings whose kind it has not."""
        kinds = {each.kind for each in self.findings}
        new = {each.kind: each for each in findings if each.kind not in kinds}
        return replace(self, findings=(*self.findings, *new.values())) if new else self

    def counted(self, start: str, commits: int | None) -> "Record":
        """With the number of commits that a start made."""
        return replace(
            self,
            starts=tuple(
                replace(each, commits=commits) if each.id == start else each for each in self.starts
            ),
        )

    def adopted_as(
        self, volume: str, *, name: str | None, at: str, accepted: str | None, keep: int
    ) -> "Record":
        """The volume as it is, under a new id, with nothing against it; `keep` parents are remembered."""
        return replace(
            self,
            volume=volume,
            name=name or self.name,
            parents=(self.volume, *self.parents)[:keep],
            starts=tuple(replace(each, commits=None) for each in self.starts),  # they may not be there
            adopted=at,
            accepted=accepted,
            findings=(),
        )

    def survived(self) -> tuple[str, ...]:
        """What this history has come through: restart, other-node, reboot."""
        pairs = list(pairwise(self.starts))
        moved = any(one.node != two.node for one, two in pairs if one.node and two.node)
        rebooted = any(
            one.boot_id != two.boot_id and one.node == two.node
            for one, two in pairs
            if one.boot_id and two.boot_id
        )
        seen = (("restart", bool(pairs)), ("other-node", moved), ("reboot", rebooted))
        return tuple(name for name, happened in seen if happened)


@dataclass(frozen=True)
class Sighting:
    """What a pod saw of a volume under a name: its id, its live start, and how many commits that made."""

    volume: str
    start: str
    number: int
    count: int
    seen: str
