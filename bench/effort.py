"""How much is measured: what the measurements share."""

from dataclasses import dataclass
from pathlib import Path

from bench.processes import Processes, Server


@dataclass(frozen=True)
class Effort:
    """Counts and times (in seconds) of one run of the bench."""

    rounds: int = 7
    seconds: float = 3.0  # of load, on each server, in each round
    warm_up: float = 2.0
    pods: int = 10  # real ones in a set
    curve: tuple[int, ...] = (1, 3, 10, 30, 100, 300)  # peers
    crowd: int = 500  # peers, most of them simulated
    requests: int = 100_000  # until resident memory is looked at again
    idle: float = 10.0


QUICK = Effort(rounds=2, seconds=1.0, warm_up=1.0, curve=(1, 10, 100), requests=10_000, idle=3.0)


@dataclass(frozen=True)
class Bench:
    """One run: volumes lie in `directory`; other servers may stand in the place of ours, or against it."""

    effort: Effort
    directory: Path
    ours: Server | None = None
    against: Server | None = None

    def processes(self) -> Processes:
        """For one measurement."""
        return Processes(self.directory)

    def opposed(self, ours: Server, bare: Server) -> dict[str, Server]:
        """The servers to compare, by the names they have in the table."""
        servers = {"ours": self.ours or ours, "bare": bare}
        return servers | ({"against": self.against} if self.against else {})
