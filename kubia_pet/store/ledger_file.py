"""The ledger as a file: JSON that says what it is, read with suspicion, replaced whole."""

import json
import os
import stat
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict
from typing import Any

from kubia_pet.limits import MAX_LEDGER_FILE_BYTES
from kubia_pet.model.ledger import Finding, Kind, Record, Sighting, Start
from kubia_pet.store.atomic_file import AtomicFile

DIRECTORY = ".kubia-pet"
LEDGER = AtomicFile("ledger.json")
WITNESS = AtomicFile("witness.json")
_FORMAT = 1


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
    file = os.open(name, flags | os.O_CREAT | os.O_EXCL, dir_fd=directory)
    os.fchmod(file, os.fstat(directory).st_mode & 0o666)
    return file


def read_ledger(directory: int) -> Record | None:
    """The ledger; None where there is none. Raises DamagedError, or OSError."""
    members = _read(directory, LEDGER.name)
    if members is None:
        return None
    try:
        starts = tuple(Start(**each) for each in members.pop("starts"))
        findings = tuple(Finding(Kind(each["kind"]), each["evidence"]) for each in members.pop("findings"))
        parents = tuple(members.pop("parents"))
        record = Record(starts=starts, findings=findings, parents=parents, **members)
        if not starts or not all(isinstance(each.number, int) for each in starts):
            raise DamagedError("The ledger has no starts.")
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise DamagedError(f"The ledger is not what a ledger is ({type(error).__name__}).") from error
    return record


def write_ledger(directory: int, record: Record) -> None:
    """Replaces the ledger, durably. Raises OSError."""
    _write(directory, LEDGER, asdict(record))


def set_aside(directory: int) -> None:
    """Keeps a damaged ledger under another name, for whoever wants to know."""
    os.rename(LEDGER.name, f"damaged-{LEDGER.name}", src_dir_fd=directory, dst_dir_fd=directory)


def read_witness(directory: int) -> dict[str, tuple[Sighting, ...]]:
    """What this pod remembers of its peers, by their full names; nothing where that cannot be read."""
    try:
        peers = (_read(directory, WITNESS.name) or {"peers": {}})["peers"].items()
        return {name: tuple(Sighting(**each) for each in seen) for name, seen in peers if seen}
    except (DamagedError, OSError, KeyError, TypeError, AttributeError):
        return {}


def write_witness(directory: int, peers: Mapping[str, tuple[Sighting, ...]]) -> None:
    """Replaces what is remembered, durably. Raises OSError."""
    members = {name: [asdict(each) for each in seen] for name, seen in peers.items()}
    _write(directory, WITNESS, {"peers": members})


def _read(directory: int, name: str) -> dict[str, Any] | None:
    try:
        file = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=directory)
    except FileNotFoundError:
        return None
    with os.fdopen(file, "rb") as opened:
        data = opened.read(MAX_LEDGER_FILE_BYTES + 1)
    try:
        members = json.loads(data) if len(data) <= MAX_LEDGER_FILE_BYTES else None
    except ValueError as error:
        raise DamagedError(f"{DIRECTORY}/{name} is not JSON.") from error
    if not isinstance(members, dict) or members.pop("format", None) != _FORMAT:
        raise DamagedError(f"{DIRECTORY}/{name} is not of format {_FORMAT}.")
    return members


def _write(directory: int, file: AtomicFile, members: Mapping[str, Any]) -> None:
    text = json.dumps({"format": _FORMAT, **members})
    file.replace(directory, text.encode() + b"\n")
