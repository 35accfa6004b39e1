"""Everybody's value: all peers asked at once, each answer a value or an error."""

import asyncio
import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol, Self

import aiohttp

from kubia_pet.discovery import Discovered, Discovery, Finding, Peer
from kubia_pet.value import NO_VALUE, Value

log = logging.getLogger(__name__)
AT_ONCE = (
    64  # peers asked at the same time: as many connections are kept, and the event loop is held that long
)
IDLE = 4.0  # seconds that an unused connection is kept: less than any server's, the original's 5 s included
DATA_TYPES = {"text/plain", "application/octet-stream"}


class ClusterObserver(Protocol):
    """Told how each peer answered."""

    def asked(self, outcome: str) -> None:
        """`outcome` is ok or an error's code."""


@dataclass(frozen=True)
class Answer:
    """What one peer said: a value, None where it has none yet, or an error with a stable code."""

    peer: Peer
    value: Value | None = None
    error: Finding | None = None


@dataclass(frozen=True)
class Gathered:
    """The answers of all peers, this pod's own included, in the order of their ordinals."""

    discovered: Discovered
    answers: tuple[Answer, ...]


class Cluster:
    """Asks the peers that discovery finds for their values.

    Use it as an async context manager: its connections are kept alive between two gatherings and closed
    at its exit. `peer_timeout`, `connect_timeout` and `gather_timeout` are seconds; `peer_limit` and
    `gather_limit` bound the bytes taken from one peer and from all together.
    """

    def __init__(
        self,
        discovery: Discovery,
        *,
        connect_timeout: float,
        peer_timeout: float,
        gather_timeout: float,
        peer_limit: int,
        gather_limit: int,
        observer: ClusterObserver,
    ) -> None:
        self.discovery = discovery
        self._timeout = aiohttp.ClientTimeout(total=peer_timeout, sock_connect=connect_timeout)
        self._gather_timeout = gather_timeout
        self._peer_limit = peer_limit
        self._gather_limit = gather_limit
        self._observer = observer
        self._session: aiohttp.ClientSession
        self._failing: dict[str, str] = {}

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=AT_ONCE, keepalive_timeout=IDLE),
            timeout=self._timeout,
            auto_decompress=False,
            cookie_jar=aiohttp.DummyCookieJar(),
            headers={"Accept-Encoding": "identity", "Accept": "*/*"},
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._session.close()
        self.discovery.close()

    async def gather(self, own: Value | None) -> Gathered:
        """Every peer's answer, `own` for this pod's; never raises, and ends within `gather_timeout`."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._gather_timeout
        discovered = await self.discovery.discover()
        budget = _Budget(self._gather_limit)
        turns = asyncio.Semaphore(AT_ONCE)
        others = [peer for peer in discovered.peers if not peer.is_self]
        asking = {peer: asyncio.create_task(self._ask(peer, turns, budget)) for peer in others}
        if asking:
            _, late = await asyncio.wait(asking.values(), timeout=deadline - loop.time())
            for task in late:
                task.cancel()
            if late:
                await asyncio.wait(late)
        answers = tuple(
            Answer(peer, own) if peer.is_self else self._answer_of(peer, asking[peer])
            for peer in discovered.peers
        )
        self._say(answers)
        return Gathered(discovered, answers)

    def _answer_of(self, peer: Peer, task: "asyncio.Task[Value | None]") -> Answer:
        error = _timed_out(self._gather_timeout) if task.cancelled() else task.exception()
        if error is None:
            self._observer.asked("ok")
            return Answer(peer, task.result())
        finding = error.finding if isinstance(error, _PeerError) else Finding("failed", f"{error!r}")
        self._observer.asked(finding.code)
        return Answer(peer, error=finding)

    async def _ask(self, peer: Peer, turns: asyncio.Semaphore, budget: "_Budget") -> Value | None:
        async with turns:
            failure = _PeerError("no-address", "DNS has no address for it")
            for address, port in peer.endpoints:
                try:
                    return await self._fetch(address, port, budget)
                except aiohttp.ClientConnectorError as error:
                    refused = isinstance(error.os_error, ConnectionRefusedError)
                    reason = (
                        "refuses connections" if refused else f"cannot be reached ({error.os_error.strerror})"
                    )
                    failure = _PeerError(
                        "refused" if refused else "unreachable", f"{address} port {port} {reason}"
                    )
            raise failure

    async def _fetch(self, address: str, port: int, budget: "_Budget") -> Value | None:
        host = f"[{address}]" if ":" in address else address
        with self._errors_named():
            # On a connection that was kept and meanwhile closed aiohttp tries once more (RFC 9110 §9.2.2).
            async with self._session.get(f"http://{host}:{port}/data", allow_redirects=False) as response:
                data = await self._body(response, budget)
        if response.status == 404 and data.strip() == NO_VALUE.encode():  # noqa: PLR2004
            return None
        if response.status != 200:  # noqa: PLR2004
            raise _PeerError("status", f"answered {response.status}")
        if "Content-Encoding" in response.headers or (
            "Content-Type" in response.headers and response.content_type not in DATA_TYPES
        ):
            raise _PeerError("not-a-pet", f"is no kubia-pet: it answered with {response.content_type}")
        return Value(data)

    async def _body(self, response: aiohttp.ClientResponse, budget: "_Budget") -> bytes:
        pieces, left = [], self._peer_limit
        async for piece in response.content.iter_any():
            left -= len(piece)
            if left < 0:
                raise _PeerError("too-much", f"sent more than {self._peer_limit} bytes")
            budget.take(len(piece))
            pieces.append(piece)
        return b"".join(pieces)

    @contextmanager
    def _errors_named(self) -> Iterator[None]:
        """Translates what aiohttp raises, but for a connection that could not be made."""
        try:
            yield
        except aiohttp.ClientConnectorError:
            raise
        except aiohttp.ConnectionTimeoutError as error:
            raise _PeerError("timeout", f"no connection within {self._timeout.sock_connect:g} s") from error
        except TimeoutError as error:
            raise _timed_out(self._timeout.total or 0) from error
        except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError) as error:
            raise _PeerError("closed", "closed the connection without an answer") from error
        except aiohttp.ClientPayloadError as error:
            raise _PeerError("garbled", "broke off its answer") from error
        except (aiohttp.ClientError, ValueError) as error:
            raise _PeerError("garbled", "answered something that is not HTTP") from error

    def _say(self, answers: Sequence[Answer]) -> None:
        """Logs each peer that begins to fail, or fails otherwise than before, and each that is back."""
        failing = {answer.peer.name: answer.error.message for answer in answers if answer.error}
        for name, message in failing.items():
            if self._failing.get(name) != message:
                log.warning("Peer %s: %s", name, message)
        for name in self._failing.keys() - failing.keys():
            log.info("Peer %s answers again, or is gone", name)
        self._failing = failing


class _PeerError(Exception):
    """Why one peer has no value in the answer."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.finding = Finding(code, message)


class _Budget:
    """Bounds the bytes of one gathering."""

    def __init__(self, limit: int) -> None:
        self._limit = self._left = limit

    def take(self, size: int) -> None:
        if size > self._left:
            raise _PeerError("too-much", f"left out: the answers together exceed {self._limit} bytes")
        self._left -= size


def _timed_out(seconds: float) -> _PeerError:
    return _PeerError("timeout", f"no answer within {seconds:g} s")
