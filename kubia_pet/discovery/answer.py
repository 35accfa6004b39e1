"""What a name server says of a service, or why it says nothing."""

from dataclasses import dataclass

from kubia_pet.discovery.records import Record
from kubia_pet.discovery.rotation import Way


class ResolutionFailedError(Exception):
    """DNS gave no usable answer: a time-out, a server's failure or refusal. The text is a sentence."""


class ResolutionTimeoutError(ResolutionFailedError):
    """Nothing came in time."""


@dataclass(frozen=True)
class Answer:
    """What the name server said when it was asked in one way.

    `service` is the service's full name, `ttl` the seconds for which all is good. `refusal` is why it was
    asked without the bits that were meant.
    """

    way: Way
    service: str
    records: tuple[Record, ...]
    ttl: float
    refusal: ResolutionFailedError | None = None


def no_answer_within(seconds: float) -> str:
    """The sentence for a time-out."""
    return f"DNS gave no answer within {seconds:g} s."
