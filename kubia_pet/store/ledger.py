"""The ledger of the volume that this process has: which start this is, and the number of each commit."""

import logging
import os
import secrets
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace

from kubia_pet.limits import MAX_PARENTS, MAX_STARTS
from kubia_pet.model.commit import Commit
from kubia_pet.model.continuity import Found, observed, opened
from kubia_pet.model.ledger import Finding, Record, Sighting, Start
from kubia_pet.model.ledger_state import Identity, LedgerState
from kubia_pet.model.moment import now
from kubia_pet.model.verdict import intruded
from kubia_pet.store import ledger_file
from kubia_pet.store.atomic_file import sync
from kubia_pet.store.commit_number import CommitSlots, set_number
from kubia_pet.store.errors import reason
from kubia_pet.store.ledger_file import DamagedError

log = logging.getLogger(__name__)


class Ledger:
    """The ledger of one volume after the other.

    Its methods block; the writer's thread calls them, no other but for `number_of`. None of them raises for
    what is wrong with the ledger: that is `state.fault`, and the value is served.
    """

    def __init__(self, identity: Identity | None = None, *, adopt: bool = False) -> None:
        self.identity = identity or Identity()
        self.state = LedgerState()
        self._adopts = adopt
        self.volume = self._directory = -1  # that it began on, and the ledger's own
        self._slots: CommitSlots | None = None
        self._counted = 0  # commits that this start began
        self._judged: Found | None = None  # what was in the value's place when that was judged last
        self._faults: dict[str, str] = {}  # sentences by what cannot be done
        self._logged: str | None = None  # of those the last

    def begin(self, volume: int, find: Callable[[], Found]) -> None:
        """A start on the volume of this directory; `find` looks what is in the value's place."""
        self.leave()
        self.state, self._counted, self.volume = LedgerState(), 0, volume
        self._faults.clear()
        damage = None
        try:
            self._directory = ledger_file.open_directory(volume)
            self._try("Commits' numbers cannot be kept", self._open_slots)
            before = ledger_file.read_ledger(self._directory)
        except DamagedError as error:
            before, damage = None, str(error)
        except OSError as error:
            self._fails("The ledger cannot be read", error)
            return
        self._settle(before)
        self._judged = found = find()
        removal = self._slots.removal() if self._slots is not None else None
        new = Record(secrets.token_hex(16), now(), (), self.identity.name)
        going_on = opened(before, self._start, found, removal, new=new, damage=damage, keep=MAX_STARTS)
        record, changed = going_on.record, going_on.changed
        if self._adopts:
            record, changed = self._adopted(record, found.digest, new=before is None), None
        witness = ledger_file.read_witness(self._directory)
        self.state = replace(
            self.state, record=record, commit=going_on.commit, changed=changed, witness=witness
        )
        if damage is not None:
            log.warning("%s It is put aside.", damage)
            self._try(
                "The damaged ledger cannot be put aside", lambda: ledger_file.set_aside(self._directory)
            )
        if self._write(record):
            self._try("The ledger's directory may not be durable", lambda: sync(volume))

    def number(self, digest: str | None) -> Commit | None:
        """That of the commit that begins: of a value with this ETag, or a removal. None without a ledger."""
        if self.state.record is None:
            return None
        self._counted += 1
        start = self.state.record.start
        return Commit(start.number, start.id, self._counted, digest)

    def mark(self, commit: Commit | None, file: int) -> None:
        """Gives a value's file its number, before its fsync; in a file of its own where it can have none."""
        if commit is not None:
            try:
                set_number(file, commit)
            except (OSError, NotImplementedError):
                self.put(commit)

    def put(self, commit: Commit | None) -> None:
        """Writes the number of what begins: of a removal, which leaves no file, before it is made."""
        slots = self._slots
        if commit is not None and slots is not None:
            self._try("Commits' numbers cannot be kept", lambda: slots.put(commit, keep=self.state.commit))

    def committed(self, commit: Commit | None) -> None:
        """It is durable."""
        self._judged = None
        self.state = replace(self.state, commit=commit, changed=None)
        if commit is not None and self._slots is not None:
            self._slots.settle(commit)

    def number_of(self, digest: Callable[[], str]) -> Commit | None:
        """The number, kept in a file of its own, of a value that has none."""
        slots = self._slots
        if slots is None or not any(each is not None and each.digest for each in slots.commits):
            return None
        return slots.of(digest())

    def adopt(self, found: Found) -> bool:
        """Takes the volume as it is; whether that was written: otherwise `state.fault` says why not."""
        if self.state.record is None:
            return False
        record = self._adopted(self.state.record, found.digest)
        done = self._write(record)
        if done:
            commit = self.state.commit if self._is_as_it_left(found) else found.commit
            self.state = replace(self.state, record=record, commit=commit, changed=None)
            self._judged = found
        return done

    def note(self, *findings: Finding) -> None:
        """Keeps what was found, through restarts, until somebody adopts the volume."""
        record = self.state.record
        if record is not None and (noted := record.found(*findings)) != record:
            self._keep(noted)

    def remember(self, witness: Mapping[str, tuple[Sighting, ...]]) -> None:
        """Keeps what was seen of peers; where that cannot be written, `state` has what was kept before."""
        if self._directory >= 0 and self._try(
            "What was seen of peers cannot be kept",
            lambda: ledger_file.write_witness(self._directory, witness),
        ):
            self.state = replace(self.state, witness=dict(witness))

    def look(self, find: Callable[[], Found]) -> None:
        """Looks whether somebody else changed the value, or began here too; mends what could not be done."""
        record = self.state.record
        if self.volume < 0:
            return
        if record is None:
            self.begin(self.volume, find)
            return
        finding = None
        if (found := find()) != self._judged:
            self._judged = found
            changed, finding = observed(record, self.state.commit, found)
            self.state = replace(self.state, changed=changed)
        self._keep(record if finding is None else record.found(finding))

    def end(self) -> None:
        """This start ends in order, if there is one."""
        record, durable = self.state.record, self.state.durable
        if record is not None and durable and self._directory >= 0:
            self._keep(record.counted(record.start.id, self.state.count), ended=True)
        self.leave()

    def leave(self) -> None:
        """The volume is given back, or another one comes; nothing is written any more."""
        self.volume = -1
        self._slots = None
        if self._directory >= 0:
            os.close(self._directory)
            self._directory = -1

    def _is_as_it_left(self, found: Found) -> bool:
        last = self.state.commit
        return last is not None and (found.commit == last or found.digest is None is last.digest)

    def _start(self, before: Record | None) -> Start:
        end = None if before is None else "graceful" if before.ended else "killed"
        number = 1 if before is None else before.start.number + 1
        me = self.identity
        return Start(number, secrets.token_hex(8), now(), me.pod_uid, me.node, me.boot_id, end)

    def _adopted(self, record: Record, digest: str | None, *, new: bool = False) -> Record:
        if new:
            return replace(record, adopted=now(), findings=())
        volume = secrets.token_hex(16)
        name = self.identity.name
        return record.adopted_as(volume, name=name, at=now(), accepted=digest, keep=MAX_PARENTS)

    def _keep(self, record: Record, *, ended: bool = False) -> None:
        """Writes what is new.

        Where another process began here meanwhile its ledger stays, but for what was found: it has this
        start, too, so that neither loses one, and both see it.
        """
        on_disk = self._on_disk(record)
        intruder = None if on_disk is None else intruded(record, on_disk)
        if on_disk is not None:
            record = record.found(*on_disk.findings, *filter(None, (intruder,)))
        self.state = replace(self.state, record=record)
        kept = replace(record, ended=ended)
        if on_disk is not None and intruder is not None:
            kept = on_disk.found(*record.findings)
        if kept != on_disk:
            self._write(kept)

    def _on_disk(self, record: Record) -> Record | None:
        """The ledger on the disk, where it is this volume's."""
        with suppress(OSError, DamagedError):
            found = ledger_file.read_ledger(self._directory)
            if found is not None and found.knows(record.volume):
                return found
        return None

    def _settle(self, before: Record | None) -> None:
        newest = self._slots.newest() if self._slots is not None else None
        counted = {each.id: each.commits or 0 for each in before.starts} if before is not None else {}
        if self._slots is not None and newest is not None and counted.get(newest.start, 0) >= newest.count:
            self._slots.settle(newest)

    def _open_slots(self) -> None:
        self._slots = CommitSlots(self._directory)

    def _write(self, record: Record) -> bool:
        """Whether it was written: then others may hear of its newest start, where that is this one."""
        done = self._try(
            "The ledger cannot be written", lambda: ledger_file.write_ledger(self._directory, record)
        )
        own = self.state.record is not None and self.state.record.start.id == record.start.id
        self.state = replace(self.state, durable=self.state.durable or (done and own))
        return done

    def _try(self, what: str, job: Callable[[], None]) -> bool:
        """Whether it was done; otherwise it is a fault until it can be."""
        try:
            job()
        except OSError as error:
            self._fails(what, error)
            return False
        if self._faults.pop(what, None) is not None:
            self.state = replace(self.state, fault=next(iter(self._faults.values()), None))
            self._logged = self.state.fault
        return True

    def _fails(self, what: str, error: OSError) -> None:
        self._faults[what] = f"{what}: {reason(error)}."
        self.state = replace(self.state, fault=next(iter(self._faults.values())))
        if self.state.fault != self._logged:
            self._logged = self.state.fault
            log.warning("%s", self._logged)
