"""The application: its parts, put together."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

from aiohttp import web

from kubia_pet.config import Settings
from kubia_pet.discovery import Discovery, Resolver
from kubia_pet.metrics import Metrics
from kubia_pet.model.fault import Faults
from kubia_pet.peers.gather import Cluster
from kubia_pet.store import Store, Volume
from kubia_pet.store.faults import FaultyVolume
from kubia_pet.store.storage import Storage
from kubia_pet.web.body import BodyReader
from kubia_pet.web.connections import Connections
from kubia_pet.web.handlers import FaultHandlers, OpsHandlers, OverviewHandlers, ValueHandlers
from kubia_pet.web.lifecycle import Lifecycle
from kubia_pet.web.middleware import Admission, FaultInjection, Instrumentation, Pipeline
from kubia_pet.web.route import register

LIFECYCLE = web.AppKey("LIFECYCLE", Lifecycle)
CONNECTIONS = web.AppKey("CONNECTIONS", Connections)
FAULTS: web.AppKey[Faults | None] = web.AppKey("FAULTS")


def build(settings: Settings, *, pod: str, service: str | None, port: int) -> web.Application:
    """The application of one pod: its name, its headless service (None: no peers), the port it listens on.

    Its store is open, and locked, from start-up to clean-up.
    """
    volume: Storage = Volume(settings.data_dir, settings.max_value)
    faults = Faults() if settings.faults else None
    metrics = Metrics(faults)
    store = Store(
        volume if faults is None else FaultyVolume(volume, faults),
        timeout=settings.volume_timeout,
        lock_wait=settings.lock_wait,
        observer=metrics,
    )
    cluster = _cluster(settings, metrics, pod=pod, service=service, port=port) if service else None
    lifecycle, connections = Lifecycle(), Connections(settings.client_timeout)
    routes = [
        *ValueHandlers(
            pod, store, BodyReader(limit=settings.max_value, timeout=settings.body_timeout)
        ).routes(),
        *OverviewHandlers(pod, store, cluster).routes(),
        *OpsHandlers(pod, store, metrics, lifecycle, with_faults=settings.faults).routes(),
        *(FaultHandlers(pod, faults).routes() if faults is not None else ()),
    ]
    app = web.Application()
    app[LIFECYCLE], app[CONNECTIONS], app[FAULTS] = lifecycle, connections, faults
    admission = Admission(lifecycle, connections, faults, max_requests=settings.max_connections)
    pipeline = Pipeline(
        register(app.router, routes), lifecycle, connections, admission, Instrumentation(metrics)
    )
    app.middlewares.append(pipeline.handle)
    if faults is not None:
        injection = FaultInjection(faults)
        app.middlewares.append(injection.handle)
        app.on_response_prepare.append(injection.mark)
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
