"""How much is measured: what the measurements share."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from bench.load import Request, Samples, Server, in_turns
from bench.servers import Servers, has_value


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

    @property
    def turns(self) -> range:
        """All rounds; those below 0 only warm up."""
        return range(-self.warm_up, self.rounds)


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

    def in_turns(self, requests: Mapping[str, Request], connections: int, *, differ: bool = False) -> Samples:
        """Samples of each request, in as many rounds as this run has."""
        return in_turns(requests, connections, self.effort.turns, self.effort.seconds, differ=differ)
