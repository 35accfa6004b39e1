"""The bearer token that who changes something must show, as a file says."""

import asyncio
import hmac
import logging
from pathlib import Path
from typing import Self

import aiofiles
import aiofiles.os
from aiohttp import web

from kubia_pet.limits import MAX_TOKEN_BYTES, TOKEN_INTERVAL
from kubia_pet.web.problem import ProblemError

log = logging.getLogger(__name__)
_CHALLENGE = 'Bearer realm="kubia-pet"'  # RFC 6750 §3


class TokenUnusableError(Exception):
    """The file holds no token; the text is a sentence."""


class Token:
    """What the file at `path` holds, read again within TOKEN_INTERVAL of a change. Without a file none is asked for.

    Use it as an async context manager, which raises TokenUnusableError where there is no token at the start.
    Where the file is spoilt later, nobody may change anything until it is mended.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._token: bytes | None = None
        self._fault = ""
        self._seen: tuple[int, ...] = ()
        self._following: asyncio.Task[None] | None = None
        self.generation = 0
        """Another number whenever another token is asked for: what was permitted before may not be."""

    async def __aenter__(self) -> Self:
        if self._path is not None:
            await self._look(self._path)
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
            raise ProblemError(503, f"{self._fault} Until then nobody may change anything.", close=True)
        scheme, _, bearer = request.headers.get("Authorization", "").partition(" ")
        shown = [request.headers.get("Kubia-Pet-Token", ""), bearer if scheme.lower() == "bearer" else ""]
        if not any([hmac.compare_digest(_bytes(each.strip()), self._token) for each in shown]):
            wrong = ', error="invalid_token"' if any(shown) else ""
            sentence = "This is not the token" if wrong else "A token is needed"
            raise ProblemError(
                401,
                f"{sentence}: send the one of --token-file as Authorization: Bearer or as Kubia-Pet-Token.",
                headers={"WWW-Authenticate": _CHALLENGE + wrong},
                close=True,
            )

    async def _follow(self, path: Path) -> None:
        while True:
            await asyncio.sleep(TOKEN_INTERVAL)
            try:
                await self._look(path)
            except TokenUnusableError as error:
                if self._fault != str(error):
                    log.error("%s", error)  # noqa: TRY400 - a sentence, no traceback
                self._fault = str(error)
                self._take(None)

    async def _look(self, path: Path) -> None:
        try:
            status = await aiofiles.os.stat(path)
            seen = (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)
            if seen != self._seen:
                async with aiofiles.open(path, "rb") as file:
                    self._take(_token(path, await file.read(MAX_TOKEN_BYTES + 1)))
                self._seen = seen
        except OSError as error:
            self._seen = ()
            raise TokenUnusableError(f"The token file {path} cannot be read: {error.strerror}.") from error
        except TokenUnusableError:
            self._seen = ()
            raise

    def _take(self, token: bytes | None) -> None:
        if token == self._token:
            return
        if self.generation:
            log.info("The token is %s", "another one now" if token else "gone: nobody may change anything")
        self._token = token
        self._fault = "" if token else self._fault
        self.generation += 1


def _token(path: Path, content: bytes) -> bytes:
    """The token in a file of this content, without white space around it. Raises TokenUnusableError."""
    try:
        token = content.decode().strip()
    except UnicodeDecodeError as error:
        raise TokenUnusableError(f"The token file {path} is not UTF-8 text.") from error
    if not token:
        raise TokenUnusableError(f"The token file {path} is empty.")
    if len(content) > MAX_TOKEN_BYTES:
        raise TokenUnusableError(f"The token file {path} is over {MAX_TOKEN_BYTES} bytes.")
    if not token.isprintable() or " " in token:
        raise TokenUnusableError(f"The token file {path} holds more than one word.")
    return token.encode()


def _bytes(text: str) -> bytes:
    return text.encode(errors="surrogateescape")
