"""One pod's HTTP API, from outside: each question has a deadline, each answer a bound."""

import json
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import aiohttp

from kubia_pet.limits import ASK_CONNECT_TIMEOUT, ASK_TIMEOUT, MAX_ANSWER_BYTES

_STORED_ON = re.compile(r"Data stored on pod (\S+)")
# The API server's words: k8s.io/apimachinery, pkg/util/proxy/transport.go
_PROXY_FAILED = b"error trying to reach service:"
FAULT = "Kubia-Pet-Fault"  # what a fault that is being played puts on the answers that it touches


class AskError(Exception):
    """A question without a useful answer; the text is a sentence that begins with a verb."""


class NotReachedError(AskError):
    """Nothing was sent: no address, no connection. A write that ends so has not happened."""


class UnansweredError(AskError):
    """It was sent and no whole answer came: a write that ends so may have happened, or happen yet."""


class RefusedError(AskError):
    """The pod, or what stands before it, answered with an error; `status` is HTTP's."""

    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(f"answered {status}" + (f": {sentence}" if sentence else ""))
        self.status = status


class OtherValueError(RefusedError):
    """412: the pod has another value than the one that was to be replaced. Nothing was changed."""


@dataclass(frozen=True)
class Stored:
    """A value as `GET /data` gave it: its bytes, and the ETag as it was sent."""

    data: bytes
    etag: str


@dataclass(frozen=True)
class Answer:
    """A whole answer: HTTP's status, the headers, the body."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def text(self) -> str:
        """The body as text, whatever it is."""
        return self.body.decode(errors="replace")


class PodClient:
    """Asks the pod called `name` at `url`, which ends with a slash; `host` is another Host header.

    A Service has a client too: its name is empty. Every method raises AskError; none waits longer than
    ASK_TIMEOUT.
    """

    def __init__(
        self, session: aiohttp.ClientSession, url: str, *, name: str, host: str | None = None
    ) -> None:
        self.name = name
        self.url = url
        self.faults: set[str] = set()  # those that the pod said it is playing
        self._session = session
        self._headers = {"Host": host} if host else {}

    async def ask(
        self, method: str, path: str, *, data: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> Answer:
        """The answer, whatever its status. Raises NotReachedError and UnansweredError."""
        try:
            async with self._session.request(
                method,
                self.url + path,
                data=data,
                headers={**self._headers, **(headers or {})},
                allow_redirects=False,
            ) as response:
                body = await _body(response)
        except (aiohttp.ConnectionTimeoutError, aiohttp.ClientConnectorError, aiohttp.InvalidURL) as error:
            raise NotReachedError(_no_connection(error)) from error
        except TimeoutError as error:
            raise UnansweredError(f"gave no answer within {ASK_TIMEOUT:g} s") from error
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise UnansweredError("broke off, or does not speak HTTP") from error
        if fault := response.headers.get(FAULT):
            self.faults.add(fault)
        if body.startswith(_PROXY_FAILED) and response.status in (502, 503):
            not_sent = b"dial " in body  # Go's word for making a connection
            raise NotReachedError("takes no connection") if not_sent else UnansweredError("broke off")
        return Answer(response.status, response.headers, body)

    async def data(self) -> Stored | None:
        """The value, exactly; None where there is none."""
        answer = await self.ask("GET", "data")
        if answer.status == HTTPStatus.NOT_FOUND:
            return None
        _require_ok(answer)
        return Stored(answer.body, answer.headers.get("ETag", ""))

    async def write(self, data: bytes, *, instead_of: Stored | None) -> str:
        """Stores the value where `instead_of` is what is there (RFC 9110 §13.1); the pod that says it did.

        Raises OtherValueError where something else is there.
        """
        answer = await self.ask("PUT", "data", data=data, headers=_condition(instead_of))
        _require_known(answer)
        _require_ok(answer)
        found = _STORED_ON.search(answer.text)
        return found[1] if found else ""

    async def remove(self, *, instead_of: Stored) -> None:
        """Removes the value where it is this one. Raises OtherValueError."""
        answer = await self.ask("DELETE", "data", headers=_condition(instead_of))
        _require_known(answer)
        _require_ok(answer)

    async def peers(self) -> dict[str, Any]:
        """`GET /peers`: what the pod's discovery sees."""
        return await self._object("peers")

    async def overview(self) -> dict[str, Any]:
        """`GET /` as JSON: everybody's value as this pod gathers them."""
        return await self._object("")

    async def ledger(self) -> dict[str, Any]:
        """`GET /ledger`. Raises RefusedError with 404 where the pod keeps none."""
        return await self._object("ledger")

    async def ready(self) -> None:
        """Returns where the pod is ready; raises RefusedError with its sentence where it is not."""
        _require_ok(await self.ask("GET", "readyz"))

    async def _object(self, path: str) -> dict[str, Any]:
        answer = await self.ask("GET", path, headers={"Accept": "application/json"})
        _require_ok(answer)
        try:
            members = json.loads(answer.body)
        except ValueError:
            members = None
        if not isinstance(members, dict):
            raise RefusedError(answer.status, "that is no kubia-pet's answer")
        return members


