"""What discovery found."""

import time
from dataclasses import dataclass

from kubia_pet.discovery.records import Record
from kubia_pet.discovery.rotation import Way
from kubia_pet.model.diagnostic import Diagnostic
from kubia_pet.model.peer import Peer


@dataclass(frozen=True)
class Asked:
    """Which way was asked, under which name, and when."""

    way: Way
    name: str
    at: str
    plain_only: bool  # as the name server was found not to answer questions with bits

    def members(self) -> dict[str, object]:
        """Those of a JSON object; `cd` and `do` are the bits of the question."""
        bits = {"cd": self.way.checking_disabled, "do": self.way.dnssec_ok}
        return {"name": self.name.rstrip("."), **bits, "at": self.at, "plain_only": self.plain_only}


@dataclass(frozen=True)
class Discovered:
    """The peers as of `as_of`, and what there is to say about them.

    `taken_at` is the monotonic time, in seconds, of the last good answer, None where there was none yet;
    `as_of` that at which it was made, before a cache had it, as far as can be told.
    """

    service: str
    peers: tuple[Peer, ...]
    diagnostics: tuple[Diagnostic, ...]
    taken_at: float | None = None
    as_of: float = float("-inf")
    asked: Asked | None = None
    failure: Diagnostic | None = None  # why the peers are those of an older answer
    is_empty: bool = False  # DNS knew nobody: no such name, or no record
    records: tuple[Record, ...] = ()

    @property
    def own(self) -> Peer:
        """This pod."""
        return next(peer for peer in self.peers if peer.is_self)

    def age(self) -> float | None:
        """Seconds since the name server gave this answer."""
        return None if self.taken_at is None else time.monotonic() - self.taken_at

    def state(self) -> dict[str, object]:
        """How discovery fares, as members of a JSON object; `age` is seconds."""
        age = self.age()
        return {
            "age": None if age is None else round(age, 3),
            "asked": self.asked and self.asked.members(),
            "error": self.failure and vars(self.failure),
            "findings": [vars(diagnostic) for diagnostic in self.diagnostics],
        }
