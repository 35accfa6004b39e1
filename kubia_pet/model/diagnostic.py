"""What went wrong, in a stable code and a sentence."""

from dataclasses import dataclass
from enum import StrEnum


class ErrorCode(StrEnum):
    """All codes: what programs may rely on. The README's table says what each means."""

    # A peer gave no value.
    REFUSED = "refused"
    UNREACHABLE = "unreachable"
    TIMEOUT = "timeout"
    CLOSED = "closed"
    STATUS = "status"
    TOO_MUCH = "too-much"
    GARBLED = "garbled"
    NOT_A_PET = "not-a-pet"
    NO_ADDRESS = "no-address"
    OTHER_POD = "other-pod"
    FAILED = "failed"
    # This pod gives none.
    VOLUME = "volume"
    # Discovery.
    DNS_FAILED = "dns-failed"
    NOT_HEADLESS = "not-headless"
    NO_HOST_NAMES = "no-host-names"
    TOO_MANY = "too-many"
    NOBODY = "nobody"


PEER_ERRORS = (
    *(ErrorCode.REFUSED, ErrorCode.UNREACHABLE, ErrorCode.TIMEOUT, ErrorCode.CLOSED, ErrorCode.STATUS),
    *(ErrorCode.TOO_MUCH, ErrorCode.GARBLED, ErrorCode.NOT_A_PET, ErrorCode.NO_ADDRESS, ErrorCode.OTHER_POD),
    ErrorCode.FAILED,
)


@dataclass(frozen=True)
class Diagnostic:
    """Why a peer gave no value, or what its reader should know about the discovery.

    `message` is a sentence, safe to show: one line, in words of ours.
    """

    code: ErrorCode
    message: str
