"""What a pod stores: some bytes, and how they are shown."""

import hashlib
from codecs import getincrementaldecoder
from dataclasses import dataclass
from functools import cached_property

from kubia_pet.model.commit import Commit

NO_VALUE = "No data posted yet"
_SLICE = 1 << 16  # bytes


@dataclass(frozen=True)
class Value:
    """The stored bytes, exactly as they were posted, and the number of the commit that stored them.

    The same bytes stored again are another value; `commit` is None where it is not known, as with a peer's.
    """

    data: bytes
    commit: Commit | None = None

    @cached_property
    def etag(self) -> str:
        """A strong validator (RFC 9110 §8.8.3), without its quotes: equal only for equal bytes."""
        return hashlib.sha256(self.data).hexdigest()[:32]

    @cached_property
    def is_text(self) -> bool:
        """Whether the bytes are UTF-8; looked at in slices, as text they could take four times the memory."""
        decoder = getincrementaldecoder("utf-8")()
        try:
            for start in range(0, len(self.data), _SLICE):
                decoder.decode(self.data[start : start + _SLICE])
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            return False
        return True


def utf8(data: bytes) -> str | None:
    """The bytes as UTF-8 text; None where they are not UTF-8."""
    try:
        return data.decode()
    except UnicodeDecodeError:
        return None
