"""What a peer's response is worth: a value, or an error that says why there is none."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from kubia_pet.model.diagnostic import Diagnostic, ErrorCode
from kubia_pet.model.peer import Peer
from kubia_pet.model.testimony import START, VERDICT
from kubia_pet.model.value import NO_VALUE, Value
from kubia_pet.peers.connection import FetchError, Response

STATE, ENDING = "Kubia-Pet-State", "ending"  # the header by which a pod says that it was told to end
_STATE, _ENDING = STATE.lower().encode(), ENDING.encode()
_START, _VERDICT = START.lower().encode(), VERDICT.lower().encode()
DATA_TYPES = {b"text/plain", b"application/octet-stream"}
_OK, _NOT_FOUND, _MISDIRECTED = 200, 404, 421


@dataclass(frozen=True)
class PeerResult:
    """What one peer said: a value, None where it has none yet, or an error with a stable code.

    `ending`: it was told to end, and serves until clients know. `ledger_version` is another one when its
    ledger has more to say; None where it says nothing of one.
    """

    peer: Peer
    value: Value | None = None
    error: Diagnostic | None = None
    ending: bool = False
    ledger_version: str | None = None

    @property
    def size(self) -> int:
        """The value's bytes."""
        return len(self.value.data) if self.value else 0


def judge(status: int, header: Mapping[bytes, bytes]) -> None:
    """Raises FetchError unless the response can be a value, or say that there is none.

    An original pod names no content type.
    """
    if status == _MISDIRECTED:  # RFC 9110 §15.5.20
        raise FetchError(ErrorCode.OTHER_POD, "another pod answers at its address, which DNS still tells")
    if status not in (_OK, _NOT_FOUND):
        raise FetchError(ErrorCode.STATUS, f"answered {status}")
    if header.get(b"content-encoding", b"identity").lower() != b"identity":
        raise FetchError(ErrorCode.NOT_A_PET, "is no kubia-pet: its answer is compressed")
    if status == _NOT_FOUND:
        return
    kind = header.get(b"content-type", b"text/plain").partition(b";")[0].strip().lower()
    if kind not in DATA_TYPES:
        # The type is a stranger's words: only a plain one is repeated.
        plain = re.fullmatch(rb"[a-z0-9.+/-]{1,80}", kind)
        shown = kind.decode() if plain else "an odd type"
        raise FetchError(ErrorCode.NOT_A_PET, f"is no kubia-pet: it answered with {shown}")


def is_ending(response: Response) -> bool:
    """Whether the peer says so."""
    return response.header.get(_STATE) == _ENDING


def ledger_version_of(response: Response) -> str | None:
    """Of the pod's start and the verdict on its volume."""
    start = response.header.get(_START)
    return None if start is None else (start + b" " + response.header.get(_VERDICT, b"")).decode("latin-1")


def value_in(response: Response) -> Value | None:
    """The value; None where the peer says that it has none. Raises FetchError."""
    if response.status == _OK:
        return Value(response.body)
    if response.body.strip() == NO_VALUE.encode():
        return None
    raise FetchError(ErrorCode.STATUS, f"answered {response.status}")
