"""Moments of the wall clock, as the program writes them: ISO 8601 in UTC, with milliseconds."""

import re
import time
from datetime import UTC, datetime

MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")  # so written they compare as they follow


def now() -> str:
    """This one."""
    at = datetime.now(UTC).isoformat(timespec="milliseconds")
    return at.replace("+00:00", "Z")


def age(moment: str) -> float | None:
    """The seconds since such a moment, by the wall clock; None where it is none."""
    try:
        return round(time.time() - datetime.fromisoformat(moment).timestamp(), 3)
    except ValueError:
        return None
