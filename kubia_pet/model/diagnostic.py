"""What went wrong, in a stable code and a sentence."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Diagnostic:
    """Something about the discovery that its reader should know: a stable code and a sentence."""

    code: str
    message: str
