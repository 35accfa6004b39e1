"""How much is measured: what the measurements share."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar

from bench.load import Request, Samples, Server, load
from bench.servers import Servers, has_value

T = TypeVar("T")


@dataclass(frozen=True)
class Effort:
    """Counts and times of one run of the bench."""

    rounds: int = 5
    warm_up: int = 1  # rounds before them that are not counted
    seconds: int = 2  # of load, on each server, in each round
    connections: tuple[int, ...] = (1, 16, 64)
    pods: int = 10  # real ones in a set
    curve: tuple[int, ...] = (1, 3, 10, 30, 100, 300)  # peers
    crowd: int = 1000  # peers, most of them simulated
    requests: int = 1_000_000  # until resident memory is looked at again


QUICK = Effort(rounds=1, seconds=1, curve=(1, 10, 100), requests=100_000)


@dataclass(frozen=True)
class Bench:
    """One run: volumes lie in `directory`; other servers may stand in the place of ours, or against it."""

    effort: Effort
    directory: Path
    ours: Server | None = None
    against: Server | None = None

    def servers(self) -> Servers:
        """For one measurement."""
        return Servers(self.directory)

    def rivals(self, *, valued: bool) -> dict[str, Server]:
        """The other server, where it has a value or none as wanted: it is taken as it is."""
        return {"against": self.against} if self.against and has_value(self.against) is valued else {}

    def in_turns(self, measures: Mapping[str, Callable[[], T]]) -> dict[str, list[T]]:
        """What each measured, A B A B, in as many rounds as this run has; warming up does not count."""
        seen: dict[str, list[T]] = {name: [] for name in measures}
        for turn in range(-self.effort.warm_up, self.effort.rounds):
            for name, measure in measures.items():
                found = measure()
                seen[name] += [found] if turn >= 0 else []
        return seen

    def load(self, requests: Mapping[str, Request], connections: int) -> Samples:
        """Samples of each request, in turns."""
        seconds = self.effort.seconds
        return self.in_turns(
            {name: partial(load, each, connections, seconds) for name, each in requests.items()}
        )
