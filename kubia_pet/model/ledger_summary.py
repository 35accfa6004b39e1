"""What is worth showing of a pod's ledger, taken from the JSON of `/ledger`."""

import json
from dataclasses import dataclass
from typing import Any

from kubia_pet.model.ledger import Kind
from kubia_pet.model.moment import MOMENT

_LONGEST = 80  # characters of one member


@dataclass(frozen=True)
class LedgerSummary:
    """What is None is not known.

    Of the volume its id, when it was made (ISO 8601) and its mount's kind; of the start its id, its number
    and its node; the verdict and its sentence.
    """

    volume: str | None
    created: str | None
    mount: str | None
    start: str | None
    starts: int | None
    node: str | None
    verdict: str | None
    message: str | None


def summary_from_json(body: bytes) -> LedgerSummary | None:
    """The summary of a peer's ledger; None where this is no ledger. A stranger wrote it."""
    try:
        return summary_of(json.loads(body))
    except (ValueError, RecursionError):
        return None


def summary_of(members: Any) -> LedgerSummary | None:
    """The summary of a ledger's members; None where they are no ledger's. Each member is checked."""
    match members:
        case {"volume": dict(volume), "start": start, "verdict": dict(verdict)}:
            start = start if isinstance(start, dict) else {}
            mount = volume.get("mount")
            number = start.get("number")
            created = _text(volume.get("created"))
            return LedgerSummary(
                volume=_text(volume.get("id")),
                created=created if created and MOMENT.fullmatch(created) else None,
                mount=_text(mount.get("kind")) if isinstance(mount, dict) else None,
                start=_text(start.get("id")),
                starts=number if isinstance(number, int) and 0 < number < 10**9 else None,
                node=_text(start.get("node")),
                verdict=said if (said := _text(verdict.get("verdict"))) in set(Kind) else None,
                message=_text(verdict.get("message")),
            )
    return None


def _text(member: Any) -> str | None:
    """Its begin; None where it cannot be sent, or would turn or hide what stands beside it."""
    return member[:_LONGEST] if isinstance(member, str) and member.isprintable() else None
