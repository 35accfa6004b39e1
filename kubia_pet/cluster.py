"""Everybody's value: all peers asked at once, each answer a value or an error."""

import asyncio
import logging
import re
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol, Self

import aiohttp

from kubia_pet.discovery import Discovered, Discovery, Finding, Peer
from kubia_pet.value import NO_VALUE, Value

log = logging.getLogger(__name__)
# Peers asked at the same time: as many connections are kept. All may come to the event loop's attention at
# once, at up to 0.6 ms each for a new connection.
AT_ONCE = 24
IDLE = 4.0  # seconds that an unused connection is kept: less than any server's, the original's 5 s included
# Bytes of a connection's receive buffer, which Linux doubles; over a millisecond's distance a mebibyte
# then takes some 70 ms.
PORTION = 8192
SAID = 10  # peers that begin to fail in one gathering and are logged one by one
DATA_TYPES = {"text/plain", "application/octet-stream"}
_CANNOT_CONNECT = (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError)


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
    `gather_limit` bound the bytes of one peer's value and of all together, so that a gathering needs up
    to `gather_limit` and AT_ONCE times `peer_limit`.
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
        self._connect_timeout = connect_timeout
        self._peer_timeout = peer_timeout
        self._gather_timeout = gather_timeout
        self._peer_limit = peer_limit
        self._gather_limit = gather_limit
        self._observer = observer
        self._session: aiohttp.ClientSession
        self._failing: dict[str, Finding] = {}

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                limit=AT_ONCE, keepalive_timeout=IDLE, socket_factory=_socket_of_small_portions
            ),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=self._connect_timeout),
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
        answered: dict[Peer, Answer] = {}
        waiting = iter([peer for peer in discovered.peers if not peer.is_self])
        budget = _Budget(self._gather_limit)

        async def ask_in_turn() -> None:
            for peer in waiting:
                answered[peer] = await self._answer(peer, budget)

        asking = [asyncio.create_task(ask_in_turn()) for _ in discovered.peers[:AT_ONCE]]
        try:
            await asyncio.wait(asking, timeout=deadline - loop.time())
        finally:
            for task in asking:
                task.cancel()
        await asyncio.wait(asking)
        answers = tuple(
            Answer(peer, own) if peer.is_self else answered.get(peer) or self._unanswered(peer)
            for peer in discovered.peers
        )
        self._say(answers)
        return Gathered(discovered, answers)

    async def _answer(self, peer: Peer, budget: "_Budget") -> Answer:
        try:
            async with asyncio.timeout(self._peer_timeout):
                answer = Answer(peer, await self._ask(peer, budget))
        except _PeerError as error:
            answer = Answer(peer, error=error.finding)
        except TimeoutError:
            answer = Answer(peer, error=_no_answer_within(self._peer_timeout))
        except Exception:
            log.exception("Failed to ask peer %s", peer.name)
            answer = Answer(peer, error=Finding("failed", "could not be asked; this pod's log says why"))
        self._observer.asked(answer.error.code if answer.error else "ok")
        return answer

    def _unanswered(self, peer: Peer) -> Answer:
        error = _no_answer_within(self._gather_timeout)
        self._observer.asked(error.code)
        return Answer(peer, error=error)

    async def _ask(self, peer: Peer, budget: "_Budget") -> Value | None:
        failure = _PeerError("no-address", "DNS has no address for it")
        for address, port in peer.endpoints:
            try:
                return await self._fetch(address, port, budget)
            except aiohttp.ClientConnectorError as error:
                if isinstance(error.os_error, ConnectionRefusedError):
                    failure = _PeerError("refused", f"{address} port {port} refuses connections")
                else:
                    reason = error.os_error.strerror
                    failure = _PeerError("unreachable", f"{address} port {port} cannot be reached ({reason})")
            except aiohttp.ConnectionTimeoutError:
                failure = _PeerError("timeout", f"no connection within {self._connect_timeout:g} s")
        raise failure

    async def _fetch(self, address: str, port: int, budget: "_Budget") -> Value | None:
        # On a connection that was kept and meanwhile cut aiohttp tries once more (RFC 9110 §9.2.2). Where
        # text and JSON were gathered at the same time two were kept, and both may have been cut.
        try:
            return await self._get(address, port, budget)
        except _PeerError as error:
            if error.finding.code != "closed":
                raise
            return await self._get(address, port, budget)

    async def _get(self, address: str, port: int, budget: "_Budget") -> Value | None:
        host = f"[{address}]" if ":" in address else address
        with _errors_named():
            async with self._session.get(f"http://{host}:{port}/data", allow_redirects=False) as response:
                if response.status == 404 and await self._says_no_value(response):  # noqa: PLR2004
                    return None
                if response.status != 200:  # noqa: PLR2004
                    raise _PeerError("status", f"answered {response.status}")
                _require_data(response)
                data = await self._body(response)
        budget.take(len(data))
        return Value(data)

    async def _says_no_value(self, response: aiohttp.ClientResponse) -> bool:
        return (await self._body(response)).strip() == NO_VALUE.encode()

    async def _body(self, response: aiohttp.ClientResponse) -> bytes:
        too_much = _PeerError("too-much", f"sent more than {self._peer_limit} bytes")
        if (response.content_length or 0) > self._peer_limit:
            raise too_much
        pieces, left = [], self._peer_limit
        async for piece in response.content.iter_any():
            left -= len(piece)
            if left < 0:
                raise too_much
            pieces.append(piece)
        return b"".join(pieces)

    def _say(self, answers: Sequence[Answer]) -> None:
        """Logs each peer that begins to fail, or fails otherwise than before, and each that is back."""
        failing = {answer.peer.name: answer.error for answer in answers if answer.error}
        new = [name for name, error in failing.items() if self._failing.get(name) != error]
        for name in new[:SAID]:
            log.warning("Peer %s: %s", name, failing[name].message)
        if len(new) > SAID:
            log.warning("And %d more peers fail", len(new) - SAID)
        back = sorted(self._failing.keys() - failing.keys())
        if back:
            more = f" and {len(back) - SAID} more" if len(back) > SAID else ""
            log.info("Answer again, or are gone: %s%s", ", ".join(back[:SAID]), more)
        self._failing = failing


