"""A whole StatefulSet on one machine: real pods as processes, real SRV look-ups, a directory a claim."""

import asyncio
import contextlib
import logging
import os
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from kubia_pet.aio.signals import stop_signals
from kubia_pet.limits import LOCK_WAIT
from kubia_pet.local.banner import screen
from kubia_pet.local.dns_server import Cache, NameServer, Zone
from kubia_pet.local.proxy import PublicService
from kubia_pet.local.supervisor import HOST, CannotRunError, LocalPod

log = logging.getLogger(__name__)
SERVICE = "kubia.default.svc.cluster.local"
_LISTED_TIMEOUT = 5.0  # seconds for older DNS answers to be out of use


@dataclass(frozen=True)
class LocalStatefulSet:
    """What `kubia-pet local` runs: pods on the ports after `port`, their volumes below `data_dir`."""

    replicas: int
    port: int
    nameserver_port: int
    dns_cache: float  # seconds, 0 for none
    data_dir: Path
    allowed_host: tuple[str, ...]
    faults: bool

    async def run(self) -> None:
        """Starts the pods in order, serves until SIGINT or SIGTERM, and ends them in reverse order.

        Raises CannotRunError before anything was started, and what keeps a pod from being started later.
        """
        stopping = stop_signals()
        for port in (self.nameserver_port, *range(self.port, self.port + self.replicas + 1)):
            _require_free(port)
        endpoints: dict[str, tuple[str, int]] = {}
        pods = [self._pod(ordinal, endpoints) for ordinal in range(self.replicas)]
        for pod in pods:
            pod.make_data_dir()
        stop = asyncio.create_task(stopping.get())
        async with (
            NameServer(self._names(endpoints), HOST, self.nameserver_port),
            PublicService(endpoints, HOST, self.port),
        ):
            running = asyncio.create_task(self._run(pods))
            try:
                await asyncio.wait((running, stop), return_when=asyncio.FIRST_COMPLETED)
                if running.done():
                    running.result()
            finally:
                for pod in reversed(pods):
                    await pod.end()
                running.cancel()
                await asyncio.gather(running, return_exceptions=True)
                log.info("All pods have ended; their values stay in %s", self.data_dir)

    async def _run(self, pods: Sequence[LocalPod]) -> None:
        """Keeps the pods running; shows what to paste when each of them lists all. Raises CannotRunError."""
        try:
            async with asyncio.TaskGroup() as group:
                for pod in pods:
                    group.create_task(pod.keep())
                    await pod.ready.wait()
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(_LISTED_TIMEOUT):
                        for pod in pods:
                            await pod.wait_listing(self.replicas)
                print(screen(pods, self.port, (HOST, self.nameserver_port), SERVICE), flush=True)  # noqa: T201 - what the user asked for
        except ExceptionGroup as failed:
            raise failed.exceptions[0] from failed

    def _names(self, endpoints: Mapping[str, tuple[str, int]]) -> Zone | Cache:
        if not self.dns_cache:
            return Zone(SERVICE, endpoints)
        return Cache(Zone(SERVICE, endpoints, ttl=round(self.dns_cache)).answer, self.dns_cache)

    def _pod(self, ordinal: int, endpoints: dict[str, tuple[str, int]]) -> LocalPod:
        name = f"kubia-{ordinal}"
        options = (
            f"--service={SERVICE}.",
            f"--nameserver={HOST}:{self.nameserver_port}",
            "--drain=0",  # no endpoints to wait for
            *(("--faults",) if self.faults else ()),
            *(f"--allowed-host={host}" for host in ("localhost", *self.allowed_host)),
            f"--lock-wait={LOCK_WAIT:g}",
        )
        return LocalPod(name, self.port + 1 + ordinal, self.data_dir / f"data-{name}", options, endpoints)


def _require_free(port: int) -> None:
    try:
        socket.create_server((HOST, port)).close()
    except OSError as error:
        raise CannotRunError(
            f"Port {port} cannot be used ({os.strerror(error.errno or 0)}): end what listens there, "
            "or choose others with --port and --nameserver-port."
        ) from error
