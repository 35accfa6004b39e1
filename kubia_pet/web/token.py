"""The bearer token that who changes something must show, as a file says."""

import asyncio
import hmac
import logging
from pathlib import Path
from typing import Self

import aiofiles
from aiohttp import web

from kubia_pet.limits import MAX_TOKEN_BYTES, TOKEN_INTERVAL
from kubia_pet.token_file import TokenUnusableError, token_in, unreadable
from kubia_pet.web.problem import Code, ProblemError

log = logging.getLogger(__name__)
_CHALLENGE = 'Bearer realm="kubia-pet"'  # RFC 6750 §3


class Token:
    """What the file at `path` holds, TOKEN_INTERVAL ago at most. Without a file no token is asked for.

    Use it as an async context manager, which raises TokenUnusableError where there is no token at the start.
    Where the file is spoilt later, nobody may change anything until it is mended.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._token: bytes | None = None
        self._fault = ""
        self._following: asyncio.Task[None] | None = None
        self.generation = 0
        """Another number whenever another token is asked for: what was permitted before may not be."""

    async def __aenter__(self) -> Self:
        if self._path is not None:
            self._token = await _read(self._path)
            self._following = asyncio.create_task(self._follow(self._path))
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._following is not None:
            self._following.cancel()

    def require(self, request: web.Request) -> None:
        """Raises ProblemError where the request does not show the token: 401, or 503 where there is none.

        `Authorization: Bearer TOKEN`, or `Kubia-Pet-Token: TOKEN`, as the API server takes the former away
        before it proxies. Compared in constant time.
        """
        if self._path is None:
            return
        if self._token is None:
            raise ProblemError(
                503, f"{self._fault} Until it is mended nobody may change anything.", code=Code.NO_TOKEN
            )
        scheme, _, bearer = request.headers.get("Authorization", "").partition(" ")
        shown = [request.headers.get("Kubia-Pet-Token", ""), bearer if scheme.lower() == "bearer" else ""]
        given = [each.strip().encode(errors="surrogateescape") for each in shown]
        if not sum(hmac.compare_digest(each, self._token) for each in given):
            wrong = any(given)
            raise ProblemError(
                401,
                f"{'This is not the token' if wrong else 'A token is needed'}: "
                "say Authorization: Bearer TOKEN, or Kubia-Pet-Token: TOKEN.",
                headers={"WWW-Authenticate": _CHALLENGE + (', error="invalid_token"' if wrong else "")},
            )

    async def _follow(self, path: Path) -> None:
        while True:
            await asyncio.sleep(TOKEN_INTERVAL)
            try:
                token, fault = await _read(path), ""
            except TokenUnusableError as error:
                token, fault = None, str(error)
            if token != self._token:
                self._token = token
                self.generation += 1
                if token:
                    log.info("The token file %s holds another token", path)
            if fault and fault != self._fault:
                log.error("%s Until it is mended nobody may change anything.", fault)
            self._fault = fault


async def _read(path: Path) -> bytes:
    """As `read_token`, without holding the event loop."""
    try:
        async with aiofiles.open(path, "rb") as file:
            content = await file.read(MAX_TOKEN_BYTES + 1)
    except OSError as error:
        raise unreadable(path, error) from error
    return token_in(content, path).encode()
