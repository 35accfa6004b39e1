"""Faults that are set on purpose, each of which ends by itself."""

import time
from dataclasses import dataclass
from enum import StrEnum


class Fault(StrEnum):
    """What can be broken on demand, by the names that stand in URLs."""

    NOT_READY = "not-ready"
    NOT_ALIVE = "not-alive"
    CRASH = "crash"
    HANG = "hang"
    DISK_FULL = "disk-full"
    DISK_READ_ONLY = "disk-read-only"
    DISK_ERROR = "disk-error"
    DISK_SLOW = "disk-slow"
    FORGET = "forget"
    SLOW = "slow"
    UNREACHABLE = "unreachable"
    IGNORE_SIGTERM = "ignore-sigterm"


DESCRIPTIONS = {
    Fault.NOT_READY: "Readiness fails: the pod leaves the Services and the list, and is not restarted.",
    Fault.NOT_ALIVE: "Liveness fails: the pod is restarted, with the same name and the same value.",
    Fault.CRASH: "The process ends at once, without goodbye, with status 137.",
    Fault.HANG: "The event loop stands still, for probes too.",
    Fault.DISK_FULL: "Writes find no space left: 507, the old value stands.",
    Fault.DISK_READ_ONLY: "Writes find a read-only file system: 503, the old value stands.",
    Fault.DISK_ERROR: "Reads and writes fail with an input/output error: 503.",
    Fault.DISK_SLOW: "Reads and writes take longer than the volume's time-out: 503.",
    Fault.FORGET: "Values are acknowledged and served but never written; afterwards the old one is back.",
    Fault.SLOW: "Peers get their answer late.",
    Fault.UNREACHABLE: "Peers get no answer.",
    Fault.IGNORE_SIGTERM: "SIGTERM does nothing: a delete takes the whole grace period.",
}

_OF_DISK = (Fault.DISK_FULL, Fault.DISK_READ_ONLY, Fault.DISK_ERROR, Fault.DISK_SLOW)
OF_CHANGES = (*_OF_DISK, Fault.FORGET)
"""Those that an answer to a change shows."""
OF_READS = (Fault.DISK_ERROR, Fault.DISK_SLOW, Fault.FORGET)
"""Those that an answer with the value shows."""
OF_READINESS = (Fault.NOT_READY, *_OF_DISK)
"""Those that keep the pod from being ready."""


@dataclass(frozen=True)
class _Setting:
    number: int
    until: float  # monotonic seconds


class Faults:
    """Those that are set, and for how long. Any thread may ask."""

    def __init__(self) -> None:
        self._settings: dict[Fault, _Setting] = {}
        self._number = 0

    def set(self, fault: Fault, seconds: float) -> None:
        """Sets it for so long from now; one that is set already goes on for so long."""
        number = self.setting(fault)
        if number is None:
            self._number = number = self._number + 1
        self._settings[fault] = _Setting(number, time.monotonic() + seconds)

    def clear(self, fault: Fault) -> None:
        """Ends it; one that is not set stays so."""
        self._settings.pop(fault, None)

    def setting(self, fault: Fault) -> int | None:
        """A number that tells this setting of it from earlier ones; None where it is not set."""
        setting = self._settings.get(fault)
        return setting.number if setting is not None and setting.until > time.monotonic() else None

    def has(self, fault: Fault) -> bool:
        """Whether it is set now."""
        return self.setting(fault) is not None

    def ends_at(self, fault: Fault) -> float | None:
        """The monotonic time of its end; None where it is not set."""
        setting = self._settings.get(fault)
        return setting.until if setting is not None and setting.until > time.monotonic() else None

    def seconds_left(self, fault: Fault) -> float:
        """How long it still is; 0 where it is not set."""
        return max(0.0, (self.ends_at(fault) or 0.0) - time.monotonic())

    def active(self) -> list[Fault]:
        """Those that are set now, in the order of their definition."""
        return [fault for fault in Fault if self.has(fault)] if self._settings else []
