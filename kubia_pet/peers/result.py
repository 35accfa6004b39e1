"""What a peer's answer is worth: a value, or an error that says why there is none."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from kubia_pet.model.diagnostic import Diagnostic, ErrorCode
from kubia_pet.model.peer import Peer
from kubia_pet.model.value import NO_VALUE, Value
from kubia_pet.peers.connection import FetchError, Response

DATA_TYPES = {b"text/plain", b"application/octet-stream"}


@dataclass(frozen=True)
class PeerResult:
    """What one peer said: a value, None where it has none yet, or an error with a stable code."""

    peer: Peer
    value: Value | None = None
    error: Diagnostic | None = None


def judge(status: int, header: Mapping[bytes, bytes]) -> None:
    """Raises FetchError unless the answer can be a value, or say that there is none.

    An original pod names no content type.
    """
    if status not in (200, 404):
        raise FetchError(ErrorCode.STATUS, f"answered {status}")
    if header.get(b"content-encoding", b"identity").lower() != b"identity":
        raise FetchError(ErrorCode.NOT_A_PET, "is no kubia-pet: its answer is compressed")
    kind = header.get(b"content-type", b"text/plain").partition(b";")[0].strip().lower()
    if status == 200 and kind not in DATA_TYPES:  # noqa: PLR2004
        # The type is a stranger's words: only a plain one is repeated.
        plain = re.fullmatch(rb"[a-z0-9.+/-]{1,80}", kind)
        shown = kind.decode() if plain else "an odd type"
        raise FetchError(ErrorCode.NOT_A_PET, f"is no kubia-pet: it answered with {shown}")


def value_in(response: Response, budget: "Budget") -> Value | None:
    """The value; None where the peer says that it has none. Raises FetchError."""
    if response.status == 200:  # noqa: PLR2004
        budget.take(len(response.body))
        return Value(response.body)
    if response.body.strip() == NO_VALUE.encode():
        return None
    raise FetchError(ErrorCode.STATUS, f"answered {response.status}")


class Budget:
    """Bounds the bytes of the values of one gathering; those of a peer that fails cost the others nothing."""

    def __init__(self, limit: int) -> None:
        self._limit = self._left = limit

    def take(self, size: int) -> None:
        """Raises FetchError where so many bytes are not left."""
        if size > self._left:
            raise FetchError(ErrorCode.TOO_MUCH, f"left out: the answers together exceed {self._limit} bytes")
        self._left -= size
