"""What a check found: a status, its cause in a stable word, sentences, and what they rest on."""

from dataclasses import dataclass, field
from enum import IntEnum, StrEnum

from kubia_pet.check.causes import REMEDIES


class Status(StrEnum):
    """How a check ended."""

    PASSED = "passed"
    FAILED = "failed"
    WARNING = "warning"
    SKIPPED = "skipped"
    UNKNOWN = "unknown"


class Exit(IntEnum):
    """The command's exit status; 2 is click's, for a wrong use."""

    PASSED = 0
    FAILED = 1
    USAGE = 2
    UNKNOWN = 3


@dataclass(frozen=True)
class Finding:
    """The outcome of one check. `cause` and `remedy` are there where it failed or warns.

    `follows` is the check from whose failure it follows, so that it was not run.
    """

    status: Status
    message: str
    cause: str | None = None
    remedy: str | None = None
    evidence: tuple[str, ...] = ()
    follows: str | None = None


def passed(message: str, *evidence: str) -> Finding:
    """As it must be."""
    return Finding(Status.PASSED, message, evidence=evidence)


def failed(cause: str, message: str, *evidence: str, remedy: str | None = None) -> Finding:
    """A promise is broken; the remedy is the cause's own, unless there is a better one."""
    return Finding(Status.FAILED, message, cause, remedy or REMEDIES[cause], evidence)


def warning(cause: str, message: str, *evidence: str, remedy: str | None = None) -> Finding:
    """Not broken, but not well either."""
    return Finding(Status.WARNING, message, cause, remedy or REMEDIES[cause], evidence)


def skipped(reason: str) -> Finding:
    """Not looked at."""
    return Finding(Status.SKIPPED, reason)


def following(check: str) -> Finding:
    """Not looked at, as that check failed."""
    return Finding(Status.SKIPPED, f"follows from {check}", follows=check)


def unknown(reason: str, *evidence: str) -> Finding:
    """Looked at, and it cannot be told."""
    return Finding(Status.UNKNOWN, reason, evidence=evidence)


@dataclass(frozen=True)
class CheckResult:
    """A finding under its check's id, and the seconds that it took."""

    id: str
    finding: Finding
    seconds: float


@dataclass(frozen=True)
class Report:
    """All results in the order of the checks, about the set at `where`, begun at that time (ISO 8601)."""

    where: str
    began: str
    seconds: float
    results: tuple[CheckResult, ...]
    notes: tuple[str, ...] = field(default=())

    @property
    def exit(self) -> Exit:
        """Failed where anything failed, unknown where anything could not be told, else passed."""
        found = {each.finding.status for each in self.results}
        if Status.FAILED in found:
            return Exit.FAILED
        told = {Status.PASSED, Status.WARNING} & found
        return Exit.UNKNOWN if Status.UNKNOWN in found or not told else Exit.PASSED

    @property
    def first(self) -> CheckResult | None:
        """The first that failed: what the others follow from, as often as not."""
        return next((each for each in self.results if each.finding.status is Status.FAILED), None)
