"""The short cut for a request that equals an earlier one.

A request that reads means the same whoever sends these bytes, and to whichever of this pod's addresses. One
that changes something means the same if it has the head of the one before it on its connection, and as many
bytes after it, with a body of its own. While what its answer rests on is the same too, that answer is given
again: nothing is parsed, dispatched or rendered, which is most of what a small answer costs. All else takes
the ordinary way.

Where the outcome is another one, or an error, the request is parsed after all, and what was done for it is
handed to its handler: to do it twice could undo what another client wrote in between.

What it leans on in aiohttp, and protocol.py with it; tests/api/test_replay.py fails where that changes:

- `data_received` parses what it is given before it returns; requests are handled one after the other; aiohttp
  calls it with nothing, to parse what it had held back;
- from the middleware's return to the last byte of a small answer nothing else runs, unless the client does
  not take what it was sent: then `writing_paused` says so;
- the parser holds no byte back after a request whose head and body are all that came;
- `headers` of a response that was sent are what was sent, in this order, after `HTTP/1.1 status reason`;
- reading of the transport may be paused while aiohttp has nothing to do, as it then does not resume it;
- `_loop` is the event loop.
"""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Generic, TypeGuard, TypeVar

from aiohttp import HttpVersion11, web

from kubia_pet.limits import MAX_REPLAY_BYTES, MAX_REPLAYS_BYTES, REPLAY_OVERHEAD_BYTES
from kubia_pet.model.unknown import UNKNOWN, Unknown
from kubia_pet.model.value import Value
from kubia_pet.web.connections import Connections

T = TypeVar("T")
_BLANK = b"\r\n\r\n"  # ends a head
_READING = {"GET", "HEAD"}
_BODILESS = {204, 304}


@dataclass(frozen=True)
class Work(Generic[T]):
    """What a request asks for, given its body; its outcome is compared by ==.

    `nowait()` is the outcome without waiting for anything, as `OncePerTurn` finds it; UNKNOWN where only `do`
    can tell.
    """

    do: Callable[[bytes], asyncio.Future[T]]
    nowait: Callable[[], T | Unknown] = lambda: UNKNOWN


_DONE = web.RequestKey("DONE", tuple[Work[Any], object])


async def perform(request: web.Request, work: Work[T], body: bytes = b"") -> T:
    """The outcome of `work`, or its error; the only thing but the request's head that the answer may rest on.

    It is done once for each request: where the short cut began it, this is what came of it.
    """
    connection = request.protocol
    begun = connection.take_begun() if isinstance(connection, ReplayingProtocol) else None
    outcome: T = await (begun or work.do(body))
    request[_DONE] = work, outcome
    return outcome


class _Answer:
    """A response that is right whenever its work has the same outcome, within one second: it has a Date."""

    def __init__(
        self,
        done: tuple[Work[Any], object],
        request: web.Request,
        response: web.Response,
        *,
        head_size: int,
        admits: Callable[[], bool],
        count: Callable[[float], None],
        essential: bool,
    ) -> None:
        self.work, self._outcome = done
        self.head_size = head_size
        self.size = REPLAY_OVERHEAD_BYTES + head_size + _size(self._outcome) + _size(response.body)
        self.essential = essential
        self.count = count
        self._admits = admits
        self._second = int(time.time())
        self._has_body = request.method != "HEAD" and response.status not in _BODILESS
        self._response: web.Response | None = response
        self._bytes = b""

    def may_hold(self) -> bool:
        """Whether all that is left is to do what is asked for."""
        return int(time.time()) == self._second and self._admits()

    def rests_on(self, outcome: object) -> bool:
        """Whether it is the answer to a request with this outcome."""
        return outcome is self._outcome or outcome == self._outcome

    def __bytes__(self) -> bytes:
        if self._response is not None:  # aiohttp has sent it by now
            response, self._response = self._response, None
            header = "".join(f"{name}: {value}\r\n" for name, value in response.headers.items())
            start = f"HTTP/1.1 {response.status} {response.reason}\r\n{header}\r\n".encode()
            body = response.body
            self._bytes = start + body if self._has_body and isinstance(body, bytes) else start
        return self._bytes


class Answers:
    """The newest that aiohttp gave to requests that read, by the bytes of these: MAX_REPLAYS_BYTES in all."""

    def __init__(self) -> None:
        self._answers: dict[bytes, _Answer] = {}
        self._size = 0

    def put(self, request: bytes, answer: _Answer) -> None:
        """The answer to this request from now on."""
        self._forget(request)
        self._answers[request] = answer
        self._size += answer.size
        while self._size > MAX_REPLAYS_BYTES:
            self._forget(next(iter(self._answers)))

    def get(self, request: bytes) -> _Answer | None:
        """What was answered to this request, if that is known."""
        return self._answers.get(request) if len(request) <= MAX_REPLAY_BYTES else None

    def _forget(self, request: bytes) -> None:
        answer = self._answers.pop(request, None)
        self._size -= answer.size if answer is not None else 0


