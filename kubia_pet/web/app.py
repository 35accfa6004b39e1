"""The application: its parts, put together."""

import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from itertools import chain
from typing import Any

from aiohttp import web

from kubia_pet.config import Settings
from kubia_pet.discovery import Discovery, Resolver
from kubia_pet.limits import MAX_STORED_BYTES
from kubia_pet.metrics import Metrics
from kubia_pet.model.fault import Faults
from kubia_pet.model.ledger_state import Identity
from kubia_pet.peers.gather import Cluster
from kubia_pet.peers.ledgers import PeerLedgers
from kubia_pet.peers.witnesses import Witnesses
from kubia_pet.store import Ledger, Store, Volume
from kubia_pet.store.faults import FaultyVolume
from kubia_pet.web.body import BodyReader
from kubia_pet.web.changes import ChangeLog
from kubia_pet.web.connections import Connections
from kubia_pet.web.delivery import LargeResponses
from kubia_pet.web.events import Broadcaster, Snapshots
from kubia_pet.web.handlers import (
    EventHandlers,
    FaultHandlers,
    LedgerHandlers,
    OpsHandlers,
    OverviewHandlers,
    ValueHandlers,
)
from kubia_pet.web.lifecycle import Lifecycle
from kubia_pet.web.middleware import Admission, FaultInjection, Hosts, Instrumentation, Pipeline
from kubia_pet.web.problem import SERVER
from kubia_pet.web.readiness import Readiness
from kubia_pet.web.route import register
from kubia_pet.web.token import Token

LIFECYCLE = web.AppKey("LIFECYCLE", Lifecycle)
CONNECTIONS = web.AppKey("CONNECTIONS", Connections)
METRICS = web.AppKey("METRICS", Metrics)
FAULTS: web.AppKey[Faults | None] = web.AppKey("FAULTS")


def build(
    settings: Settings, *, pod: str, service: str | None, port: int, identity: Identity | None = None
) -> web.Application:
    """The application of one pod: its name, its headless service (None: no peers), the port it listens on.

    `identity` is what its ledger says of it. Its store is open, and locked, from start-up to clean-up.
    """
    ledger = Ledger(identity, adopt=settings.adopt)
    name = ledger.identity.name
    volume = Volume(settings.data_dir, max(settings.max_value, MAX_STORED_BYTES), ledger)
    faults = Faults() if settings.faults else None
    metrics = Metrics(faults)
    store = Store(
        volume if faults is None else FaultyVolume(volume, faults, timeout=settings.volume_timeout),
        timeout=settings.volume_timeout,
        lock_wait=settings.lock_wait,
        observer=metrics,
    )
    lifecycle = Lifecycle()

    async def ready() -> bool:
        return await readiness.holds()

    discovery = _discovery(settings, metrics, ready, pod=pod, service=service, port=port) if service else None
    witnesses = Witnesses(
        store,
        volume,
        discovery,
        name=name,
        is_cluster=settings.pod_uid is not None or "KUBERNETES_SERVICE_HOST" in os.environ,
        peer_timeout=settings.peer_timeout,
        connect_timeout=settings.connect_timeout,
        observer=metrics,
    )
    cluster = _cluster(settings, discovery, metrics, witnesses) if discovery is not None else None
    refusing = witnesses if settings.refuse_foreign_volume else None
    readiness = Readiness(pod, store, lifecycle, faults=faults, refusing=refusing)
    connections = Connections(settings.client_timeout, settings.max_connections)
    bodies = BodyReader(connections, limit=settings.max_value, timeout=settings.body_timeout)
    changes = ChangeLog()
    ledgers = LedgerHandlers(pod, volume, ledger, witnesses)
    peer_ledgers = PeerLedgers(timeout=settings.peer_timeout, connect_timeout=settings.connect_timeout)
    snapshots = Snapshots(
        pod, store, readiness, cluster, peer_ledgers, own_ledger=ledgers.of_now, faults=faults
    )
    broadcaster = Broadcaster(snapshots.take, lifecycle, pod=pod, observer=metrics)
    handlers = (
        ValueHandlers(pod, store, witnesses, bodies, changes),
        OverviewHandlers(pod, store, cluster, witnesses),
        EventHandlers(
            pod, broadcaster, lifecycle, most=settings.max_watchers, patience=settings.client_timeout
        ),
        OpsHandlers(store, metrics, readiness, with_faults=settings.faults),
        ledgers,
        *((FaultHandlers(pod, faults),) if faults is not None else ()),
    )
    app = web.Application()
    app[LIFECYCLE], app[CONNECTIONS], app[METRICS] = lifecycle, connections, metrics
    app[FAULTS] = faults
    app.on_response_prepare.append(_say_who_answers)
    routes = register(app.router, chain.from_iterable(each.routes() for each in handlers))
    token = Token(settings.token_file)
    services = {service or "", (name or "").partition(".")[2]} - {""}  # the first may be an alias
    hosts = Hosts(pod, services, settings.allowed_host)
    admission = Admission(lifecycle, connections, hosts, token, faults)
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
        injection = FaultInjection(routes, faults, peer_timeout=settings.peer_timeout)
        app.middlewares.append(injection.handle)
        app.on_response_prepare.append(injection.mark)
    app.on_cleanup.append(changes.end)
    parts = (token, store, cluster, witnesses, peer_ledgers)
    app.cleanup_ctx.extend(_held(part) for part in parts if part is not None)
    return app


def _discovery(
    settings: Settings,
    metrics: Metrics,
    ready: Callable[[], Awaitable[bool]],
    *,
    pod: str,
    service: str,
    port: int,
) -> Discovery:
    lookup = Resolver(service, nameserver=settings.nameserver, timeout=settings.dns_timeout)
    max_age = settings.dns_max_age
    return Discovery(lookup, pod=pod, port=port, max_age=max_age, observer=metrics, ready=ready)


def _cluster(settings: Settings, discovery: Discovery, metrics: Metrics, witnesses: Witnesses) -> Cluster:
    return Cluster(
        discovery,
        connect_timeout=settings.connect_timeout,
        peer_timeout=settings.peer_timeout,
        gather_timeout=settings.gather_timeout,
        peer_limit=settings.max_value,
        gather_limit=settings.max_gathered,
        observer=metrics,
        on_response=witnesses.gathered,
    )


async def _say_who_answers(_: web.Request, response: web.StreamResponse) -> None:
    response.headers["Server"] = SERVER


def _held(part: AbstractAsyncContextManager[Any]) -> Callable[[web.Application], AsyncIterator[None]]:
    """A clean-up context that holds `part` open while the application runs."""

    async def context(_: web.Application) -> AsyncIterator[None]:
        async with part:
            yield

    return context
