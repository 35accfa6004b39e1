"""What is to be thought of a volume: a verdict, the evidence for it, and the way out."""

from collections.abc import Sequence
from dataclasses import dataclass

from kubia_pet.model.ledger import Finding, Kind, Record, Sighting
from kubia_pet.model.ledger_state import LedgerState
from kubia_pet.model.mount import Mount

_ADOPT = "take the volume as it is: kubia-pet adopt."
_SENTENCES: dict[Kind, tuple[str, str | None]] = {
    Kind.SHARED: (
        "Two live processes have this volume.",
        f"End one of them, give each a volume of its own and mount one whose locks work; then {_ADOPT}",
    ),
    Kind.CLONED: (
        "This volume and another pod's are copies of one.",
        f"Give the copy's pod a volume of its own, or adopt it there first; then {_ADOPT}",
    ),
    Kind.SWAPPED: ("This is another pod's volume.", f"Give this pod its own volume back, or {_ADOPT}"),
    Kind.ROLLED_BACK: (
        "This volume was put back to an earlier state.",
        f"Put the newer state back, where there is one; then {_ADOPT}",
    ),
    Kind.NOT_A_VOLUME: (
        "The value is not on a volume: it goes when this pod goes.",
        "Mount a volume at the data directory: volumeClaimTemplates and volumeMounts of the StatefulSet.",
    ),
    Kind.LOST: (
        "The volume that this name had is not here.",
        f"Give this pod its volume back, or {_ADOPT}",
    ),
    Kind.CHANGED_OUTSIDE: (
        "Somebody else than this program changed the value; that is no fault.",
        f"POST a value, or {_ADOPT}",
    ),
    Kind.UNKNOWN: (
        "It is not known whose volume this is.",
        f"Nothing is lost but what was known of it: {_ADOPT}",
    ),
    Kind.GOOD: ("This pod's own volume, with all that was acknowledged.", None),
}
_NO_VOLUMES = {"container": "the container's own disk, or its pod's", "memory": "memory"}


@dataclass(frozen=True)
class Verdict:
    """Sentences, and in `survived` what a good volume went through."""

    verdict: Kind
    message: str
    evidence: tuple[str, ...] = ()
    remedy: str | None = None
    survived: tuple[str, ...] = ()
    findings: tuple[Finding, ...] = ()

    def members(self) -> dict[str, object]:
        """For JSON."""
        names = ("verdict", "message", "evidence", "remedy", "survived")
        return {name: getattr(self, name) for name in names}

    @property
    def is_foreign(self) -> bool:
        """Whether there is evidence that the volume is another pod's, or another pod's too."""
        return any(each.kind in (Kind.SWAPPED, Kind.SHARED) for each in self.findings)


def judge(
    state: LedgerState, *, name: str | None, mount: Mount | None, witnesses: str, pending: bool
) -> Verdict:
    """The gravest of what was found, or good.

    `mount` is None where it is not to be judged. `witnesses` says who was asked, `pending` that nobody was
    yet; then, and without a ledger, nothing is known.
    """
    record = state.record
    found = list(record.findings) if record else []
    if record is not None and (swapped := _named(record, name)):
        found.append(swapped)
    if mount is not None and mount.kind in _NO_VOLUMES:
        evidence = f"{mount.point} is {_NO_VOLUMES[mount.kind]}: {mount.type} on {mount.source}."
        found.append(Finding(Kind.NOT_A_VOLUME, evidence))
    if state.changed is not None:
        found.append(Finding(Kind.CHANGED_OUTSIDE, state.changed))
    found.sort(key=lambda each: each.kind.rank)
    sentences = tuple(each.evidence for each in found)
    if found:
        message, remedy = _SENTENCES[found[0].kind]
        return Verdict(found[0].kind, message, sentences, remedy, findings=tuple(found))
    if record is None or not state.durable or pending:
        message, _ = _SENTENCES[Kind.UNKNOWN]
        return Verdict(Kind.UNKNOWN, message, (state.fault or witnesses,))
    message, _ = _SENTENCES[Kind.GOOD]
    return Verdict(Kind.GOOD, message, (_without_a_gap(record), witnesses), survived=record.survived())