class ReplayingProtocol(web.RequestHandler):
    """A connection that gives an answer again where that is the answer."""

    __slots__ = (
        "_answers", "_begun", "_connections", "_held", "_lost", "_own", "_read", "_rests", "_size", "working",
    )  # fmt: skip

    def __init__(
        self, server: web.Server, connections: Connections, answers: Answers, **options: Any
    ) -> None:
        super().__init__(server, loop=asyncio.get_running_loop(), **options)
        self._connections = connections
        self._answers = answers
        self._rests = True  # aiohttp was given nothing that it has not handled
        self._lost = False  # where a request began: from then on all takes the ordinary way
        self._read = b""  # the begin of what it was given since; the head of the last request while it rests
        self._size = 0  # of all that it was given since
        self._own: _Answer | None = None  # to the last request, if it changed something
        self.working: asyncio.Future[Any] | None = None  # what a repeated request asks for
        self._held = b""  # what came meanwhile
        self._begun: asyncio.Future[Any] | None = None  # done by the short cut, and not what it knew

    def take_begun(self) -> asyncio.Future[Any] | None:
        """What came of the present request's work, where the short cut did it already."""
        begun, self._begun = self._begun, None
        return begun

    def remember(
        self,
        request: web.Request,
        response: web.StreamResponse,
        *,
        essential: bool,
        admits: Callable[[], bool],
        count: Callable[[float], None],
    ) -> None:
        """A request was handled. Its answer is given again, if it may be, to those that equal it.

        `admits()` says whether requests may pass unseen, and this answer is one that they may have;
        `count(seconds)` is told of each that did.
        """
        self._begun = None
        done = request.pop(_DONE, None)  # aiohttp keeps the last request of each connection
        if self._lost:
            return
        head, blank, _ = self._read.partition(_BLANK)
        body = request.content_length if request.body_exists else 0
        self._rests = (
            bool(blank)
            and body is not None
            and len(head + blank) + body == self._size  # all that has come
            and not head.startswith(b"\r\n")  # aiohttp skips it
        )
        self._lost = not self._rests
        self._read = head + blank if self._rests else b""
        if (
            self._rests
            and self._size <= MAX_REPLAY_BYTES
            and done is not None
            and not is_large(done[1])
            and _is_replayable(response, request)
            and admits()
        ):
            answer = _Answer(
                done,
                request,
                response,
                head_size=len(self._read),
                admits=admits,
                count=count,
                essential=essential,
            )
            if request.method not in _READING:
                self._own = answer
            elif not body:
                self._answers.put(self._read, answer)

    def data_received(self, data: bytes) -> None:
        """Answers a request again, or gives it to aiohttp; holds what comes before the answer."""
        if self.working is not None:
            self._held += data
            if self.transport is not None:
                self.transport.pause_reading()
            return
        answer = None
        # A client that does not take its answers gets no further ones that nobody waits for.
        if self._rests and not self.writing_paused:
            is_own = self._own is not None and len(data) == self._size and data.startswith(self._read)
            answer = self._own if is_own else self._answers.get(data)
        if answer is not None and answer.may_hold():
            self._replay(answer, data)
        else:
            self._parse(data)

    def connection_lost(self, exc: BaseException | None) -> None:
        """Nobody waits for what is being done."""
        if self.working is not None:
            self.working.cancel()
        super().connection_lost(exc)

    def _parse(self, data: bytes) -> None:
        if data and not self._lost:  # without any aiohttp calls itself, to parse what it had held back
            if self._rests:
                self._read, self._size = b"", 0
                self._rests, self._own = False, None
            self._read += data[: MAX_REPLAY_BYTES - len(self._read)]
            self._size += len(data)
        super().data_received(data)

    def _replay(self, answer: _Answer, data: bytes) -> None:
        """Finds the outcome at once if that can be, and answers before anything else happens."""
        began = time.monotonic()
        outcome = answer.work.nowait()
        if outcome is UNKNOWN:
            self._connections.begin(self, essential=answer.essential)
            self.working = answer.work.do(data[answer.head_size :])
            self.working.add_done_callback(partial(self._on_done, answer, data, began))
        elif answer.rests_on(outcome):
            self._send(answer, began)
        else:
            self._begun = self._loop.create_future()
            self._begun.set_result(outcome)
            self._parse(data)

    def _on_done(self, answer: _Answer, data: bytes, began: float, doing: asyncio.Future[Any]) -> None:
        self.working = None
        failed = doing.cancelled() or doing.exception() is not None
        if self.transport is None:
            return
        if doing.cancelled():  # the program is ending
            self.transport.abort()
            return
        if not failed and answer.rests_on(doing.result()):
            self._send(answer, began)
        else:
            self._begun = doing
            self._parse(data)
        held, self._held = self._held, b""
        if held:
            self.transport.resume_reading()
            self.data_received(held)

    def _send(self, answer: _Answer, began: float) -> None:
        if self.transport is not None:
            self.transport.write(bytes(answer))
            self._connections.end(self)
            answer.count(time.monotonic() - began)


def _is_replayable(response: web.StreamResponse, request: web.Request) -> TypeGuard[web.Response]:
    """Whether it may be given again, not by aiohttp, to a request that equals this one."""
    return (
        request.version == HttpVersion11
        and request.keep_alive
        and response.keep_alive is not False
        and isinstance(response, web.Response)
        and isinstance(response.body, bytes | None)
        and not is_large(response.body)
    )


def is_large(kept: object) -> bool:
    """Whether it, a value or a body, is too much to be kept after it was sent."""
    return _size(kept) > MAX_REPLAY_BYTES


def _size(kept: object) -> int:
    data = kept.data if isinstance(kept, Value) else kept
    return len(data) if isinstance(data, bytes) else 0
