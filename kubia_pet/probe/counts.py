"""What is counted, by pod and in all."""

from dataclasses import dataclass, fields


@dataclass
class Counts:
    """What happened to one register, or to all; times are seconds."""

    acknowledged: int = 0
    lost: int = 0
    stale: int = 0
    torn: int = 0
    misdirected: int = 0
    overwritten: int = 0
    unknown: int = 0
    refused: int = 0
    reads: int = 0
    longest_without_answer: float = 0.0

    def __add__(self, other: "Counts") -> "Counts":
        """The sums; of the longest times without an answer the longer."""
        sums = {each.name: getattr(self, each.name) + getattr(other, each.name) for each in fields(self)}
        longest = max(self.longest_without_answer, other.longest_without_answer)
        return Counts(**sums | {"longest_without_answer": longest})


class Silence:
    """The longest time between two answers while answers are asked for, the one since the last included."""

    def __init__(self, now: float) -> None:
        self._last = now
        self._longest = 0.0
        self._ending = self._ended = False

    def broken(self, now: float) -> None:
        """An answer came."""
        self._longest = self.longest(now)
        self._last = now
        self._ended = self._ending

    def end(self) -> None:
        """Nothing is asked for any more, once one further answer has come."""
        self._ending = True

    def longest(self, now: float) -> float:
        """Seconds."""
        return self._longest if self._ended else max(self._longest, now - self._last)


@dataclass(frozen=True)
class Snapshot:
    """The account as of one moment: by pod, of requests to the Service that reached none, and in all."""

    pods: dict[str, Counts]
    service: Counts
    total: Counts