def _named(record: Record, name: str | None) -> Finding | None:
    """That the ledger names another pod; never where either of the two full names is not known."""
    if name is None or record.name is None or record.name == name:
        return None
    return Finding(Kind.SWAPPED, f"The ledger says that this is the volume of {record.name}, not of {name}.")


def remembered(record: Record, name: str | None, live: int, peer: str, *seen: Sighting) -> list[Finding]:
    """What a peer's memory of this pod's name, the newest last, says against the volume.

    That of another pod is not meant by it, and a damaged ledger proves nothing. `live` is how many commits
    the newest start has made.
    """
    if _named(record, name) or any(each.kind is Kind.UNKNOWN for each in record.findings):
        return []
    found = [_put_back(record, live, peer, each) for each in seen if each.volume == record.volume]
    found += [_lost(record, peer, each) for each in _strange(record, seen)]
    return [each for each in found if each is not None]


def _strange(record: Record, seen: Sequence[Sighting]) -> list[Sighting]:
    """Those of volumes that this name had, and should have.

    One that was seen after this volume is no such: this one was given back. An adoption settles what was seen
    before it; and what is told to the start that it was made in, or by who saw a start after it.
    """
    earlier = [each for each in seen if each.start != record.start.id and record.knows(each.volume)]
    if record.adopted is not None and (
        record.adopted >= record.start.at or any(each.volume == record.volume for each in earlier)
    ):
        return []
    before = seen[: seen.index(earlier[0])] if earlier else seen
    adopted = record.adopted or ""
    return [each for each in before if not record.knows(each.volume) and each.seen > adopted]


def _lost(record: Record, peer: str, sighting: Sighting) -> Finding:
    return Finding(
        Kind.LOST,
        f"{peer} saw at {sighting.seen} volume {sighting.volume} under this name; this is volume "
        f"{record.volume}, made at {record.created}.",
    )


def _put_back(record: Record, live: int, peer: str, sighting: Sighting) -> Finding | None:
    """A start older than the history reaches is no evidence."""
    if sighting.number < record.starts[0].number:
        return None
    seen = f"{peer} saw at {sighting.seen}"
    start = next((each for each in record.starts if each.id == sighting.start), None)
    if start is None:
        return Finding(
            Kind.ROLLED_BACK,
            f"{seen} start {sighting.number} ({sighting.start}) of this volume, whose history lacks it.",
        )
    commits = live if start is record.start else start.commits
    if commits is not None and sighting.count > commits:
        return Finding(
            Kind.ROLLED_BACK,
            f"{seen} commit {sighting.count} of start {start.number}, of which this volume has {commits}.",
        )
    return None


def met(record: Record, name: str | None, peer: str, sighting: Sighting) -> Finding | None:
    """What a live peer's words about its own volume say against this one."""
    if sighting.volume != record.volume or peer == name:
        return None
    return Finding(Kind.CLONED, f"{peer} has volume {sighting.volume} too, in its start {sighting.start}.")


def intruded(record: Record, on_disk: Record) -> Finding | None:
    """That somebody else began on this volume, or adopted it, while this process has it: the disk says so."""
    newest, own = on_disk.start, record.start
    where = f" on node {newest.node}" if newest.node else ""
    if all(each.id != newest.id for each in record.starts):
        did = f"began{where} at {newest.at}"
    elif newest.id != own.id and on_disk.volume != record.volume:
        did = f"adopted it{where} at {on_disk.adopted}"
    else:
        return None
    return Finding(
        Kind.SHARED,
        f"Start {newest.number} ({newest.id}) {did}, while start {own.number} ({own.id}) was live.",
    )


def _without_a_gap(record: Record) -> str:
    first, last = record.starts[0].number, record.start.number
    starts = f"Starts {first} to {last}" if first < last else f"Start {last}"
    return f"{starts} of this volume, without a gap."
