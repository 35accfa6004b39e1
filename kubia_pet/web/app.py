"""The application: its parts, put together."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from itertools import chain
from typing import Any

from aiohttp import web

from kubia_pet.config import Settings
from kubia_pet.discovery import Discovery, Resolver
from kubia_pet.metrics import Metrics
from kubia_pet.peers.gather import Cluster
from kubia_pet.store import Store, Volume
from kubia_pet.web.body import BodyReader
from kubia_pet.web.connections import Connections
from kubia_pet.web.handlers import OpsHandlers, OverviewHandlers, ValueHandlers
from kubia_pet.web.lifecycle import Lifecycle
from kubia_pet.web.middleware import Admission, Instrumentation, Pipeline
from kubia_pet.web.route import register

LIFECYCLE = web.AppKey("LIFECYCLE", Lifecycle)
CONNECTIONS = web.AppKey("CONNECTIONS", Connections)


def build(settings: Settings, *, pod: str, service: str | None, port: int) -> web.Application:
    """The application of one pod: its name, its headless service (None: no peers), the port it listens on.

    Its store is open, and locked, from start-up to clean-up.
    """
    metrics = Metrics()
    store = Store(
        Volume(settings.data_dir, settings.max_value),
        timeout=settings.volume_timeout,
        lock_wait=settings.lock_wait,
        observer=metrics,
    )
    cluster = _cluster(settings, metrics, pod=pod, service=service, port=port) if service else None
    lifecycle, connections = Lifecycle(), Connections(settings.client_timeout)
    handlers = (
        ValueHandlers(pod, store, BodyReader(limit=settings.max_value, timeout=settings.body_timeout)),
        OverviewHandlers(pod, store, cluster),
        OpsHandlers(pod, store, metrics, lifecycle),
    )
    app = web.Application()
    app[LIFECYCLE], app[CONNECTIONS] = lifecycle, connections
    routes = register(app.router, chain.from_iterable(each.routes() for each in handlers))
    admission = Admission(lifecycle, connections, max_requests=settings.max_connections)
    pipeline = Pipeline(routes, lifecycle, connections, admission, Instrumentation(metrics))
    app.middlewares.append(pipeline.handle)
    app.cleanup_ctx.extend(_held(part) for part in (store, cluster) if part is not None)
    return app


def _cluster(settings: Settings, metrics: Metrics, *, pod: str, service: str, port: int) -> Cluster:
    lookup = Resolver(service, nameserver=settings.nameserver, timeout=settings.dns_timeout)
    return Cluster(
        Discovery(lookup, pod=pod, port=port, max_age=settings.dns_max_age, observer=metrics),
        connect_timeout=settings.connect_timeout,
        peer_timeout=settings.peer_timeout,
        gather_timeout=settings.gather_timeout,
        peer_limit=settings.max_value,
        gather_limit=settings.max_gathered,
        observer=metrics,
    )


def _held(part: AbstractAsyncContextManager[Any]) -> Callable[[web.Application], AsyncIterator[None]]:
    """A clean-up context that holds `part` open while the application runs."""

    async def context(_: web.Application) -> AsyncIterator[None]:
        async with part:
            yield

    return context
