"""A commit's number: which start of the program made it, and the how-manieth of that start it was."""

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass

_FORM = re.compile(r"(\d{1,12}) ([0-9a-f]{16}) (\d{1,15}) ([A-Za-z0-9_-]{22}|-)")


@dataclass(frozen=True)
class Commit:
    """One durable change of the value.

    `start` is the random id of the start that made it, `number` that start's place in the volume's history,
    `count` is 1 for the first commit of a start. `digest` is the value's ETag, None where none was left.
    """

    number: int
    start: str
    count: int
    digest: str | None

    @property
    def order(self) -> tuple[int, int]:
        """Later commits of one volume's history are greater."""
        return self.number, self.count

    def __str__(self) -> str:
        # At most 56 bytes: then the attribute lies in the inode, of 256 on ext4. In a block of its own
        # it would make a commit a tenth slower.
        digest = urlsafe_b64encode(bytes.fromhex(self.digest)).decode().rstrip("=") if self.digest else "-"
        return f"{self.number} {self.start} {self.count} {digest}"

    @classmethod
    def parse(cls, text: str) -> "Commit | None":
        """The commit that `str` wrote so; None where it is no such text."""
        match = _FORM.fullmatch(text)
        if match is None:
            return None
        digest = None if match[4] == "-" else urlsafe_b64decode(f"{match[4]}==").hex()
        return cls(int(match[1]), match[2], int(match[3]), digest)
