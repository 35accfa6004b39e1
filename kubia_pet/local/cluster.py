"""A whole StatefulSet on one machine: real pods as processes, real SRV look-ups, a directory a claim."""

import asyncio
import logging
import os
import socket
from dataclasses import dataclass
from pathlib import Path

from kubia_pet.aio.signals import stop_signals
from kubia_pet.limits import LOCK_WAIT
from kubia_pet.local.banner import screen
from kubia_pet.local.dns_server import NameServer, Zone
from kubia_pet.local.proxy import PublicService
from kubia_pet.local.supervisor import HOST, LocalPod

log = logging.getLogger(__name__)
SERVICE = "kubia.default.svc.cluster.local"


class PortTakenError(Exception):
    """A port is in use; the text is a sentence."""


@dataclass(frozen=True)
class LocalStatefulSet:
    """What `kubia-pet local` runs: pods on the ports after `port`, their volumes below `data_dir`."""

    replicas: int
    port: int
    nameserver_port: int
    data_dir: Path

    async def run(self) -> None:
        """Starts the pods in order, serves until SIGINT or SIGTERM, and ends them in reverse order.

        Raises PortTakenError before anything was started.
        """
        stopping = stop_signals()
        for port in (self.nameserver_port, *range(self.port, self.port + self.replicas + 1)):
            _require_free(port)
        endpoints: dict[str, tuple[str, int]] = {}
        pods = [self._pod(ordinal, endpoints) for ordinal in range(self.replicas)]
        stop = asyncio.create_task(stopping.get())
        keeping = []
        async with (
            NameServer(Zone(SERVICE, endpoints), HOST, self.nameserver_port),
            PublicService(endpoints, HOST, self.port),
        ):
            try:
                for pod in pods:
                    keeping.append(asyncio.create_task(pod.keep()))
                    ready = asyncio.create_task(pod.ready.wait())
                    await asyncio.wait((ready, stop), return_when=asyncio.FIRST_COMPLETED)
                    ready.cancel()
                    if stop.done():
                        return
                print(screen(pods, self.port, (HOST, self.nameserver_port), SERVICE), flush=True)  # noqa: T201 - what the user asked for
                await stop
            finally:
                for pod in reversed(pods):
                    await pod.end()
                await asyncio.gather(*keeping)
                log.info("All pods have ended; their values stay in %s", self.data_dir)

    def _pod(self, ordinal: int, endpoints: dict[str, tuple[str, int]]) -> LocalPod:
        name = f"kubia-{ordinal}"
        options = (
            f"--service={SERVICE}.",
            f"--nameserver={HOST}:{self.nameserver_port}",
            "--drain=0",  # no endpoints to wait for
            f"--lock-wait={LOCK_WAIT:g}",
        )
        return LocalPod(name, self.port + 1 + ordinal, self.data_dir / f"data-{name}", options, endpoints)


def _require_free(port: int) -> None:
    try:
        socket.create_server((HOST, port)).close()
    except OSError as error:
        raise PortTakenError(
            f"Port {port} cannot be used ({os.strerror(error.errno or 0)}): end what listens there, "
            "or choose others with --port and --nameserver-port."
        ) from error
