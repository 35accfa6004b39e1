"""Conditional requests (RFC 9110 §13): what If-Match and If-None-Match ask of the value.

Dates have no say, as no answer has a Last-Modified. A field that is no list of ETags is a ProblemError 400:
to take it for no condition might change what its client meant to keep.
"""

import re

from aiohttp import web

from kubia_pet.model.value import Value
from kubia_pet.store import Condition
from kubia_pet.web.problem import ProblemError

_ETAG = re.compile(r'[ \t]*(?:(W/)?("[^\x00-\x20"\x7f]*"))?[ \t]*(?:,|$)')  # RFC 9110 §8.8.3, §5.6.1


def if_match(request: web.Request) -> Condition | None:
    """That the value is one of these; strong comparison. None where the request does not ask for it."""
    wanted = _etags(request, "If-Match")
    return (
        None if wanted is None else lambda value: _is_in({etag for weak, etag in wanted if not weak}, value)
    )


def if_none_match(request: web.Request) -> Condition | None:
    """That the value is none of these; weak comparison. None where the request does not ask for it."""
    wanted = _etags(request, "If-None-Match")
    return None if wanted is None else lambda value: not _is_in({etag for _, etag in wanted}, value)


def preconditions(request: web.Request) -> Condition | None:
    """Whether a change may be made where this is the value (§13.2.2); None where the request does not ask."""
    asked = [each for each in (if_match(request), if_none_match(request)) if each is not None]
    return (lambda value: all(holds(value) for holds in asked)) if asked else None


def _is_in(wanted: set[str], value: Value | None) -> bool:
    return value is not None and ("*" in wanted or f'"{value.etag}"' in wanted)


def _etags(request: web.Request, name: str) -> list[tuple[bool, str]] | None:
    """The field's (is weak, ETag in quotes or `*`); None where the request has none."""
    lines = request.headers.getall(name, ())
    if not lines:
        return None
    text = ",".join(lines)
    if text.strip() == "*":
        return [(False, "*")]
    etags, end = [], 0
    while end < len(text) and (found := _ETAG.match(text, end)):
        end = found.end()
        if found[2]:
            etags.append((found[1] is not None, found[2]))
    if not etags or end < len(text):
        raise ProblemError(400, f'{name} is neither * nor a list of ETags in quotes, as in "0123abcd".')
    return etags
