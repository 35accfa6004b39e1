"""The answer to `GET /`: this pod's value, then the cluster's, as text or JSON."""

import base64
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from kubia_pet.discovery import Discovered
from kubia_pet.limits import MAX_OVERVIEW_BYTES
from kubia_pet.model.diagnostic import Diagnostic, ErrorCode
from kubia_pet.model.value import NO_VALUE, Value, utf8
from kubia_pet.peers.gather import Gathered
from kubia_pet.peers.result import PeerResult

# What could end or rewrite a line: control characters, line and paragraph separators, invisible and
# bidirectional formatting (Unicode's Cc, Zl, Zp and Cf but for the joiners that words and emoji need, and
# for the marks that Arabic, Syriac, Kaithi and Egyptian show). Bytes that are not UTF-8, as Python's
# surrogates. And the backslash, so that a line break and the two characters that stand for it differ.
_ALWAYS = (
    "\\\\\x00-\x1f\x7f-\x9f\xad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    "\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e007f\udc80-\udcff"
)
# What is blank on a screen: Unicode's Zs, the fillers of Hangul, the empty Braille pattern. A run of it could
# fill a terminal's row, so that what follows looks like a line of its own. Joiners in a run are blank, too.
_BLANK = " \xa0\u1680\u2000-\u200a\u202f\u205f\u3000\u115f\u1160\u3164\uffa0\u2800"
_JOINERS = "\u034f\u180b-\u180d\u180f\u200c\u200d\ufe00-\ufe0f"
_UNSAFE = re.compile(f"[{_ALWAYS}]+|(?<=[{_BLANK}])[{_BLANK}{_JOINERS}]+")
_BYTES = range(0xDC80, 0xDD00)  # what bytes over 0x7F are decoded to where they are not UTF-8 (PEP 383)
_SLICE = 1 << 16  # characters escaped in one call, so that a thread lets others run in between
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


def in_one_line(text: str) -> Iterator[str]:
    r"""The text, in pieces, with everything escaped that could forge or hide a line, and every backslash.

    As Python writes it: `\x1b` is ASCII or, in a value that is not UTF-8, a byte; `\u2028` a character.
    No two texts are shown alike.
    """
    if text.isascii() and text.isprintable() and "\\" not in text and "  " not in text:
        yield text
        return
    for start in range(0, len(text), _SLICE):
        yield _UNSAFE.sub(_escape, text[start : start + _SLICE])


class _Escapes(dict[int, str]):
    """The escape of each character, made when it is first needed."""

    def __missing__(self, code: int) -> str:
        if code in _BYTES:
            escape = f"\\x{code - _BYTES.start + 0x80:02x}"
        elif code < 0x80:  # noqa: PLR2004 - ASCII
            escape = f"\\x{code:02x}"
        else:
            escape = f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"  # noqa: PLR2004 - the basic plane
        self[code] = escape
        return escape


_ESCAPES = _Escapes({ord("\\"): "\\\\", ord("\n"): "\\n", ord("\r"): "\\r", ord("\t"): "\\t"})


def _escape(found: re.Match[str]) -> str:
    return found[0].translate(_ESCAPES)


def _shown(value: Value | None) -> Iterator[str]:
    if value is None:
        return iter((NO_VALUE,))
    return in_one_line(value.data.decode(errors="surrogateescape"))


@dataclass(frozen=True)
class Preview:
    """The begin of a value, safe to show in one line; whether there is more, and whether it is no UTF-8."""

    text: str
    cut: bool
    binary: bool


def preview(value: Value, most: int) -> Preview:
    """`most` characters of it, before they are escaped."""
    # A character has four bytes at most: so many hold one more than is shown, where there is one.
    text = utf8(value.data)
    begin = value.data[: 4 * most + 4].decode(errors="surrogateescape") if text is None else text
    shown = "".join(in_one_line(begin[:most]))
    return Preview(shown, cut=len(begin) > most, binary=text is None)


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
