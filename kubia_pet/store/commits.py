"""The changes of the value, in commits that they share."""

import asyncio
import logging
import time
from collections.abc import Callable
from functools import partial
from typing import Protocol

from kubia_pet.aio.coalescer import Coalescer
from kubia_pet.model.value import Value
from kubia_pet.store.condition import Change, judge
from kubia_pet.store.health import Health
from kubia_pet.store.storage import Storage

log = logging.getLogger(__name__)


class CommitObserver(Protocol):
    """Told of every commit."""

    def committed(self, writers: int, seconds: float, *, ok: bool) -> None:
        """`writers` requests shared one commit that took `seconds`."""


class Commits:
    """Makes changes durable, one commit after the other; `read` is the value, for conditions."""

    def __init__(
        self,
        volume: Storage,
        health: Health,
        read: Callable[[], Value | None],
        observer: CommitObserver,
        *,
        timeout: float,
    ) -> None:
        self._volume = volume
        self._health = health
        self._read = read
        self._observer = observer
        self._commits = Coalescer(self._commit, timeout=timeout, late=health.too_slow)
        self._changes: list[Change] = []  # for the next commit, in the order of their arrival

    def submit(self, change: Change) -> asyncio.Future[None]:
        """Done when the change is durable. Raises StoreError; its refusal where it may not be made."""
        self._changes.append(change)
        commit = self._commits.submit()
        return commit if change.condition is None else asyncio.ensure_future(_outcome(change, commit))

    def _commit(self) -> asyncio.Future[None]:
        changes, self._changes = self._changes, []
        return self._health.change(
            partial(self._apply, changes), partial(self._committed, changes, time.monotonic())
        )

    def _apply(self, changes: list[Change]) -> None:
        last = judge(changes, self._read)
        if last is None:
            return
        if last.data is None:
            self._volume.remove()
        else:
            self._volume.replace(last.data)
            if last.data:  # neither a removal nor an empty value shows that there is room for one
                self._health.proved()

    def _committed(self, changes: list[Change], began: float, error: BaseException | None) -> None:
        made = []
        for change in changes:
            if change.refusal is None:
                made.append(change)
            else:
                self._health.failed_to_read(change.refusal)
        if made:
            self._observer.committed(len(made), time.monotonic() - began, ok=error is None)
        if made and error is None:
            data = made[-1].data
            done = "Removed the value" if data is None else f"Stored {len(data)} bytes"
            shared = f", for {len(made)} requests at once" if len(made) > 1 else ""
            # A turn of the loop later than those who wait are told: a line takes a tenth of a commit's time.
            loop = asyncio.get_running_loop()
            loop.call_soon(loop.call_soon, log.debug, "%s%s", done, shared)


async def _outcome(change: Change, commit: asyncio.Future[None]) -> None:
    await commit
    if change.refusal is not None:
        raise change.refusal
