"""The values that a probe writes: numbered, and of a form in which a torn one shows."""

import hashlib
import re
from dataclasses import dataclass
from enum import Enum, auto

_FORM = re.compile(
    rb"kubia-pet probe (?P<run>[0-9a-f]+) number (?P<number>\d{1,15}) for (?P<pod>[a-z0-9.-]*) "
    rb"[.]*[0-9a-f]{16}\n"
)
_FILLERS = (0, 40, 400, 4000)  # lengths, in turn: a short value over a long one shows what is left of that


class Kind(Enum):
    """What a value turns out to be."""

    OURS = auto()
    NONE = auto()
    FOREIGN = auto()
    TORN = auto()


@dataclass(frozen=True)
class Sighting:
    """What was seen in a pod's place for its value; number and pod are those of OURS."""

    kind: Kind
    number: int = 0
    pod: str = ""


def numbered(run: str, number: int, pod: str) -> bytes:
    """The value with this number; `pod` is whom it is meant for, empty where anybody may take it."""
    head = f"kubia-pet probe {run} number {number} for {pod} " + "." * _FILLERS[number % len(_FILLERS)]
    return f"{head}{hashlib.sha256(head.encode()).hexdigest()[:16]}\n".encode()


def sighting(data: bytes | None, run: str) -> Sighting:
    """What this value is to the probe that calls itself `run`."""
    if data is None:
        return Sighting(Kind.NONE)
    found = _FORM.fullmatch(data)
    if found and found["run"].decode() != run:
        return Sighting(Kind.FOREIGN)
    if found:
        number, pod = int(found["number"]), found["pod"].decode()
        whole = data == numbered(run, number, pod)
        return Sighting(Kind.OURS, number, pod) if whole else Sighting(Kind.TORN)
    return Sighting(Kind.TORN if run.encode() in data else Kind.FOREIGN)
