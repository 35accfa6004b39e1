"""How pods tell each other of volumes: in the header of `/data`, and in JSON when asked what they saw."""

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from kubia_pet.model.ledger import Sighting
from kubia_pet.model.moment import MOMENT
from kubia_pet.model.witness import KEPT

POD, VOLUME, START, COMMIT = "Kubia-Pet-Pod", "Kubia-Pet-Volume", "Kubia-Pet-Start", "Kubia-Pet-Commit"
VERDICT = "Kubia-Pet-Verdict"
PEER = "Kubia-Pet-Peer"  # that a peer asks, and wants to know of the volume
_NAME = re.compile(r"[a-z0-9._-]{1,253}")
HEX16, HEX32 = re.compile(r"[0-9a-f]{16}"), re.compile(r"[0-9a-f]{32}")
_NUMBER = re.compile(r"[0-9]{1,15}")
MOST = 10**15
_FIELDS = tuple(name.lower().encode() for name in (POD, VOLUME, START, COMMIT))
Fields = tuple[bytes | None, ...]


@dataclass(frozen=True)
class Testimony:
    """What a pod says: its full name, its own volume now, and what it remembers of the name asked for."""

    pod: str
    own: Sighting
    remembers: tuple[Sighting, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """For `GET /ledger/peers/NAME`."""
        return {
            "pod": self.pod,
            "own": asdict(self.own),
            "remembers": [asdict(each) for each in self.remembers],
        }

    def as_header(self) -> dict[str, str]:
        """For `GET /data`."""
        start = f"{self.own.number} {self.own.start}"
        return {POD: self.pod, VOLUME: self.own.volume, START: start, COMMIT: str(self.own.count)}


def from_json(body: bytes) -> Testimony | None:
    """What a peer's JSON says; None where it is no testimony. A stranger wrote it: each member is checked."""
    try:
        members = json.loads(body)
        pod, own, remembers = members["pod"], members["own"], members["remembers"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    seen = sighting_of(own)
    if not isinstance(pod, str) or not _NAME.fullmatch(pod) or seen is None:
        return None
    if not isinstance(remembers, list) or len(remembers) > KEPT:
        return None
    return Testimony(pod, seen, tuple(filter(None, map(sighting_of, remembers))))


def fields_of(header: Mapping[bytes, bytes]) -> Fields:
    """What a header, whose names are in lower case, may say of a volume, to be compared or read."""
    return tuple(map(header.get, _FIELDS))


def from_fields(fields: Fields, seen: str) -> Testimony | None:
    """What those fields, seen at that moment, say; None where they say nothing."""
    pod, volume, start, count = ((each or b"").decode("ascii", "replace") for each in fields)
    number, _, start = start.partition(" ")
    if not (_NAME.fullmatch(pod) and _NUMBER.fullmatch(number) and _NUMBER.fullmatch(count)):
        return None
    members = {"volume": volume, "start": start, "number": int(number), "count": int(count), "seen": seen}
    own = sighting_of(members)
    return Testimony(pod, own) if own is not None else None


def sighting_of(members: Any) -> Sighting | None:
    """The sighting of which these are the members; None where they are none's."""
    match members:
        case {
            "volume": str(volume),
            "start": str(start),
            "number": int(number),
            "count": int(count),
            "seen": str(seen),
        } if (
            HEX32.fullmatch(volume)
            and HEX16.fullmatch(start)
            and MOMENT.fullmatch(seen)
            and 0 < number < MOST
            and 0 <= count < MOST
        ):
            return Sighting(volume, start, number, count, seen)
    return None
