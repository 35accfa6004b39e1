"""A pod of the StatefulSet, as discovery names it, and where it can be reached."""

import re
from dataclasses import dataclass, field

Endpoint = tuple[str, int]  # an IP address and a port
Rank = tuple[bool, int, str]


@dataclass(frozen=True)
class Peer:
    """A pod of the StatefulSet, this one included.

    `endpoints` are in the order to try them: the next one where connecting fails.
    """

    name: str
    is_self: bool
    endpoints: tuple[Endpoint, ...]
    ordinal: int | None = field(init=False)
    rank: Rank = field(init=False)  # the order of peers: by ordinal, those without one at the end

    def __post_init__(self) -> None:
        number = re.search(r"-(\d{1,9})$", self.name.partition(".")[0])
        ordinal = int(number[1]) if number else None
        object.__setattr__(self, "ordinal", ordinal)
        object.__setattr__(self, "rank", (ordinal is None, ordinal or 0, self.name))
