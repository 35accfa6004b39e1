"""A pod of the StatefulSet, as discovery names it, and where it can be reached."""

import re
from dataclasses import dataclass, field

Endpoint = tuple[str, int]  # an IP address and a port


@dataclass(frozen=True)
class Peer:
    """A pod of the StatefulSet, this one included.

    `endpoints` are in the order to try them: the next one where connecting fails.
    """

    name: str
    is_self: bool
    endpoints: tuple[Endpoint, ...]
    ordinal: int | None = field(init=False)

    def __post_init__(self) -> None:
        number = re.search(r"-(\d{1,9})$", self.name.partition(".")[0])
        object.__setattr__(self, "ordinal", int(number[1]) if number else None)
