"""What can be wrong with a volume, each error's text a sentence for the client and the log."""

import errno
from enum import StrEnum
from typing import ClassVar

from kubia_pet.model.value import Value

_NO_SPACE = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_READ_ONLY, _NOT_PERMITTED = "read-only", "not-permitted"
_CODES = {errno.EROFS: _READ_ONLY, errno.EACCES: _NOT_PERMITTED, errno.EPERM: _NOT_PERMITTED}


class FaultKind(StrEnum):
    """What a fault of a volume is called where faults are counted."""

    FULL = "full"
    SLOW = "slow"
    UNCONFIRMED = "unconfirmed"
    LOCKED = "locked"
    UNAVAILABLE = "unavailable"


CODES = (*FaultKind, _READ_ONLY, _NOT_PERMITTED)


class StoreError(Exception):
    """The volume did not do what was asked. `code`, one of CODES, says why: its kind's, or a finer one."""

    kind: ClassVar[FaultKind] = FaultKind.UNAVAILABLE

    def __init__(self, sentence: str, cause: OSError | None = None) -> None:
        super().__init__(sentence)
        self.code = _CODES.get(cause.errno or 0, self.kind) if cause else self.kind


class VolumeFullError(StoreError):
    """No space left, or no quota: the old value stands."""

    kind = FaultKind.FULL


class VolumeUnavailableError(StoreError):
    """The volume is gone, broken, read-only or too slow; the sentence says whether the old value stands."""


class VolumeSlowError(VolumeUnavailableError):
    """The volume did not answer in time: a change under way may still take effect."""

    kind = FaultKind.SLOW


class ChangeUnconfirmedError(VolumeUnavailableError):
    """A change was made, and nobody knows whether it or the old value would survive a crash."""

    kind = FaultKind.UNCONFIRMED


class ValueUnreadableError(StoreError):
    """Something else than a value of ours stands in its place; a write replaces it."""


class VolumeUnusableError(StoreError):
    """The pod cannot start on this volume; the sentence says what to do."""


class VolumeLockedError(VolumeUnusableError):
    """Another process has the volume; the sentence says which that may be."""

    kind = FaultKind.LOCKED


class PreconditionFailedError(Exception):
    """A change was not made, as `current` is the value; no fault of the volume."""

    def __init__(self, current: Value | None) -> None:
        super().__init__("The value is not the one that the condition asks for; it stands.")
        self.current = current


def reason(error: OSError) -> str:
    """What the system says of an error, without its number."""
    return error.strerror or str(error)


def translated(error: OSError, what: str) -> StoreError:
    """The StoreError that says `what` happened, and the reason."""
    kind = VolumeFullError if error.errno in _NO_SPACE else VolumeUnavailableError
    return kind(f"{what}: {reason(error)}.", error)
