"""A moment in the life of a volume, to be killed in: python -m tests.durability.ledger_life VOLUME WHAT."""

import sys
from pathlib import Path

from kubia_pet.model.ledger import Finding, Kind, Sighting
from kubia_pet.model.moment import now
from kubia_pet.store import Volume

LIMIT = 1 << 20
WHATS = ("start", "post", "delete", "note", "remember", "adopt", "end")
NEW = b"new"


def live(volume: Volume, what: str) -> None:
    """Does it, on a volume that is open but for a start."""
    ledger = volume.ledger
    match what:
        case "start":
            volume.open(0)
        case "post":
            volume.replace(NEW)
        case "delete":
            volume.remove()
        case "note":
            ledger.note(Finding(Kind.LOST, "Found."))
        case "remember":
            ledger.remember({"kubia-1": (Sighting("a" * 32, "b" * 16, 1, 1, now()),)})
        case "adopt":
            ledger.adopt(volume.found())
        case "end":
            volume.close()


if __name__ == "__main__":
    opened = Volume(Path(sys.argv[1]), LIMIT)
    if sys.argv[2] != "start":
        opened.open(0)
    print("begins", flush=True)  # noqa: T201 - a mark among the system calls
    live(opened, sys.argv[2])
