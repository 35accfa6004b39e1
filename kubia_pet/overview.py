"""The answer to `GET /`: this pod's value, then the cluster's, as text or JSON."""

import base64
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass

from kubia_pet.cluster import Answer, Gathered
from kubia_pet.value import NO_VALUE, Value

# What could end or rewrite a line: control characters, line and paragraph separators, invisible and
# bidirectional formatting (Unicode's Cc, Zl, Zp and Cf but for the joiners that words and emoji need).
_UNSAFE = re.compile(
    "[\x00-\x1f\x7f-\x9f\xad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    "\U000e0000-\U000e007f]"
)
_SLICE = 1 << 16  # characters escaped in one call, so that a thread lets others run in between


@dataclass(frozen=True)
class Overview:
    """What `GET /` says. `gathered` is None where this pod looks for no peers."""

    pod: str
    own: Value | None
    gathered: Gathered | None

    @property
    def size(self) -> int:
        """Bytes of all values in it."""
        answers = self.gathered.answers if self.gathered else ()
        values = [self.own, *(answer.value for answer in answers if not answer.peer.is_self)]
        return sum(len(value.data) for value in values if value)

    def as_text(self) -> bytes:
        """The lines that the book's readers know. Each peer is one line, whatever its value holds."""
        return "".join(f"{line}\n" for line in self._lines()).encode()

    def as_json(self) -> bytes:
        """The same as JSON, with each value's exact bytes."""
        own = {"pod": self.pod, **_value_members(self.own)}
        if self.gathered is None:
            return _object(own, service=None, discovery=None, peers=[])
        discovered = self.gathered.discovered
        age = discovered.age()
        discovery = {
            "age": None if age is None else round(age, 3),
            "error": discovered.failure and vars(discovered.failure),
            "findings": [vars(finding) for finding in discovered.findings],
        }
        return _object(own, service=discovered.service, discovery=discovery, peers=self.gathered.answers)

    def _lines(self) -> Iterator[str]:
        yield f"You've hit {self.pod}"
        yield f"Data stored on this pod: {_shown(self.own)}"
        if self.gathered is None:
            return
        yield "Data stored in the cluster:"
        discovered = self.gathered.discovered
        for finding in filter(None, (discovered.failure, *discovered.findings)):
            yield f"! {discovered.service}: {finding.message}"
        for answer in self.gathered.answers:
            if answer.error:
                yield f"! {answer.peer.name}: {answer.error.message}"
            else:
                yield f"- {answer.peer.name}: {_shown(answer.value)}"


def in_one_line(text: str) -> str:
    """The text with everything escaped that could forge or hide a line, as Python would write it."""
    if text.isprintable():
        return text
    slices = (text[start : start + _SLICE] for start in range(0, len(text), _SLICE))
    return "".join(_UNSAFE.sub(_escape, part) for part in slices)


def _escape(found: re.Match[str]) -> str:
    return found[0].encode("unicode_escape").decode()


def _shown(value: Value | None) -> str:
    if value is None:
        return NO_VALUE
    return in_one_line(value.data.decode(errors="backslashreplace") if value.text is None else value.text)


def _value_members(value: Value | None) -> dict[str, str | None]:
    if value is None:
        return {"value": None}
    if value.text is None:
        return {"value": base64.b64encode(value.data).decode(), "encoding": "base64"}
    return {"value": value.text}


def _peer_members(answer: Answer) -> dict[str, object]:
    peer = answer.peer
    members: dict[str, object] = {"name": peer.name, "ordinal": peer.ordinal, "self": peer.is_self}
    return members | ({"error": vars(answer.error)} if answer.error else _value_members(answer.value))


def _object(own: dict[str, str | None], **rest: object) -> bytes:
    return (json.dumps(own | rest, ensure_ascii=False, default=_peer_members, indent=2) + "\n").encode()
