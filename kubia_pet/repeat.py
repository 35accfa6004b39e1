"""An answer that may be given again, to a request in the same bytes."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from aiohttp import web

SMALL = 1 << 13  # bytes of a request, and of its answer, that each connection may keep


@dataclass(frozen=True)
class Origin:
    """What a response was made of: some state, and how to look that state up anew."""

    state: object
    look: Callable[[], asyncio.Future[Any]]


ORIGIN = web.ResponseKey("ORIGIN", Origin)


class Repeat:
    """A response that is right as long as its origin's state is the same, within one second: it has a Date.

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
        """Whether only its state is left to be looked up."""
        return int(time.time()) == self._second and self._admit()

    def look(self) -> asyncio.Future[object]:
        """The state as it is now."""
        return self._origin.look()

    def answer(self, state: object) -> bytes | None:
        """The whole response, as aiohttp sent it; None where the state is another one."""
        if state != self._origin.state:
            return None
        if not self._answer:
            response = self._response
            header = "".join(f"{name}: {value}\r\n" for name, value in response.headers.items())
            start = f"HTTP/1.1 {response.status} {response.reason}\r\n{header}\r\n"
            body = response.body
            assert isinstance(body, bytes)  # noqa: S101 - so is each response that has an origin
            self._answer = start.encode() + body
        return self._answer
