"""What can be wrong with a volume, each error's text a sentence for the client and the log."""

import errno

_NO_SPACE = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


class StoreError(Exception):
    """The volume did not do what was asked."""


class VolumeFullError(StoreError):
    """No space left, or no quota: the old value stands."""


class VolumeUnavailableError(StoreError):
    """The volume is gone, broken, read-only or too slow; the sentence says whether the old value stands."""


class ValueUnreadableError(StoreError):
    """Something else than a value of ours stands in its place; a write replaces it."""


class VolumeUnusableError(StoreError):
    """The pod cannot start on this volume; the sentence says what to do."""


def reason(error: OSError) -> str:
    """What the system says of an error, without its number."""
    return error.strerror or str(error)


def translated(error: OSError, what: str) -> StoreError:
    """The StoreError that says `what` happened, and the reason."""
    kind = VolumeFullError if error.errno in _NO_SPACE else VolumeUnavailableError
    return kind(f"{what}: {reason(error)}.")
