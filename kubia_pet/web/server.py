"""One pod's process: it listens, admits connections, and ends well when it is told to."""

import asyncio
import logging
import socket
from collections.abc import Coroutine

from aiohttp import web

from kubia_pet import __version__
from kubia_pet.aio.signals import stop_signals
from kubia_pet.config import Settings
from kubia_pet.limits import (
    BACKLOG,
    CONNECTION_RESERVE,
    DRAIN_TIME,
    LINGERING_TIME,
    NEWCOMERS,
    PARTING_TIME,
    READ_BUFFER_BYTES,
    UNASKED_TIME,
)
from kubia_pet.model.fault import Fault, Faults
from kubia_pet.model.ledger_state import Identity
from kubia_pet.store.host import boot_id
from kubia_pet.web.app import CONNECTIONS, FAULTS, LIFECYCLE, METRICS, build
from kubia_pet.web.lifecycle import State
from kubia_pet.web.listener import listen, permitted, url_of
from kubia_pet.web.protocol import ProtocolFactory

log = logging.getLogger(__name__)


async def serve(settings: Settings, *, pod: str, service: str | None, name: str | None) -> None:
    """Serves until SIGTERM or SIGINT. Raises VolumeUnusableError or OSError where it cannot start.

    After the signal it is not ready but serves on for `drain` seconds, as endpoints are removed only while
    the signal is delivered; where none are set for DRAIN_TIME, or until no client asked for UNASKED_TIME.
    Then it stops listening, ends what is in flight within `finish` seconds, and returns. A further signal
    skips the wait that is under way.
    """
    stopping = stop_signals()
    listener = listen(settings)
    port = listener.getsockname()[1]
    identity = Identity(name, settings.pod_uid, settings.node, await boot_id())
    app = build(settings, pod=pod, service=service, port=port, identity=identity)
    # Requests in flight were waited for when it cleans up: what is left then has one more second.
    runner = web.AppRunner(app, shutdown_timeout=0.5)
    starting = asyncio.create_task(runner.setup())
    stop = asyncio.create_task(_told_to_end(stopping, app[FAULTS]))
    try:
        await asyncio.wait((starting, stop), return_when=asyncio.FIRST_COMPLETED)
        if not starting.done():
            starting.cancel()
            return
        starting.result()
        app[LIFECYCLE].advance(State.READY)
        server = await _accept(runner, app, listener, settings)
        log.info(
            "Pod %s listens on %s, volume %s, service %s, version %s",
            pod, url_of(listener), settings.data_dir, (service or "none").rstrip("."), __version__,
        )  # fmt: skip
        await stop
        app[LIFECYCLE].advance(State.DRAINING)
        drain = DRAIN_TIME if settings.drain is None else settings.drain
        log.info("Pod %s is ending: not ready, serving on for %g s", pod, drain)
        unasked = [app[LIFECYCLE].unasked(UNASKED_TIME)] if settings.drain is None else []
        await _first(drain, stopping.get(), *unasked)
        server.close()
        app[LIFECYCLE].advance(State.STOPPED)
        await _first(PARTING_TIME, stopping.get(), app[CONNECTIONS].streams_ended())
        app[CONNECTIONS].end_streams()
        await _first(settings.finish, stopping.get(), app[CONNECTIONS].wait_idle())
    finally:
        stop.cancel()
        listener.close()
        await runner.cleanup()
    log.info("Pod %s has ended", pod)


async def _accept(
    runner: web.AppRunner, app: web.Application, listener: socket.socket, settings: Settings
) -> asyncio.Server:
    if runner.server is None:
        raise RuntimeError("the runner must be set up first")
    factory = ProtocolFactory(
        runner.server,
        app[CONNECTIONS],
        app[METRICS],
        cap=permitted(settings.max_connections + settings.max_watchers + CONNECTION_RESERVE),
        timeout=settings.client_timeout,
        logger=logging.getLogger("kubia_pet.http"),
        access_log=None,
        auto_decompress=False,
        lingering_time=LINGERING_TIME,
        read_bufsize=READ_BUFFER_BYTES,
    )
    server = await asyncio.get_running_loop().create_server(factory, sock=listener, backlog=NEWCOMERS)
    listener.listen(BACKLOG)
    return server


async def _told_to_end(signals: asyncio.Queue[None], faults: Faults | None) -> None:
    """Returns at the first signal that no fault makes the pod ignore."""
    await signals.get()
    while faults is not None and faults.has(Fault.IGNORE_SIGTERM):
        log.warning("Told to end, which the fault %s makes this pod ignore", Fault.IGNORE_SIGTERM)
        await signals.get()


async def _first(seconds: float, *awaited: Coroutine[None, None, None]) -> None:
    """Returns when one of `awaited` has ended, or after `seconds`."""
    tasks = [asyncio.create_task(each) for each in awaited]
    await asyncio.wait(tasks, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    for task in tasks:
        task.cancel()
