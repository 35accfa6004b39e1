"""One pod's HTTP API, from outside: each question has a deadline, each answer a bound."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import aiohttp

from kubia_pet.client.answer import PROBLEM, Answer, require_known, require_ok
from kubia_pet.client.errors import NotReachedError, NotTriedError, RefusedError, UnansweredError
from kubia_pet.limits import ASK_CONNECT_TIMEOUT, ASK_TIMEOUT, MAX_ANSWER_BYTES
from kubia_pet.model.value import NO_VALUE

_STORED_ON = re.compile(r"Data stored on pod (\S+)")
# The API server's words: k8s.io/apimachinery, pkg/util/proxy/transport.go
_PROXY_FAILED = b"error trying to reach service:"
_WITH_CODES = {"Accept": PROBLEM}  # so that errors come with their code
FAULT = "Kubia-Pet-Fault"  # what a fault that is being played puts on the answers that it touches


@dataclass(frozen=True)
class Stored:
    """A value as `GET /data` gave it: its bytes, and the ETag as it was sent."""

    data: bytes
    etag: str


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
        """The value, exactly; None where the pod says that there is none.

        Others have a 404, too: the API server, while there is no pod of that name.
        """
        answer = await self.ask("GET", "data", headers=_WITH_CODES)
        if answer.status == HTTPStatus.NOT_FOUND and NO_VALUE in answer.text:
            return None
        require_ok(answer)
        return Stored(answer.body, answer.headers.get("ETag", ""))

    async def write(self, data: bytes, *, instead_of: Stored | None) -> str:
        """Stores the value where `instead_of` is what is there (RFC 9110 §13.1); the pod that says it did.

        Raises OtherValueError where something else is there.
        """
        answer = await self.ask("PUT", "data", data=data, headers=_condition(instead_of))
        require_known(answer)
        require_ok(answer)
        found = _STORED_ON.search(answer.text)
        return found[1] if found else ""

    async def require_takes_back(self, stored: Stored) -> None:
        """Returns where the pod would store this value again. Changes nothing, and raises no UnansweredError.

        Raises RefusedError, with 413 where the value is over the pod's limit, NotTriedError where the pod
        breaks off, as it may then.
        """
        try:
            answer = await self.ask("PUT", "data", data=stored.data, headers={"If-Match": '"-"'})
        except UnansweredError as error:
            raise NotTriedError(f"{error} when asked whether it takes its own value back") from error
        if answer.status != HTTPStatus.PRECONDITION_FAILED:
            require_ok(answer)

    async def remove(self, *, instead_of: Stored) -> None:
        """Removes the value where it is this one. Raises OtherValueError."""
        answer = await self.ask("DELETE", "data", headers=_condition(instead_of))
        require_known(answer)
        require_ok(answer)

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
        require_ok(await self.ask("GET", "readyz", headers=_WITH_CODES))

    async def _object(self, path: str) -> dict[str, Any]:
        answer = await self.ask("GET", path, headers={"Accept": "application/json"})
        require_ok(answer)
        try:
            members = json.loads(answer.body)
        except ValueError:
            members = None
        if not isinstance(members, dict):
            raise RefusedError(answer.status, "that is no kubia-pet's answer")
        return members


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
    return _WITH_CODES | ({"If-None-Match": "*"} if instead_of is None else {"If-Match": instead_of.etag})


def _no_connection(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return f"takes no connection within {ASK_CONNECT_TIMEOUT:g} s"
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return "has no address: the name cannot be resolved"
    reason = error.strerror if isinstance(error, OSError) else None
    return "takes no connection" + (f": {reason}" if reason else "")
