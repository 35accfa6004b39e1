"""Whether the value that a start finds is the one that its ledger left."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from kubia_pet.model.commit import Commit
from kubia_pet.model.ledger import Finding, Kind, Record, Start

UNNUMBERED = "The value has no number of this volume's: kubectl cp, exec, tar or an older version wrote it."
GONE = "The value is gone, and no DELETE removed it."
STRANGE = "The value has a number of a start that this volume's history does not have."
UNREADABLE = "Something else than a value stands in its place."


@dataclass(frozen=True)
class Found:
    """What stands in the value's place: its ETag, None for nothing, and the number that is that ETag's."""

    digest: str | None
    commit: Commit | None = None
    readable: bool = True


@dataclass(frozen=True)
class Continuity:
    """What a start made of it: the record, completed; the last commit, where one is known.

    `changed` says how somebody else changed the value.
    """

    record: Record
    commit: Commit | None
    changed: str | None = None


def opened(
    before: Record | None,
    start: Callable[[Record | None], Start],
    found: Found,
    removal: Commit | None,
    *,
    new: Record,
    damage: str | None,
    keep: int,
) -> Continuity:
    """The record with one start more. Without one `before` it is the `new` one, the value taken as it is.

    `damage` says why there is none, where there should be one; `keep` starts are remembered.
    """
    if before is None:
        continuity = Continuity(replace(new, accepted=found.digest), found.commit or removal)
        if damage is not None:
            continuity = replace(continuity, record=new.found(Finding(Kind.UNKNOWN, damage)))
    else:
        named = before if before.name else replace(before, name=new.name)
        continuity = continued(named, found, removal)
    last = None if before is None else continuity.record
    return replace(continuity, record=continuity.record.started(start(last), keep))


def continued(record: Record, found: Found, removal: Commit | None) -> Continuity:
    """Holds the value against the record of the starts before; `removal` is the last DELETE.

    Commits that the newest start made are known by the value's number, and by no other trace after a kill.
    """
    if not found.readable:
        return Continuity(record, None, UNREADABLE)
    if found.digest is None:
        if removal is not None and not _later(record, removal):
            return Continuity(_completed(record, removal), removal)
        lost = removal is not None or any(each.commits for each in record.starts)
        return Continuity(record, None, GONE if lost else None)
    commit = found.commit
    if commit is None:
        return Continuity(record, None, None if found.digest == record.accepted else UNNUMBERED)
    if commit.number >= record.starts[0].number and all(each.id != commit.start for each in record.starts):
        if commit.number <= record.start.number:
            return Continuity(record, None, None if found.digest == record.accepted else STRANGE)
        # That start could not write its ledger; the value tells of it.
        start = replace(record.start, number=commit.number, id=commit.start, commits=commit.count)
        return Continuity(replace(record, starts=(*record.starts, start), ended=False), commit)
    later = _later(record, commit)
    completed = _completed(record, commit)
    return Continuity(completed.found(Finding(Kind.ROLLED_BACK, later)) if later else completed, commit)


def observed(record: Record, last: Commit | None, found: Found) -> tuple[str | None, Finding | None]:
    """How somebody else changed the value since the `last` commit, and whether an earlier one is back."""
    if not found.readable:
        return UNREADABLE, None
    if found.digest is None:
        return (GONE if last is not None and last.digest is not None else None), None
    commit = found.commit
    if commit is None:  # where no number can be kept, that is no change
        known = (record.accepted, None if last is None else last.digest)
        return (None if found.digest in known else UNNUMBERED), None
    if last is None or commit == last:
        return None, None
    if commit.order > last.order or all(each.id != commit.start for each in record.starts):
        return STRANGE, None
    return None, Finding(Kind.ROLLED_BACK, _compared(last.count, last.number, commit))


def _later(record: Record, commit: Commit) -> str | None:
    """The sentence that names a later commit which the record knows; None where it knows none."""
    for start in reversed(record.starts):
        if start.commits and (start.number, start.commits) > commit.order:
            return _compared(start.commits, start.number, commit)
    return None


def _compared(count: int, number: int, found: Commit) -> str:
    return (
        f"The ledger knows of commit {count} of start {number}; "
        f"the value is that of commit {found.count} of start {found.number}."
    )


def _completed(record: Record, last: Commit) -> Record:
    """With the commits of starts whose end nobody wrote down: `last` was the last one of all."""
    for start in record.starts:
        if start.id == last.start and (start.commits or 0) < last.count:
            record = record.counted(start.id, last.count)
        elif start.number > last.number and start.commits is None:
            record = record.counted(start.id, 0)
    return record
