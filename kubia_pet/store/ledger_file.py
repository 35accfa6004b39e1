"""The ledger as a file: JSON that says what it is, read with suspicion, replaced whole."""

import json
import os
import stat
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, fields
from typing import Any, TypeVar, get_origin

from kubia_pet.limits import MAX_LEDGER_FILE_BYTES
from kubia_pet.model.ledger import Finding, Kind, Record, Sighting, Start
from kubia_pet.model.moment import MOMENT
from kubia_pet.model.testimony import HEX16, HEX32, MOST, sighting_of
from kubia_pet.store.atomic_file import AtomicFile

DIRECTORY = ".kubia-pet"
LEDGER = AtomicFile("ledger.json")
WITNESS = AtomicFile("witness.json")
_FORMAT = 1
T = TypeVar("T", Start, Finding, Record)


class DamagedError(Exception):
    """The file is there and is no ledger; the text is a sentence."""


def open_directory(volume: int) -> int:
    """The ledger's directory on the volume, opened; made, for whom the volume is, where there is none.

    Raises OSError. Its name becomes durable with the volume's next fsync.
    """
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        return os.open(DIRECTORY, flags, dir_fd=volume)
    except FileNotFoundError:
        with suppress(FileExistsError):  # another process has made it meanwhile, on another node perhaps
            os.mkdir(DIRECTORY, dir_fd=volume)
    directory = os.open(DIRECTORY, flags, dir_fd=volume)
    with suppress(PermissionError):
        # Whoever may write to the volume, by its group or as its next owner, may write here.
        os.fchmod(directory, stat.S_IMODE(os.fstat(volume).st_mode) & 0o2777 | stat.S_IRWXU)
    return directory


def open_in_place(directory: int, name: str, how: int) -> int:
    """A file that is never replaced, opened like `how`, made where there is none; raises OSError."""
    flags = how | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    with suppress(FileNotFoundError):
        return os.open(name, flags, dir_fd=directory)
    try:
        file = os.open(name, flags | os.O_CREAT | os.O_EXCL, dir_fd=directory)
    except FileExistsError:  # another process has made it meanwhile
        return os.open(name, flags, dir_fd=directory)
    os.fchmod(file, os.fstat(directory).st_mode & 0o666)
    return file


def read_ledger(directory: int) -> Record | None:
    """The ledger; None where there is none. Raises DamagedError, or OSError."""
    members = _read(directory, LEDGER.name)
    if members is None:
        return None
    try:
        starts = tuple(_start(each) for each in members.pop("starts"))
        findings = tuple(_finding(each) for each in members.pop("findings"))
        parents = tuple(members.pop("parents"))
        record = _typed(Record(starts=starts, findings=findings, parents=parents, **members))
        numbers = [each.number for each in starts]
        _require(0 < len(starts) == len(set(numbers)) and numbers == sorted(numbers))
        _require(all(map(HEX32.fullmatch, (record.volume, *parents))))
        _require(MOMENT.fullmatch(record.created) and MOMENT.fullmatch(record.adopted or record.created))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise DamagedError(f"The ledger is not what a ledger is ({type(error).__name__}).") from error
    return record


def write_ledger(directory: int, record: Record) -> None:
    """Replaces the ledger, durably. Raises OSError."""
    _write(directory, LEDGER, asdict(record))


def set_aside(directory: int) -> None:
    """Keeps a copy of a damaged ledger, for whoever wants to know; itself it is there until it is replaced.

    Raises OSError.
    """
    AtomicFile(f"damaged-{LEDGER.name}").replace(directory, _bytes(directory, LEDGER.name) or b"")


def read_witness(directory: int) -> dict[str, tuple[Sighting, ...]]:
    """What this pod remembers of its peers, by their full names; nothing where that cannot be read."""
    try:
        peers = (_read(directory, WITNESS.name) or {"peers": {}})["peers"].items()
        told = {name: tuple(filter(None, map(sighting_of, seen))) for name, seen in peers}
    except (DamagedError, OSError, KeyError, TypeError, AttributeError):
        return {}
    return {name: seen for name, seen in told.items() if seen}


def write_witness(directory: int, peers: Mapping[str, tuple[Sighting, ...]]) -> None:
    """Replaces what is remembered, durably. Raises OSError."""
    members = {name: [asdict(each) for each in seen] for name, seen in peers.items()}
    _write(directory, WITNESS, {"peers": members})


def _bytes(directory: int, name: str) -> bytes | None:
    """At most one more than there may be; None where there is no such file."""
    try:
        file = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=directory)
    except FileNotFoundError:
        return None
    with os.fdopen(file, "rb") as opened:
        return opened.read(MAX_LEDGER_FILE_BYTES + 1)


def _read(directory: int, name: str) -> dict[str, Any] | None:
    data = _bytes(directory, name)
    if data is None:
        return None
    try:
        members = json.loads(data) if len(data) <= MAX_LEDGER_FILE_BYTES else None
    except (ValueError, RecursionError) as error:
        raise DamagedError(f"{DIRECTORY}/{name} is not JSON.") from error
    if not isinstance(members, dict) or members.pop("format", None) != _FORMAT:
        raise DamagedError(f"{DIRECTORY}/{name} is not of format {_FORMAT}.")
    return members


def _start(members: dict[str, Any]) -> Start:
    start = _typed(Start(**members))
    _require(HEX16.fullmatch(start.id) and MOMENT.fullmatch(start.at))
    _require(0 < start.number < MOST and 0 <= (start.commits or 0) < MOST)
    return start


def _finding(members: dict[str, Any]) -> Finding:
    return _typed(Finding(Kind(members["kind"]), members["evidence"]))


def _typed(made: T) -> T:
    """As it is, where each plain member is what it should be; raises TypeError."""
    for each in fields(made):
        hint: Any = each.type  # no string: nothing postpones annotations where they are made
        if get_origin(hint) is not tuple and not isinstance(getattr(made, each.name), hint):
            raise TypeError(each.name)
    return made


def _require(sound: object) -> None:
    if not sound:
        raise ValueError


def _write(directory: int, file: AtomicFile, members: Mapping[str, Any]) -> None:
    text = json.dumps({"format": _FORMAT, **members})
    file.replace(directory, text.encode() + b"\n")
