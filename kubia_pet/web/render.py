"""The answer to `GET /`: this pod's value, then the cluster's, as text or JSON."""

import base64
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from kubia_pet.discovery import Discovered
from kubia_pet.limits import MAX_OVERVIEW_BYTES
from kubia_pet.model.diagnostic import Diagnostic, ErrorCode
from kubia_pet.model.value import NO_VALUE, Value, utf8
from kubia_pet.peers.gather import Gathered
from kubia_pet.peers.result import PeerResult
from kubia_pet.web.escaping import in_one_line

_LINE = 200  # bytes of a peer's members in JSON, which take 10 µs to write
# Bytes of an answer after which no further value is shown: escaped, one is up to six times as long as it is.
_LEFT_OUT = Diagnostic(
    ErrorCode.TOO_MUCH, f"left out: the answer is over {MAX_OVERVIEW_BYTES} bytes without it"
)


@dataclass(frozen=True)
class Overview:
    """What `GET /` says. `gathered` is None where this pod looks for no peers."""

    pod: str
    own: Value | None
    gathered: Gathered | None
    ledger: Mapping[str, object] | None = None

    @property
    def size(self) -> int:
        """About the bytes of all values in it, and of a line for each peer."""
        answers = self.gathered.answers if self.gathered else ()
        values = [self.own, *(answer.value for answer in answers if not answer.peer.is_self)]
        return _LINE * len(answers) + sum(len(value.data) for value in values if value)

    def remarks(self) -> Iterator[str]:
        """What is wrong with the discovery, in sentences."""
        if self.gathered is None:
            return
        discovered = self.gathered.discovered
        if discovered.failure:
            yield f"{discovered.failure.message}{_as_of(discovered)}"
        for diagnostic in discovered.diagnostics:
            yield diagnostic.message

    def as_text(self) -> bytes:
        """The lines that the book's readers know. Each peer is one line, whatever its value holds."""
        output = _Output()
        for text in self._texts(output):
            output.add(text)
        return output.joined()

    def as_json(self) -> bytes:
        """The same as JSON, with each value's exact bytes."""
        members: dict[str, object] = {"pod": self.pod, **_value_members(self.own)}
        answers: tuple[PeerResult, ...] = ()
        if self.gathered is None:
            members |= {"service": None, "discovery": None}
        else:
            discovered, answers = self.gathered.discovered, self.gathered.answers
            members["service"] = discovered.service
            members["discovery"] = discovered.state()
        members["ledger"] = self.ledger
        output = _Output()
        output.add(_json(members).removesuffix("\n}") + ',\n  "peers": [')
        for number, answer in enumerate(answers):
            output.add(",\n    " if number else "\n    ")
            output.add(_json(_peer_members(output.limited(answer))).replace("\n", "\n    "))
        output.add("\n  ]\n}\n" if answers else "]\n}\n")
        return output.joined()

    def _texts(self, output: "_Output") -> Iterator[str]:
        yield f"You've hit {self.pod}\nData stored on this pod: "
        yield from _shown(self.own)
        yield "\n"
        if self.gathered is None:
            return
        yield "Data stored in the cluster:\n"
        for sentence in self.remarks():
            yield f"! {self.gathered.discovered.service}: {sentence}\n"
        for answer in map(output.limited, self.gathered.answers):
            if answer.error:
                yield f"! {answer.peer.name}: {answer.error.message}\n"
            else:
                yield f"- {answer.peer.name}: "
                yield from _shown(answer.value)
                yield "\n"


class _Output:
    """The bytes of one answer. Each text is encoded as it comes, so that no second copy of all is made."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []
        self._size = 0

    def add(self, text: str) -> None:
        piece = text.encode()
        self._size += len(piece)
        self._pieces.append(piece)

    def limited(self, answer: PeerResult) -> PeerResult:
        """The answer, an error in its place where there are MAX_OVERVIEW_BYTES bytes already."""
        return (
            answer
            if answer.error or self._size < MAX_OVERVIEW_BYTES
            else PeerResult(answer.peer, error=_LEFT_OUT)
        )

    def joined(self) -> bytes:
        return b"".join(self._pieces)


def _as_of(discovered: Discovered) -> str:
    """How old the peers are that are shown while discovery fails; nothing where only this pod is."""
    age = discovered.age()
    return "" if age is None or len(discovered.peers) == 1 else f" These are the peers of {age:.0f} s ago."


def _shown(value: Value | None) -> Iterator[str]:
    if value is None:
        return iter((NO_VALUE,))
    return in_one_line(value.data.decode(errors="surrogateescape"))


def _value_members(value: Value | None) -> dict[str, str | None]:
    if value is None:
        return {"value": None}
    text = utf8(value.data)
    if text is None:
        return {"value": base64.b64encode(value.data).decode(), "encoding": "base64"}
    return {"value": text}


def _peer_members(answer: PeerResult) -> dict[str, object]:
    peer = answer.peer
    members: dict[str, object] = {"name": peer.name, "ordinal": peer.ordinal, "self": peer.is_self}
    return members | ({"error": vars(answer.error)} if answer.error else _value_members(answer.value))


def _json(members: dict[str, object]) -> str:
    return json.dumps(members, ensure_ascii=False, indent=2)
