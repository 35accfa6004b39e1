"""What is said in place of a value, where none is also an answer."""

from enum import Enum
from typing import Final, Literal


class Unknown(Enum):
    """Its only member, UNKNOWN: it cannot be told, or not without waiting."""

    UNKNOWN = "unknown"


UNKNOWN: Final[Literal[Unknown.UNKNOWN]] = Unknown.UNKNOWN
