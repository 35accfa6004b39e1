"""One look at the cluster a tick, whatever the number of those who watch; none while nobody does."""

import asyncio
import logging
import secrets
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import count, islice
from typing import Protocol

from kubia_pet.limits import WATCH_INTERVAL, WOKEN_AT_ONCE
from kubia_pet.web.events.snapshot import ClusterState
from kubia_pet.web.lifecycle import Lifecycle, State

_RETRY = 1000  # ms after which an EventSource that was cut comes again
log = logging.getLogger(__name__)


class WatchObserver(Protocol):
    """Told how many watch."""

    def watched(self, watchers: int) -> None:
        """So many watch now."""


@dataclass(frozen=True)
class Event:
    """What watchers are told: a name, the data in one line, and an id that no other event has."""

    name: str
    data: str
    id: str

    @cached_property
    def frame(self) -> bytes:
        """Its bytes on the wire, made once for all."""
        return f"id: {self.id}\nevent: {self.name}\ndata: {self.data}\nretry: {_RETRY}\n\n".encode()


class Broadcaster:
    """Tells watchers the state that `take` gives, at the beginning and whenever it is another one.

    `take` is called at most once in WATCH_INTERVAL, one call at a time, and only while somebody watches.
    A watcher that is slow misses states, never the last one: nothing is kept for it. When the pod is
    told to end, each watcher gets `ending` as its last event.
    """

    def __init__(
        self,
        take: Callable[[], Awaitable[ClusterState]],
        lifecycle: Lifecycle,
        *,
        pod: str,
        observer: WatchObserver,
    ) -> None:
        self._take = take
        self._lifecycle = lifecycle
        self._pod = pod
        self._observer = observer
        self._start = secrets.token_hex(4)
        self._numbers = count(1)
        self._last: Event | None = None
        self._waiting: set[asyncio.Future[None]] = set()
        self._next_look = 0.0  # not before, on the event loop's clock: watchers may come and go in between
        self._failing = False
        self._watchers = 0
        self._running: asyncio.Task[None] | None = None

    def __len__(self) -> int:
        """The number of watchers."""
        return self._watchers

    async def watch(self) -> AsyncGenerator[Event]:
        """The state of this moment, then each change that is awaited in time. Ends when the pod does."""
        self._count(+1)
        if self._running is None:
            self._last = None
            self._running = asyncio.create_task(self._run())
        last: Event | None = None
        try:
            while last is None or last.name != "ending":
                while self._last is None or self._last is last:
                    await self._told()
                last = self._last
                yield last
        finally:
            self._count(-1)
            if not self._watchers and self._running is not None:
                self._running.cancel()
                self._running = None

    async def _told(self) -> None:
        """Returns when there is something new."""
        waiting = asyncio.get_running_loop().create_future()
        self._waiting.add(waiting)
        try:
            await waiting
        finally:
            self._waiting.discard(waiting)

    def _count(self, more: int) -> None:
        self._watchers += more
        self._observer.watched(self._watchers)

    async def _run(self) -> None:
        ticking = asyncio.create_task(self._tick())
        try:
            await self._lifecycle.reached(State.DRAINING)
            self._publish("ending", f'{{"pod": "{self._pod}"}}')
        finally:
            ticking.cancel()

    async def _tick(self) -> None:
        loop = asyncio.get_running_loop()
        last: ClusterState | None = None
        while True:
            await asyncio.sleep(self._next_look - loop.time())
            self._next_look = loop.time() + WATCH_INTERVAL
            try:
                state = await self._take()
            except Exception:
                if not self._failing:  # once, until it works again
                    log.exception("Failed to look at the cluster for those who watch")
                self._failing = True
            else:
                if self._last is None or state != last:
                    self._publish("state", state.data)
                last, self._failing = state, False

    def _publish(self, name: str, data: str) -> None:
        self._last = Event(name, data, f"{self._start}-{next(self._numbers)}")
        waiting, self._waiting = self._waiting, set()
        self._wake(iter(waiting))

    def _wake(self, waiting: Iterator[asyncio.Future[None]]) -> None:
        """A few in each turn of the event loop: a thousand at once would hold it for 50 ms."""
        if few := list(islice(waiting, WOKEN_AT_ONCE)):
            for each in few:
                if not each.done():
                    each.set_result(None)
            asyncio.get_running_loop().call_soon(self._wake, waiting)
