"""`kubectl proxy` on a Unix socket of its own: the API server, by whatever login kubectl knows."""

import asyncio
import json
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import AsyncIterator, Awaitable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from kubia_pet.aio.process import ended
from kubia_pet.client.errors import AskError
from kubia_pet.client.pod import PodClient
from kubia_pet.limits import KUBECTL_START_TIMEOUT, KUBECTL_TIMEOUT, LOGIN_TIMEOUT
from kubia_pet.reach.way import UnreachableError

_END_TIMEOUT = 5.0  # seconds from SIGTERM to SIGKILL
API = "http://localhost/"  # the proxy takes only such a Host


async def current_context() -> tuple[str, ...]:
    """The option that keeps all further commands with the cluster of this moment; none within a pod.

    Another terminal may switch at any time: they share one file. Raises UnreachableError.
    """
    if shutil.which("kubectl") is None:
        raise UnreachableError("kubectl is not installed, or not on the PATH.")
    try:
        return "--context", (await kubectl("config", "current-context")).strip()
    except KubectlError:
        return ()


@asynccontextmanager
async def kubectl_proxy(context: Sequence[str]) -> AsyncIterator[str]:
    """The path of the socket. Raises UnreachableError where kubectl ends."""
    await _logged_in(context)
    with tempfile.TemporaryDirectory(prefix="kubia-pet-") as directory:
        path = Path(directory, "api")
        process = await asyncio.create_subprocess_exec(
            *("kubectl", *context, "proxy", f"--unix-socket={path}"),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,  # a terminal's Ctrl-C ends us first: values are put back through it
        )
        said = asyncio.ensure_future(_last_words(process))
        try:
            await _listening(process, path, said)
            yield str(path)
        finally:
            await ended(process, _END_TIMEOUT)
            said.cancel()


async def _logged_in(context: Sequence[str]) -> None:
    """Lets a login ask somebody, where there is a terminal: the proxy itself can neither ask nor wait."""
    if not sys.stdin.isatty():
        return
    process = await asyncio.create_subprocess_exec(
        *("kubectl", *context, "get", "--raw=/version"), stdout=asyncio.subprocess.DEVNULL
    )
    try:
        async with asyncio.timeout(LOGIN_TIMEOUT):
            await process.wait()  # what went wrong the proxy says, too
    except TimeoutError:
        raise UnreachableError(f"kubectl did not log in within {LOGIN_TIMEOUT:g} s.") from None
    finally:
        await ended(process, _END_TIMEOUT)


async def _last_words(process: asyncio.subprocess.Process) -> str:
    """The last line on stderr, which is read all the time: kubectl writes one for each request that fails."""
    said = b""
    while process.stderr and (piece := await process.stderr.read(1 << 16)):
        said = (said + piece)[-1000:]
    return said.decode(errors="replace").strip().rpartition("\n")[2]


async def _listening(process: asyncio.subprocess.Process, path: Path, said: Awaitable[str]) -> None:
    try:
        async with asyncio.timeout(KUBECTL_START_TIMEOUT):
            while not path.exists():  # noqa: ASYNC240 - a look at a directory of our own
                if process.returncode is not None:
                    raise UnreachableError(f"kubectl proxy ended: {await said or process.returncode}")
                await asyncio.sleep(0.02)
    except TimeoutError:
        raise UnreachableError(f"kubectl proxy did not start within {KUBECTL_START_TIMEOUT:g} s.") from None


async def listed(api: PodClient, path: str) -> tuple[dict[str, Any], ...] | None:
    """The items of a list; None where one may not ask for them. Raises UnreachableError."""
    try:
        answer = await api.ask("GET", path)
    except AskError as error:
        raise UnreachableError(f"The API server {error}.") from error
    if answer.status == 403:  # noqa: PLR2004 - Forbidden
        return None
    try:
        members = json.loads(answer.body)
    except ValueError:
        members = {"message": answer.text.strip()[:300]}
    if answer.status != 200:  # noqa: PLR2004
        raise UnreachableError(f"The API server answered {answer.status}: {members.get('message', '')}")
    return tuple(members["items"])


class KubectlError(Exception):
    """A command failed; the text is what kubectl said of it."""


class KubectlRefusedError(KubectlError):
    """kubectl itself says that it failed."""


async def kubectl(*arguments: str) -> str:
    """What the command prints.

    Raises KubectlRefusedError, and KubectlError where it takes more than KUBECTL_TIMEOUT seconds.
    """
    process = await asyncio.create_subprocess_exec(
        *("kubectl", *arguments),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        start_new_session=True,  # a terminal's Ctrl-C is ours: whether this one ends is for its caller to say
    )
    try:
        async with asyncio.timeout(KUBECTL_TIMEOUT):
            printed, complained = await process.communicate()
    except TimeoutError:
        raise KubectlError(f"kubectl {arguments[0]} took more than {KUBECTL_TIMEOUT:g} s") from None
    finally:
        if process.returncode is None:
            os.killpg(process.pid, signal.SIGKILL)  # a plugin that asks for a login, too
            await process.wait()
    if process.returncode:
        raise KubectlRefusedError(
            complained.decode(errors="replace").strip() or f"kubectl {arguments[0]} failed"
        )
    return printed.decode()
