"""The page that a browser gets: one file, with its style and its script inside."""

import base64
import hashlib
import re
from html import escape
from importlib import resources

from kubia_pet.limits import PAGE_PREVIEW
from kubia_pet.model.value import NO_VALUE, Value
from kubia_pet.peers.result import PeerResult
from kubia_pet.web.escaping import preview
from kubia_pet.web.render import Overview

_POD, _ROWS = "{{pod}}", "{{rows}}"


class Page:
    """The page of one pod. `headers` keep everything out that is not in the file itself."""

    def __init__(self, pod: str) -> None:
        page = resources.files("kubia_pet.web").joinpath("page/page.html").read_text("utf-8")
        self._pod = pod
        begin, _, end = page.replace(_POD, escape(pod)).partition(_ROWS)
        self._begin, self._end = begin.encode(), end.encode()
        self.headers = {
            # Below `kubectl proxy` the page's origin is the whole API, with its user's rights: 'self' would
            # let in what any other pod serves, hashes do not. The script sends what the form holds.
            "Content-Security-Policy": (
                f"default-src 'none'; script-src {_hash(page, 'script')}; style-src {_hash(page, 'style')}; "
                "img-src data:; connect-src 'self'; base-uri 'none'; form-action 'none'; "
                "frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
            ),
            "Referrer-Policy": "no-referrer",
            "X-Content-Type-Options": "nosniff",
        }

    def without_value(self, sentence: str) -> bytes:
        """The page of a pod whose volume fails, and why."""
        return b"".join([self._begin, _row(self._pod, f"not ready: {sentence}"), self._end])

    def render(self, overview: Overview) -> bytes:
        """The page with a table of what is known now, for who runs no script."""
        if overview.gathered is None:
            rows = [_row(overview.pod, "ready", _shown(overview.own))]
        else:
            rows = [_row("DNS", sentence) for sentence in overview.remarks()]
            rows += map(_row_of, overview.gathered.answers)
        return b"".join([self._begin, *rows, self._end])


def _row_of(answer: PeerResult) -> bytes:
    pod = answer.peer.name.partition(".")[0]
    if answer.error:
        return _row(pod, f"no answer: {answer.error.message}")
    return _row(pod, "ending" if answer.ending else "ready", _shown(answer.value))


def _row(pod: str, state: str, value: str = "") -> bytes:
    return (
        f'<tr role="row"><th scope="row" role="rowheader">{escape(pod)}</th>'
        f'<td role="cell" class="state" data-th="State">{escape(state)}</td>'
        f'<td role="cell" class="value" data-th="Value">{escape(value)}</td></tr>\n'
    ).encode()


def _shown(value: Value | None) -> str:
    if value is None:
        return NO_VALUE
    begin = preview(value, PAGE_PREVIEW)
    notes = [f"{len(value.data)} bytes in all"] * begin.cut + ["not UTF-8"] * begin.binary
    return begin.text + "…" * begin.cut + (f" ({', '.join(notes)})" if notes else "")


def _hash(page: str, element: str) -> str:
    """What the policy calls the content of the page's one such element (CSP3 §2.3.1)."""
    (content,) = re.findall(rf"<{element}>(.*?)</{element}>", page, re.DOTALL)
    digest = hashlib.sha256(content.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"