def _socket_of_small_portions(info: aiohttp.AddrInfoType) -> socket.socket:
    """A socket from which few bytes come at once.

    Parsing 256 KiB of interim answers or of one-byte chunks in one go held the event loop for 50-80 ms.
    """
    made = socket.socket(*info[:3])
    made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, PORTION)
    return made


@contextmanager
def _errors_named() -> Iterator[None]:
    """Translates what aiohttp raises, but for a connection that could not be made."""
    try:
        yield
    except _CANNOT_CONNECT:
        raise
    except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError, ConnectionError) as error:
        raise _PeerError("closed", "closed the connection without an answer") from error
    except aiohttp.ClientPayloadError as error:
        raise _PeerError("garbled", "broke off its answer") from error
    except (aiohttp.ClientError, ValueError) as error:
        raise _PeerError("garbled", "answered something that is not HTTP") from error


def _require_data(response: aiohttp.ClientResponse) -> None:
    """Raises unless the answer can be a value. An original pod names no content type."""
    if response.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise _PeerError("not-a-pet", "is no kubia-pet: its answer is compressed")
    if "Content-Type" in response.headers and response.content_type not in DATA_TYPES:
        # The type is a stranger's words: only a plain one is repeated.
        plain = re.fullmatch(r"[a-z0-9.+/-]{1,80}", response.content_type)
        raise _PeerError(
            "not-a-pet", f"is no kubia-pet: it answered with {plain[0] if plain else 'an odd type'}"
        )


class _PeerError(Exception):
    """Why one peer has no value in the answer."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.finding = Finding(code, message)


class _Budget:
    """Bounds the bytes of the values of one gathering; those of a peer that fails cost the others nothing."""

    def __init__(self, limit: int) -> None:
        self._limit = self._left = limit

    def take(self, size: int) -> None:
        if size > self._left:
            raise _PeerError("too-much", f"left out: the answers together exceed {self._limit} bytes")
        self._left -= size


def _no_answer_within(seconds: float) -> Finding:
    return Finding("timeout", f"no answer within {seconds:g} s")
