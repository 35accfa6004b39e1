"""`kubectl proxy` on a Unix socket of its own: the API server, by whatever login kubectl knows."""

import asyncio
import contextlib
import json
import os
import shutil
import signal
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from kubia_pet.client.errors import AskError
from kubia_pet.client.pod import PodClient
from kubia_pet.limits import KUBECTL_START_TIMEOUT, KUBECTL_TIMEOUT
from kubia_pet.reach.way import UnreachableError

_END_TIMEOUT = 5.0  # seconds from SIGTERM to SIGKILL
API = "http://localhost/"  # the proxy takes only such a Host


@asynccontextmanager
async def kubectl_proxy() -> AsyncIterator[str]:
    """The path of the socket. Raises UnreachableError where kubectl is missing or ends."""
    if shutil.which("kubectl") is None:
        raise UnreachableError("kubectl is not installed, or not on the PATH.")
    with tempfile.TemporaryDirectory(prefix="kubia-pet-") as directory:
        path = Path(directory, "api")
        process = await asyncio.create_subprocess_exec(
            *("kubectl", "proxy", f"--unix-socket={path}"),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,  # a terminal's Ctrl-C ends us first: values are put back through it
        )
        try:
            await _listening(process, path)
            yield str(path)
        finally:
            with contextlib.suppress(ProcessLookupError):
                process.terminate()
                try:
                    await asyncio.wait_for(process.wait(), _END_TIMEOUT)
                except TimeoutError:
                    process.kill()
                    await process.wait()


async def _listening(process: asyncio.subprocess.Process, path: Path) -> None:
    try:
        async with asyncio.timeout(KUBECTL_START_TIMEOUT):
            while not path.exists():  # noqa: ASYNC240 - a look at a directory of our own
                if process.returncode is not None:
                    said = await process.stderr.read() if process.stderr else b""
                    line = said.decode(errors="replace").strip().rpartition("\n")[2]
                    raise UnreachableError(f"kubectl proxy ended: {line or process.returncode}")
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


async def kubectl(*arguments: str) -> str:
    """What the command prints. Raises KubectlError, also where it takes more than KUBECTL_TIMEOUT seconds."""
    process = await asyncio.create_subprocess_exec(
        *("kubectl", *arguments),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        start_new_session=True,  # a Ctrl-C is ours: what was begun is brought to its end
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
        raise KubectlError(complained.decode(errors="replace").strip() or f"kubectl {arguments[0]} failed")
    return printed.decode()
