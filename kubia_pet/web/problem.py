"""Errors as clients see them: one plain sentence, or problem details (RFC 9457) for who prefers JSON."""

import json
from collections.abc import Mapping
from enum import StrEnum
from http import HTTPStatus

import mimeparse
from aiohttp import web

from kubia_pet import __version__

TEXT = "text/plain"
JSON = "application/json"
PROBLEM = "application/problem+json"
TOO_MANY = "Too many requests at once: try again."
NOT_HTTP = "This is no request as HTTP/1.1 has it."
SERVER = f"kubia-pet/{__version__}"  # not the versions of Python and aiohttp


class Code(StrEnum):
    """Why the pod cannot do now what is asked, where that is not its volume's fault, which has a code too."""

    STARTING = "starting"
    ENDING = "ending"
    FOREIGN_VOLUME = "foreign-volume"
    ON_PURPOSE = "fault"
    BUSY = "busy"
    NO_TOKEN = "no-token"  # noqa: S105 - the word for there being none


class ProblemError(Exception):
    """Ends a request with `status` and one sentence; `close` also ends its connection.

    `code` is for programs: stable, and there with each 503 and 507.
    """

    def __init__(
        self,
        status: int,
        sentence: str,
        *,
        code: str | None = None,
        headers: Mapping[str, str] | None = None,
        close: bool = False,
    ) -> None:
        super().__init__(sentence)
        self.status = status
        self.code = code
        self.headers = headers or {}
        self.close = close

    def response(self, request: web.BaseRequest) -> web.Response:
        """The error in the form that this client prefers."""
        if preferred(request, TEXT, JSON, PROBLEM) == TEXT:
            response = web.Response(status=self.status, text=f"{self}\n", headers=self.headers)
        else:
            members = {
                "type": "about:blank",
                "title": HTTPStatus(self.status).phrase,
                "status": self.status,
                "detail": str(self),
            } | ({"code": self.code} if self.code else {})
            response = web.Response(
                status=self.status,
                text=json.dumps(members) + "\n",
                content_type=PROBLEM,
                headers=self.headers,
            )
        if self.close:
            response.force_close()
        return response


class NoRoomError(ProblemError):
    """Ends a request for want of `what`, of which there is room again soon: it may be tried in `seconds`."""

    def __init__(self, what: str, sentence: str, *, status: int = 503, seconds: int = 1) -> None:
        retry = {"Retry-After": f"{seconds}"}
        super().__init__(status, sentence, code=Code.BUSY, headers=retry, close=True)
        self.what = what


def json_response(members: Mapping[str, object]) -> web.Response:
    """The members as JSON, for people to read too."""
    return web.Response(text=json.dumps(members, indent=2) + "\n", content_type=JSON)


def preferred(request: web.BaseRequest, *offered: str) -> str:
    """Of the media types `offered` the one that Accept prefers (RFC 9110 §12.5.1), the first by default.

    Also the first where none is acceptable: an answer in plain text serves a client better than a 406.
    """
    accept = request.headers.get("Accept")
    if not accept or accept == "*/*":
        return offered[0]
    try:
        best = mimeparse.best_match(offered[::-1], accept)  # of equals it takes the last
    except mimeparse.MimeTypeParseException:
        best = ""
    return best or offered[0]
