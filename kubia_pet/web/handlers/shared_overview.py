"""The answer to `GET /` in one form, shared by all who ask for it at the same time."""

import asyncio
from collections.abc import Callable

from kubia_pet.aio.coalescer import Coalescer
from kubia_pet.limits import MAX_REPLAY_BYTES, OFFLOAD_BYTES
from kubia_pet.model.unknown import UNKNOWN, Unknown
from kubia_pet.model.value import Value
from kubia_pet.peers.gather import Cluster, Gathered
from kubia_pet.peers.witnesses import Witnesses
from kubia_pet.store import Store
from kubia_pet.web.render import Overview


class SharedOverview:
    """Gathers and renders; nobody gets what was asked for before they came.

    While a gathering waits for slow peers the next one begins, so that nobody waits for two. However many
    overlap, one rendering of a large answer is under way, and one waits. `cluster` is None where this pod
    looks for no peers.
    """

    def __init__(
        self,
        pod: str,
        store: Store,
        cluster: Cluster | None,
        witnesses: Witnesses,
        render: Callable[[Overview], bytes],
    ) -> None:
        self._pod = pod
        self._store = store
        self._cluster = cluster
        self._witnesses = witnesses
        self._render = render
        self._runs = Coalescer(self._run if cluster else self._run_alone)
        self._renderings = Coalescer(self._render_newest)
        self._oldest: float | None = None  # of those who wait for the next run, when they came
        self._newest: Callable[[], Gathered]
        self._last: tuple[Overview, bytes] | None = None  # of this pod alone, and how it was rendered

    def submit(self) -> asyncio.Future[bytes]:
        """The body, or the error of this pod's own volume."""
        if self._oldest is None:
            self._oldest = asyncio.get_running_loop().time()
        return self._runs.submit()

    def nowait(self) -> bytes | Unknown:
        """The body without waiting for anything: the last one, if this pod is alone and all is the same."""
        if self._last is None or (value := self._store.read_nowait()) is UNKNOWN:
            return UNKNOWN
        overview, body = self._last
        return body if overview == self._alone(value) else UNKNOWN

    async def _run(self) -> bytes:
        since, self._oldest = self._oldest, None
        assert self._cluster is not None  # noqa: S101 - for the type checker: else it is _run_alone
        own = self._store.read()
        async with self._cluster.gathering(own, since=since, on_quiet=self._runs.proceed) as gathered:
            overview = self._overview(gathered())
            if overview.size <= OFFLOAD_BYTES:
                return self._render(overview)
            del overview
            self._newest = gathered
            return await self._renderings.submit()

    async def _run_alone(self) -> bytes:
        self._oldest = None
        overview = self._alone(await self._store.read())
        if overview.size <= OFFLOAD_BYTES:
            body = self._render(overview)
            self._last = (overview, body) if len(body) <= MAX_REPLAY_BYTES else None
            return body
        self._last = None
        return await asyncio.to_thread(self._render, overview)

    async def _render_newest(self) -> bytes:
        return await asyncio.to_thread(self._render, self._overview(self._newest()))

    def _alone(self, value: Value | None) -> Overview:
        return Overview(self._pod, value, None, self._witnesses.members())

    def _overview(self, gathered: Gathered) -> Overview:
        return Overview(self._pod, gathered.own, gathered, self._witnesses.members())
