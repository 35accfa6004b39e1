"""An answer that may be given again, to a request with the same head."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from aiohttp import web


@dataclass(frozen=True)
class Origin:
    """What a response was made of: an outcome, and how to do anew, with another body, what comes to it.

    `at_once()` is the outcome without waiting for anything, None where only `do` can tell.
    """

    outcome: object
    do: Callable[[bytes], asyncio.Future[Any]]
    at_once: Callable[[], object] = lambda: None


ORIGIN = web.ResponseKey("ORIGIN", Origin)


class Replay:
    """A response that is right whenever its origin's outcome is the same, within one second: it has a Date.

    `admit()` says whether requests may pass unseen, `count(seconds)` is told of each that did.
    """

    def __init__(
        self, response: web.Response, *, admit: Callable[[], bool], count: Callable[[float], None]
    ) -> None:
        self._response = response
        self._origin = response[ORIGIN]
        self._second = int(time.time())
        self._admit = admit
        self._answer = b""
        self.count = count

    def may_hold(self) -> bool:
        """Whether all that is left is to do what is asked for."""
        return int(time.time()) == self._second and self._admit()

    def do(self, body: bytes) -> asyncio.Future[object]:
        """The outcome of another request, with this body."""
        return self._origin.do(body)

    def at_once(self) -> object:
        """The outcome of another request, without waiting for anything; None where only `do` can tell."""
        return self._origin.at_once()

    def answer(self, outcome: object) -> bytes | None:
        """The whole response, as aiohttp sent it; None where the outcome is another one."""
        if outcome != self._origin.outcome:
            return None
        if not self._answer:
            response = self._response
            header = "".join(f"{name}: {value}\r\n" for name, value in response.headers.items())
            start = f"HTTP/1.1 {response.status} {response.reason}\r\n{header}\r\n"
            body = response.body
            assert isinstance(body, bytes)  # noqa: S101 - so is each response that has an origin
            self._answer = start.encode() + body
        return self._answer
