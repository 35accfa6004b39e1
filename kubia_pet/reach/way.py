"""Where a set is, as its user says it: light enough for a command line that is only parsed."""

from dataclasses import dataclass


class UnreachableError(Exception):
    """Nothing can be said of this set from here; the text is a sentence."""


class WrongUseError(UnreachableError):
    """The command was not told what it needs, or something that cannot be."""


@dataclass(frozen=True, kw_only=True)
class Way:
    """Where the set is, as the user says it: a URL, a namespace for kubectl, or neither: from inside."""

    url: str | None = None
    namespace: str | None = None
    selector: str = "app=kubia"
    service: str | None = None
    public: str | None = None
    nameserver: tuple[str, int] | None = None
    port: int = 8080
    token: str | None = None
    replicas: int | None = None  # that there must be, where the user says so
