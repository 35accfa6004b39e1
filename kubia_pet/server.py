"""One pod's process: it listens, admits connections, and ends well when it is told to."""

import asyncio
import contextlib
import logging
import signal
import socket

from aiohttp import web
from aiohttp.http import HttpProcessingError
from aiohttp.web_protocol import RequestHandler

from kubia_pet import __version__
from kubia_pet.app import EDGE, HANDLERS, build
from kubia_pet.settings import Settings

log = logging.getLogger(__name__)
RESERVE = 64  # connections over the cap, for probes and peers
_TCP_USER_TIMEOUT = getattr(socket, "TCP_USER_TIMEOUT", None)


async def serve(settings: Settings, *, pod: str, service: str | None) -> None:
    """Serves until SIGTERM or SIGINT. Raises VolumeUnusableError or OSError where it cannot start.

    After the signal it is not ready but serves on for `drain` seconds, as endpoints are removed only while
    the signal is delivered; then it stops listening, ends what is in flight within `finish` seconds, and
    returns. A second signal skips the wait.
    """
    stopping = stop_signals()
    listener = listen(settings)
    port = listener.getsockname()[1]
    app = build(settings, pod=pod, service=service, port=port)
    http_log = logging.getLogger("kubia_pet.http")
    http_log.addFilter(_without_bad_requests)
    runner = web.AppRunner(
        app,
        access_log=None,
        logger=http_log,
        auto_decompress=False,
        keepalive_timeout=settings.client_timeout,
        lingering_time=2.0,  # seconds in which a refused body is read, so that its client sees the answer
        shutdown_timeout=settings.finish,
    )
    starting = asyncio.create_task(runner.setup())
    stop = asyncio.create_task(stopping.get())
    try:
        await asyncio.wait((starting, stop), return_when=asyncio.FIRST_COMPLETED)
        if not starting.done():
            starting.cancel()
            return
        starting.result()
        gate = Gate(runner, app[EDGE].in_progress, settings.max_connections + RESERVE)
        server = await asyncio.get_running_loop().create_server(gate, sock=listener, backlog=1024)
        log.info(
            "Pod %s listens on %s, volume %s, service %s, version %s",
            pod, _shown(listener), settings.data_dir, (service or "none").rstrip("."), __version__,
        )  # fmt: skip
        await stop
        app[HANDLERS].draining = True
        log.info("Pod %s is ending: not ready, serving on for %g s", pod, settings.drain)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stopping.get(), settings.drain)
        server.close()
    finally:
        stop.cancel()
        listener.close()
        await runner.cleanup()
    log.info("Pod %s has ended", pod)


def listen(settings: Settings) -> socket.socket:
    """A listening socket for the settings' host and port; one for IPv4 and IPv6 where no host is set."""
    if settings.host is not None:
        family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
        listener = socket.create_server((settings.host, settings.port), family=family)
    elif socket.has_dualstack_ipv6():
        listener = socket.create_server(("", settings.port), family=socket.AF_INET6, dualstack_ipv6=True)
    else:
        listener = socket.create_server(("", settings.port))
    if _TCP_USER_TIMEOUT is not None:
        # The kernel ends a connection whose client takes nothing; accepted sockets inherit it.
        listener.setsockopt(socket.IPPROTO_TCP, _TCP_USER_TIMEOUT, int(settings.client_timeout * 1000))
    return listener


class Gate:
    """Makes the protocol of each new connection, and keeps their number within `cap`.

    At the cap the connection makes room that has had no request yet for longest, or was idle for longest:
    a probe ends before its turn comes, whoever only holds connections open loses them.
    """

    def __init__(self, runner: web.AppRunner, in_progress: set[RequestHandler], cap: int) -> None:
        server = runner.server
        if server is None:
            raise RuntimeError("the runner must be set up first")
        self._server = server
        self._in_progress = in_progress
        self._cap = cap
        self._said = float("-inf")

    def __call__(self) -> asyncio.Protocol:
        """The protocol of a connection that was just accepted."""
        connections = self._server.connections
        if len(connections) < self._cap:
            return self._server()
        self._say()
        idle = next((each for each in connections if each not in self._in_progress), None)
        if idle is None:
            return _Refusal()
        if idle.transport is not None:
            idle.transport.abort()
        idle.force_close()
        return self._server()

    def _say(self) -> None:
        now = asyncio.get_running_loop().time()
        if now - self._said >= 1:
            log.warning("Over %d connections: idle ones make room", self._cap)
            self._said = now


class _Refusal(asyncio.Protocol):
    """Ends the connection at once."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Aborts it."""
        if isinstance(transport, asyncio.Transport):
            transport.abort()


def stop_signals() -> asyncio.Queue[None]:
    """A queue that gets an item for each SIGTERM or SIGINT."""
    arrived: asyncio.Queue[None] = asyncio.Queue(maxsize=2)

    def note() -> None:
        with contextlib.suppress(asyncio.QueueFull):
            arrived.put_nowait(None)

    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, note)
    return arrived


def _without_bad_requests(record: logging.LogRecord) -> bool:
    """Leaves out what clients garble: they are told by a 400, and a log is no place for strangers to fill."""
    return not (record.exc_info and isinstance(record.exc_info[1], HttpProcessingError))


def _shown(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"
