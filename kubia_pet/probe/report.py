"""What a probe saw, with its verdict: as JSON, documented in docs/probe.md."""

import json
from dataclasses import dataclass
from enum import IntEnum

from kubia_pet import __version__
from kubia_pet.probe.counts import Counts, Snapshot

VERSION = 1


class Exit(IntEnum):
    """The command's exit status."""

    KEPT = 0
    LOST = 1
    USAGE = 2
    UNKNOWN = 3


@dataclass(frozen=True)
class Report:
    """The account at the end. `unverified` are pods that gave no last answer."""

    where: str
    through: str
    began: str
    seconds: float
    account: Snapshot
    unverified: tuple[str, ...]
    notes: tuple[str, ...]

    @property
    def exit(self) -> Exit:
        """Lost where anything acknowledged is gone or not whole; unknown where that cannot be told."""
        total = self.account.total
        if total.lost or total.torn:
            return Exit.LOST
        return Exit.UNKNOWN if self.unverified or not total.acknowledged else Exit.KEPT


def as_json(report: Report) -> str:
    """One object, indented, with a final line break."""
    members = {
        "version": VERSION,
        "program": f"kubia-pet {__version__}",
        "target": report.where,
        "through": report.through,
        "began": report.began,
        "seconds": round(report.seconds, 3),
        "verdict": report.exit.name.lower(),
        "unverified": list(report.unverified),
        "notes": list(report.notes),
        "service": {name: getattr(report.account.service, name) for name in ("refused", "unknown")},
        "total": _counts(report.account.total),
        "pods": {pod: _counts(counts) for pod, counts in report.account.pods.items()},
    }
    return json.dumps(members, indent=2) + "\n"


def _counts(counts: Counts) -> dict[str, float]:
    return {
        name: round(value, 3) if isinstance(value, float) else value for name, value in vars(counts).items()
    }
