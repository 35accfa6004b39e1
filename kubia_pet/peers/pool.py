"""Requests to peers, `GET /data`: each in time, over connections that are kept alive."""

import asyncio
import re
from collections import deque
from collections.abc import Callable
from functools import partial

from kubia_pet import __version__
from kubia_pet.aio.expiry import ExpiryQueue
from kubia_pet.limits import KEEPALIVE_EXPIRY, MAX_KEEPALIVE, PEER_CONCURRENCY
from kubia_pet.model.diagnostic import ErrorCode
from kubia_pet.model.peer import Endpoint, Peer
from kubia_pet.peers.connection import (
    ConnectError,
    FetchError,
    Judge,
    PeerConnection,
    Response,
    no_answer_within,
)

_REQUEST = (
    b"GET %b HTTP/1.1\r\nHost: %b:%d\r\nUser-Agent: kubia-pet/"
    + __version__.encode()
    + b"\r\nAccept: */*\r\nAccept-Encoding: identity\r\nKubia-Pet-Peer: ?1\r\n\r\n"
)
_HOST_NAME = re.compile(r"[A-Za-z0-9._-]{1,253}")


class ConnectionPool:
    """Fetches `path`, PEER_CONCURRENCY at the same time, and keeps one connection to each endpoint.

    A peer is asked by its full name (Host): a pod that meanwhile has another's address can tell, and answers
    421. `timeout` and `connect_timeout` are seconds, of a whole response and of one connection; `limit` and
    `judge` are those of a PeerConnection.
    """

    def __init__(
        self, *, timeout: float, connect_timeout: float, limit: int, judge: Judge, path: str = "/data"
    ) -> None:
        self._path = path.encode()
        self._timeout = timeout
        self._connect_timeout = connect_timeout
        self._limit = limit
        self._judge = judge
        self._deadlines = ExpiryQueue(timeout, self._give_up)
        self._kept: dict[Endpoint, PeerConnection] = {}
        self._idle = ExpiryQueue(KEEPALIVE_EXPIRY, self._drop)
        self._in_flight = 0
        self._waiting: deque[tuple[Peer, asyncio.Future[Response]]] = deque()

    def fetch(self, peer: Peer) -> asyncio.Future[Response]:
        """The response of the first endpoint that takes a connection, or FetchError. Cancel it to give up.

        It waits its turn where PEER_CONCURRENCY are asked already; its deadline begins with its turn. Where a
        connection is kept, the request is sent before this returns, and needs no task. If that connection
        turns out to be closed the request is sent once more, on a new one: a server may close an idle
        connection at any time, and GET is safe to repeat (RFC 9112 §9.3.1).
        """
        response: asyncio.Future[Response] = asyncio.get_running_loop().create_future()
        if self._in_flight < PEER_CONCURRENCY:
            self._begin(peer, response)
        else:
            self._waiting.append((peer, response))
        return response

    def under_way(self) -> set[asyncio.Future[Response]]:
        """Those whose turn has come, PEER_CONCURRENCY at most."""
        return set(self._deadlines)

    def close(self) -> None:
        """Closes the connections that are kept."""
        for endpoint in list(self._kept):
            self._drop(endpoint)

    def _begin(self, peer: Peer, response: asyncio.Future[Response]) -> None:
        self._in_flight += 1
        self._deadlines.add(response)
        response.add_done_callback(self._end)
        for endpoint in peer.endpoints:
            kept = self._take(endpoint)
            if kept is not None and kept.reusable:
                self._send(kept, peer, endpoint, response, retry=partial(self._connect, peer, response))
                return
        self._connect(peer, response)

    def _end(self, response: asyncio.Future[Response]) -> None:
        self._in_flight -= 1
        self._deadlines.discard(response)
        while self._waiting and self._in_flight < PEER_CONCURRENCY:
            peer, waiting = self._waiting.popleft()
            if not waiting.done():
                self._begin(peer, waiting)

    def _send(
        self,
        connection: PeerConnection,
        peer: Peer,
        endpoint: Endpoint,
        response: asyncio.Future[Response],
        retry: Callable[[], None] | None = None,
    ) -> None:
        response.add_done_callback(partial(self._done, connection, endpoint))
        connection.send(_REQUEST % (self._path, _host(peer, endpoint), endpoint[1]), response, retry)

    def _done(
        self, connection: PeerConnection, endpoint: Endpoint, response: asyncio.Future[Response]
    ) -> None:
        if (
            not response.cancelled()
            and response.exception() is None
            and connection.reusable
            and endpoint not in self._kept
            and len(self._kept) < MAX_KEEPALIVE
        ):
            self._kept[endpoint] = connection
            self._idle.add(endpoint)
        else:
            connection.close()

    def _connect(self, peer: Peer, response: asyncio.Future[Response]) -> None:
        connecting = asyncio.create_task(self._try_each(peer, response))
        response.add_done_callback(lambda _: connecting.cancel())

    async def _try_each(self, peer: Peer, response: asyncio.Future[Response]) -> None:
        failure: Exception = FetchError(ErrorCode.NO_ADDRESS, "DNS has no address for it")
        for endpoint in peer.endpoints:
            try:
                connection = await self._connected(*endpoint)
            except ConnectError as error:
                failure = error
            except Exception as error:  # noqa: BLE001 - it is handed on
                failure = error
                break
            else:
                self._send(connection, peer, endpoint, response)
                return
        if not response.done():
            response.set_exception(failure)

    async def _connected(self, address: str, port: int) -> PeerConnection:
        where = f"{address} port {port}"
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(self._connect_timeout):
                _, connection = await loop.create_connection(
                    lambda: PeerConnection(self._limit, self._judge), address, port
                )
        except TimeoutError as error:
            sentence = f"no connection within {self._connect_timeout:g} s"
            raise ConnectError(ErrorCode.TIMEOUT, sentence) from error
        except ConnectionRefusedError as error:
            raise ConnectError(ErrorCode.REFUSED, f"{where} refuses connections") from error
        except OSError as error:
            sentence = f"{where} cannot be reached ({error.strerror})"
            raise ConnectError(ErrorCode.UNREACHABLE, sentence) from error
        return connection

    def _take(self, endpoint: Endpoint) -> PeerConnection | None:
        self._idle.discard(endpoint)
        return self._kept.pop(endpoint, None)

    def _drop(self, endpoint: Endpoint) -> None:
        self._idle.discard(endpoint)
        self._kept.pop(endpoint).close()

    def _give_up(self, response: asyncio.Future[Response]) -> None:
        if not response.done():
            response.set_exception(no_answer_within(self._timeout))


def _host(peer: Peer, endpoint: Endpoint) -> bytes:
    """The peer's name, or its address where the name in the DNS could not stand in a header."""
    if _HOST_NAME.fullmatch(peer.name):
        return peer.name.encode()
    address, _ = endpoint
    return (f"[{address}]" if ":" in address else address).encode()
