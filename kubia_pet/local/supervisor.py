"""One pod as a local process, started again under its name whenever it ends."""

import asyncio
import contextlib
import logging
import sys
from collections.abc import AsyncIterator, MutableMapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path

from kubia_pet.aio.process import ended
from kubia_pet.client.errors import AskError
from kubia_pet.client.pod import PodClient
from kubia_pet.client.sessions import session
from kubia_pet.logs import RELAYED

log = logging.getLogger(__name__)
HOST = "127.0.0.1"
_STARTING, _RUNNING = 0.05, 1.0  # seconds between two readiness probes
_PROBE_TIMEOUT = 2.0  # seconds
_MOST_FAILURES = 3  # liveness probes in a row, a second apart, before it is killed
_END_TIMEOUT = 15.0  # seconds from SIGTERM to SIGKILL
_SHORTEST_PAUSE = 0.5  # seconds; a kubelet takes as long, and who watches sees the pod go
_LONGEST_PAUSE = 8.0  # seconds before the next start of a pod that ends again and again


class CannotRunError(Exception):
    """A port or a directory cannot be used; the text is a sentence."""


@dataclass
class LocalPod:
    """A pod of a local StatefulSet: its name, port and directory stay, its processes come and go.

    While it is ready it stands in `endpoints` under its name, as (address, port).
    """

    name: str
    port: int
    data_dir: Path
    options: tuple[str, ...]
    endpoints: MutableMapping[str, tuple[str, int]]
    ready: asyncio.Event = field(default_factory=asyncio.Event)
    process: asyncio.subprocess.Process | None = None
    _ending: bool = False

    def make_data_dir(self) -> None:
        """The directory that is its volume. Raises CannotRunError."""
        try:
            self.data_dir.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise CannotRunError(
                f"The directory {self.data_dir} cannot be used ({error.strerror}): "
                "choose another with --data-dir."
            ) from error

    async def keep(self) -> None:
        """Runs the pod's process, and the next one when it has ended, until `end` is called."""
        pause = 0.0
        loop = asyncio.get_running_loop()
        while not self._ending:
            began = loop.time()
            self.process = await self._start()
            log.info("%s is process %d", self.name, self.process.pid)
            watching = (asyncio.create_task(self._watch()), asyncio.create_task(self._relay(self.process)))
            status = await self.process.wait()
            for task in watching:
                task.cancel()
            await asyncio.gather(*watching, return_exceptions=True)
            self._leave()
            if not self._ending:
                lasted = loop.time() - began > _LONGEST_PAUSE
                pause = _SHORTEST_PAUSE if lasted else min(2 * pause + _SHORTEST_PAUSE, _LONGEST_PAUSE)
                log.warning("%s has ended (%s) and is started again", self.name, _how(status))
                await asyncio.sleep(pause)

    async def wait_listing(self, peers: int) -> None:
        """Returns when it lists so many pods."""
        async with self._asked() as pod:
            while True:
                with contextlib.suppress(AskError):
                    if len((await pod.peers())["peers"]) >= peers:
                        return
                await asyncio.sleep(_STARTING)

    async def end(self) -> None:
        """SIGTERM, and SIGKILL where that does not end it in time."""
        self._ending = True
        if self.process is not None:
            await ended(self.process, _END_TIMEOUT)

    async def _start(self) -> asyncio.subprocess.Process:
        self.make_data_dir()
        own = (f"--host={HOST}", f"--port={self.port}", f"--pod={self.name}", f"--data-dir={self.data_dir}")
        return await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "kubia_pet", "serve", "--end-with-stdin", *own, *self.options),
            stdin=asyncio.subprocess.PIPE,  # never written to: it ends when this process does
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            start_new_session=True,  # a terminal's Ctrl-C goes to all at once; pods end in order
        )

    async def _watch(self) -> None:
        """Probes readiness and liveness, as a kubelet does; liveness counts once it was there."""
        failures = 0
        alive = False
        async with self._asked() as pod:
            while True:
                (self._join if await _is_ok(pod, "readyz") else self._leave)()
                if await _is_ok(pod, "healthz"):
                    failures, alive = 0, True
                else:
                    failures += alive
                if failures >= _MOST_FAILURES and self.process is not None:
                    log.warning("%s does not live any more, by its probe, and is killed", self.name)
                    self.process.kill()
                    return
                await asyncio.sleep(_RUNNING if self.ready.is_set() or failures else _STARTING)

    @asynccontextmanager
    async def _asked(self) -> AsyncIterator[PodClient]:
        async with session(patience=_PROBE_TIMEOUT) as opened:
            yield PodClient(opened, f"http://{HOST}:{self.port}/", name=self.name)

    def _join(self) -> None:
        self.endpoints[self.name] = HOST, self.port
        self.ready.set()

    def _leave(self) -> None:
        self.endpoints.pop(self.name, None)
        self.ready.clear()

    async def _relay(self, process: asyncio.subprocess.Process) -> None:
        """Shows the process's log, each line under the pod's name."""
        assert process.stdout is not None  # noqa: S101 - it is a pipe
        while True:
            try:
                line = await process.stdout.readline()
            except ValueError:  # over the reader's limit: the next one is read all the same
                continue
            if not line:
                return
            RELAYED.info("%s | %s", self.name, line.decode(errors="replace").rstrip())


async def _is_ok(pod: PodClient, path: str) -> bool:
    try:
        return (await pod.ask("GET", path)).status == HTTPStatus.OK
    except AskError:
        return False


def _how(status: int) -> str:
    return f"killed by signal {-status}" if status < 0 else f"exit status {status}"
