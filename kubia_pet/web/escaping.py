"""What is safe to show in one line of a terminal or a page, whatever a value holds."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from kubia_pet.model.value import Value, utf8

# What could end or rewrite a line: control characters, line and paragraph separators, invisible and
# bidirectional formatting (Unicode's Cc, Zl, Zp and Cf but for the joiners that words and emoji need, and
# for the marks that Arabic, Syriac, Kaithi and Egyptian show). Bytes that are not UTF-8, as Python's
# surrogates. What Unicode has set aside to be ignored. And the backslash, so that a line break and the two
# characters that stand for it differ.
_ALWAYS = (
    "\\\\\x00-\x1f\x7f-\x9f\xad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff0-\ufffb"
    "\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e00ff\U000e01f0-\U000e0fff\udc80-\udcff"
)
# What is blank on a screen: Unicode's Zs, fillers of Hangul, empty Braille, note and hieroglyphs. A run of
# it could fill a terminal's row, so that what follows looks like a line of its own. What has no width, as
# joiners, is blank in a run, too.
_BLANK = (
    " \xa0\u1680\u2000-\u200a\u202f\u205f\u3000\u115f\u1160\u3164\uffa0\u2800\U0001d159\U00013441\U00013442"
)
_JOINERS = "\u034f\u17b4\u17b5\u180b-\u180d\u180f\u200c\u200d\ufe00-\ufe0f\U00016fe4\U000e0100-\U000e01ef"
_UNSAFE = re.compile(f"[{_ALWAYS}]+|(?<=[{_BLANK}])[{_BLANK}{_JOINERS}]+")
_BYTES = range(0xDC80, 0xDD00)  # what bytes over 0x7F are decoded to where they are not UTF-8 (PEP 383)
_SLICE = 1 << 16  # characters escaped in one call, so that a thread lets others run in between


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
