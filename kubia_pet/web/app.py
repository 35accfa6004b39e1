"""The application: its parts, put together."""

import os
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Any

from aiohttp import web

from kubia_pet.config import Settings
from kubia_pet.discovery import Discovery, Resolver, full_name_of
from kubia_pet.metrics import Metrics
from kubia_pet.model.ledger_state import Identity
from kubia_pet.peers.gather import Cluster
from kubia_pet.peers.witnesses import Witnesses
from kubia_pet.store import Ledger, Store, Volume
from kubia_pet.store.host import boot_id, mount_at
from kubia_pet.web.body import BodyReader
from kubia_pet.web.connections import Connections
from kubia_pet.web.handlers import LedgerHandlers, OpsHandlers, OverviewHandlers, ValueHandlers
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
    name = full_name_of(pod, service)
    ledger = Ledger(Identity(name, settings.pod_uid, settings.node), adopt=settings.adopt)
    volume = Volume(settings.data_dir, settings.max_value, ledger)
    store = Store(
        volume,
        timeout=settings.volume_timeout,
        lock_wait=settings.lock_wait,
        observer=metrics,
    )
    cluster = _cluster(settings, metrics, pod=pod, service=service, port=port) if service else None
    witnesses = Witnesses(
        store,
        ledger,
        volume.found,
        cluster.discovery if cluster is not None else None,
        name=name,
        is_cluster=settings.pod_uid is not None or "KUBERNETES_SERVICE_HOST" in os.environ,
        peer_timeout=settings.peer_timeout,
        connect_timeout=settings.connect_timeout,
        observer=metrics,
    )
    if cluster is not None:
        cluster.on_response = witnesses.gathered
    lifecycle, connections = Lifecycle(), Connections(settings.client_timeout)
    handlers = (
        ValueHandlers(
            pod, store, witnesses, BodyReader(limit=settings.max_value, timeout=settings.body_timeout)
        ),
        OverviewHandlers(pod, store, cluster, witnesses),
        OpsHandlers(pod, store, metrics, lifecycle, witnesses if settings.refuse_foreign_volume else None),
        LedgerHandlers(pod, volume, ledger, witnesses),
    )
    app = web.Application()
    app[LIFECYCLE], app[CONNECTIONS] = lifecycle, connections
    routes = register(app.router, chain.from_iterable(each.routes() for each in handlers))
    admission = Admission(lifecycle, connections, max_requests=settings.max_connections)
    pipeline = Pipeline(routes, lifecycle, connections, admission, Instrumentation(metrics))
    app.middlewares.append(pipeline.handle)
    surroundings = _surroundings(settings.data_dir.resolve(), ledger, witnesses)
    parts = (surroundings, store, cluster, witnesses)
    app.cleanup_ctx.extend(_held(part) for part in parts if part is not None)
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


@asynccontextmanager
async def _surroundings(data_dir: Path, ledger: Ledger, witnesses: Witnesses) -> AsyncIterator[None]:
    """Where the program runs is known before the volume is opened."""
    ledger.identity = replace(ledger.identity, boot_id=await boot_id())
    witnesses.mount = await mount_at(data_dir)
    yield


def _held(part: AbstractAsyncContextManager[Any]) -> Callable[[web.Application], AsyncIterator[None]]:
    """A clean-up context that holds `part` open while the application runs."""

    async def context(_: web.Application) -> AsyncIterator[None]:
        async with part:
            yield

    return context
