"""The application: its parts, put together."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from functools import partial
from itertools import chain
from typing import Any

from aiohttp import web

from kubia_pet.config import Settings
from kubia_pet.discovery import Discovery, Resolver
from kubia_pet.limits import MAX_STORED_BYTES
from kubia_pet.metrics import Metrics
from kubia_pet.model.fault import Faults
from kubia_pet.peers.gather import Cluster
from kubia_pet.store import Store, StoreError, Volume
from kubia_pet.store.faults import FaultyVolume
from kubia_pet.store.storage import Storage
from kubia_pet.web.body import BodyReader
from kubia_pet.web.changes import ChangeLog
from kubia_pet.web.connections import Connections
from kubia_pet.web.delivery import LargeResponses
from kubia_pet.web.events import Broadcaster, Snapshots
from kubia_pet.web.handlers import (
    EventHandlers,
    FaultHandlers,
    OpsHandlers,
    OverviewHandlers,
    ValueHandlers,
)
from kubia_pet.web.lifecycle import Lifecycle
from kubia_pet.web.middleware import Admission, FaultInjection, Hosts, Instrumentation, Pipeline
from kubia_pet.web.problem import SERVER
from kubia_pet.web.route import register
from kubia_pet.web.token import Token

LIFECYCLE = web.AppKey("LIFECYCLE", Lifecycle)
CONNECTIONS = web.AppKey("CONNECTIONS", Connections)
METRICS = web.AppKey("METRICS", Metrics)
FAULTS: web.AppKey[Faults | None] = web.AppKey("FAULTS")


def build(settings: Settings, *, pod: str, service: str | None, port: int) -> web.Application:
    """The application of one pod: its name, its headless service (None: no peers), the port it listens on.

    Its store is open, and locked, from start-up to clean-up.
    """
    volume: Storage = Volume(settings.data_dir, max(settings.max_value, MAX_STORED_BYTES))
    faults = Faults() if settings.faults else None
    metrics = Metrics(faults)
    store = Store(
        volume if faults is None else FaultyVolume(volume, faults),
        timeout=settings.volume_timeout,
        lock_wait=settings.lock_wait,
        observer=metrics,
    )
    cluster = _cluster(settings, store, metrics, pod=pod, service=service, port=port) if service else None
    lifecycle, connections = Lifecycle(), Connections(settings.client_timeout)
    bodies = BodyReader(connections, limit=settings.max_value, timeout=settings.body_timeout)
    changes = ChangeLog()
    snapshots = Snapshots(pod, store, cluster, faults)
    broadcaster = Broadcaster(snapshots.take, lifecycle, pod=pod, observer=metrics)
    handlers = (
        ValueHandlers(pod, store, bodies, changes),
        OverviewHandlers(pod, store, cluster),
        EventHandlers(
            pod, broadcaster, lifecycle, most=settings.max_watchers, patience=settings.client_timeout
        ),
        OpsHandlers(pod, store, metrics, lifecycle, with_faults=settings.faults),
        *((FaultHandlers(pod, faults),) if faults is not None else ()),
    )
    app = web.Application()
    app[LIFECYCLE], app[CONNECTIONS], app[METRICS] = lifecycle, connections, metrics
    app[FAULTS] = faults
    app.on_response_prepare.append(_say_who_answers)
    routes = register(app.router, chain.from_iterable(each.routes() for each in handlers))
    token = Token(settings.token_file)
    hosts = Hosts(pod, service, settings.allowed_host)
    admission = Admission(lifecycle, connections, hosts, token, faults, max_requests=settings.max_connections)
    pipeline = Pipeline(
        routes,
        lifecycle=lifecycle,
        connections=connections,
        admission=admission,
        instrumentation=Instrumentation(metrics),
        large=LargeResponses(metrics),
    )
    app.middlewares.append(pipeline.handle)
    if faults is not None:
        injection = FaultInjection(faults)
        app.middlewares.append(injection.handle)
        app.on_response_prepare.append(injection.mark)
    app.on_cleanup.append(changes.end)
    app.cleanup_ctx.extend(_held(part) for part in (token, store, cluster) if part is not None)
    return app


def _cluster(
    settings: Settings, store: Store, metrics: Metrics, *, pod: str, service: str, port: int
) -> Cluster:
    lookup = Resolver(service, nameserver=settings.nameserver, timeout=settings.dns_timeout)
    return Cluster(
        Discovery(
            lookup,
            pod=pod,
            port=port,
            max_age=settings.dns_max_age,
            observer=metrics,
            ready=partial(_is_ready, store),
        ),
        connect_timeout=settings.connect_timeout,
        peer_timeout=settings.peer_timeout,
        gather_timeout=settings.gather_timeout,
        peer_limit=settings.max_value,
        gather_limit=settings.max_gathered,
        observer=metrics,
    )


async def _say_who_answers(_: web.Request, response: web.StreamResponse) -> None:
    response.headers["Server"] = SERVER


async def _is_ready(store: Store) -> bool:
    try:
        await store.check()
    except StoreError:
        return False
    return True


def _held(part: AbstractAsyncContextManager[Any]) -> Callable[[web.Application], AsyncIterator[None]]:
    """A clean-up context that holds `part` open while the application runs."""

    async def context(_: web.Application) -> AsyncIterator[None]:
        async with part:
            yield

    return context