@asynccontextmanager
async def session(
    *, token: str | None = None, socket: str | None = None, keep: bool = True
) -> AsyncIterator[aiohttp.ClientSession]:
    """Connections for PodClients: over TCP, or to a Unix `socket`; kept alive unless told otherwise.

    `token` goes with every request, under a name that survives the API server's proxy.
    """
    connector = (
        aiohttp.UnixConnector(socket, limit=0, force_close=not keep)
        if socket
        else aiohttp.TCPConnector(limit=0, force_close=not keep, use_dns_cache=False)
    )
    timeout = aiohttp.ClientTimeout(total=ASK_TIMEOUT, connect=None, sock_connect=ASK_CONNECT_TIMEOUT)
    headers = {"Kubia-Pet-Token": token} if token else {}
    async with aiohttp.ClientSession(
        connector=connector,
        timeout=timeout,
        headers=headers,
        auto_decompress=False,
        cookie_jar=aiohttp.DummyCookieJar(),
        skip_auto_headers={"Accept-Encoding"},
    ) as opened:
        yield opened


@asynccontextmanager
async def one_connection(url: str, token: str | None) -> AsyncIterator[PodClient]:
    """A client of a Service whose questions, one after the other, all go over one connection: to one pod."""
    async with session(token=token) as opened:
        yield PodClient(opened, url, name="")


async def _body(response: aiohttp.ClientResponse) -> bytes:
    pieces, size = [], 0
    async for piece in response.content.iter_any():
        size += len(piece)
        if size > MAX_ANSWER_BYTES:
            response.close()
            raise UnansweredError(f"answered with more than {MAX_ANSWER_BYTES} bytes")
        pieces.append(piece)
    return b"".join(pieces)


def _condition(instead_of: Stored | None) -> dict[str, str]:
    return {"If-None-Match": "*"} if instead_of is None else {"If-Match": instead_of.etag}


def _require_ok(answer: Answer) -> None:
    if answer.status // 100 == 2:  # noqa: PLR2004 - 2xx
        return
    sentence = answer.text.strip()
    with_detail = re.search(r'"detail": ?"([^"]{1,300})"', sentence)
    shown = with_detail[1] if with_detail else sentence.partition("\n")[0][:300]
    kind = OtherValueError if answer.status == HTTPStatus.PRECONDITION_FAILED else RefusedError
    raise kind(answer.status, shown)


def _require_known(answer: Answer) -> None:
    """Raises UnansweredError where an error leaves open whether the old value stands."""
    said_by_pet = answer.headers.get("Content-Type", "").startswith(
        ("text/plain", "application/problem+json")
    )
    open_end = any(words in answer.text for words in ("not known", "may still take effect"))
    if answer.status in (503, 507) and said_by_pet and not open_end:
        return
    if answer.status >= 500:  # noqa: PLR2004 - 5xx
        raise UnansweredError(f"answered {answer.status}, which leaves open what happened")


def _no_connection(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return f"takes no connection within {ASK_CONNECT_TIMEOUT:g} s"
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return "has no address: the name cannot be resolved"
    reason = error.strerror if isinstance(error, OSError) else None
    return "takes no connection" + (f": {reason}" if reason else "")
