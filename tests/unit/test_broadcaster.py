"""What those who watch share, and what they are told."""

import asyncio
import gc
from collections.abc import AsyncGenerator

import pytest

from kubia_pet.limits import WATCH_INTERVAL
from kubia_pet.web.events import Broadcaster, ClusterState, Event
from kubia_pet.web.lifecycle import Lifecycle, State


class Cluster:
    """Something to look at, which counts the looks and notes when they were taken."""

    def __init__(self) -> None:
        self.value = "first"
        self.ttl = 30
        self.failing = False
        self.looks: list[float] = []
        self.looked = asyncio.Event()
        self.looking: asyncio.Event | None = None  # how long a look takes
        self.watchers = 0
        self.lifecycle = Lifecycle()
        self.lifecycle.advance(State.READY)
        self.broadcaster = Broadcaster(self._take, self.lifecycle, pod="kubia-0", observer=self)

    async def _take(self) -> ClusterState:
        self.looks.append(asyncio.get_running_loop().time())
        self.looked.set()
        value = self.value
        await (self.looking.wait() if self.looking else asyncio.sleep(0))
        if self.failing:
            raise RuntimeError("a look that fails")
        return ClusterState(f"{value} {self.ttl}", (value, ""))

    def watched(self, watchers: int) -> None:
        self.watchers = watchers

    async def look_again(self) -> None:
        """Returns when one more look was taken, and told."""
        self.looked.clear()
        async with asyncio.timeout(5 * WATCH_INTERVAL):
            await self.looked.wait()
        await asyncio.sleep(0.01)


async def told(stream: AsyncGenerator[Event]) -> Event:
    async with asyncio.timeout(5 * WATCH_INTERVAL):
        return await anext(stream)


async def test_all_who_watch_share_one_look_a_tick() -> None:
    cluster = Cluster()
    streams = [cluster.broadcaster.watch() for _ in range(100)]
    first = {(await told(each)).data for each in streams}
    assert first == {"first 30"}
    assert len(cluster.looks) == 1
    assert cluster.watchers == len(cluster.broadcaster) == 100
    await cluster.look_again()
    await cluster.look_again()
    gaps = [later - sooner for sooner, later in zip(cluster.looks, cluster.looks[1:], strict=False)]
    assert min(gaps) >= WATCH_INTERVAL - 0.01, "at most two a second"
    for each in streams:
        await each.aclose()
    assert cluster.watchers == 0


async def test_nobody_watches_nothing_is_looked_at() -> None:
    cluster = Cluster()
    stream = cluster.broadcaster.watch()
    await told(stream)
    await stream.aclose()
    looks = len(cluster.looks)
    await asyncio.sleep(2.5 * WATCH_INTERVAL)  # what must not happen has this time to happen
    assert len(cluster.looks) == looks


async def test_a_change_is_told_once_with_an_id_of_its_own_and_what_stays_is_not() -> None:
    cluster = Cluster()
    stream = cluster.broadcaster.watch()
    first = await told(stream)
    cluster.ttl = 29  # runs, which is no change
    await cluster.look_again()
    cluster.value = "second"
    second = await told(stream)
    assert (first.name, first.data, second.data) == ("state", "first 30", "second 29")
    assert first.id != second.id
    await stream.aclose()


async def test_who_comes_later_is_told_the_present_state_at_once() -> None:
    cluster = Cluster()
    early = cluster.broadcaster.watch()
    await told(early)
    cluster.value = "second"
    await told(early)
    late = cluster.broadcaster.watch()
    assert (await told(late)).data == "second 30"
    await early.aclose()
    await late.aclose()


async def test_who_comes_back_after_all_had_left_is_told_nothing_old() -> None:
    cluster = Cluster()
    stream = cluster.broadcaster.watch()
    await told(stream)
    await stream.aclose()
    cluster.value = "second"
    again = cluster.broadcaster.watch()
    assert (await told(again)).data == "second 30"
    await again.aclose()


async def test_clients_that_come_and_leave_one_after_the_other_are_no_reason_for_more_looks() -> None:
    cluster = Cluster()
    for _ in range(3):
        stream = cluster.broadcaster.watch()
        await told(stream)
        await stream.aclose()
    gaps = [later - sooner for sooner, later in zip(cluster.looks, cluster.looks[1:], strict=False)]
    assert len(gaps) == 2
    assert min(gaps) >= WATCH_INTERVAL - 0.01, "at most two a second"


async def test_watchers_that_have_left_leave_nothing_behind() -> None:
    cluster = Cluster()
    stays = cluster.broadcaster.watch()
    await told(stays)
    before = _futures()
    for _ in range(100):
        visit = cluster.broadcaster.watch()
        await told(visit)
        waiting = asyncio.ensure_future(anext(visit))
        await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.wait([waiting])
        await visit.aclose()
    assert len(cluster.broadcaster) == 1
    assert _futures() < before + 10
    await stays.aclose()


def _futures() -> int:
    return sum(isinstance(each, asyncio.Future) for each in gc.get_objects())


async def test_a_look_that_ends_as_the_last_watcher_leaves_is_told_to_nobody_later() -> None:
    cluster = Cluster()
    cluster.looking = asyncio.Event()
    stream = cluster.broadcaster.watch()
    coming = asyncio.ensure_future(anext(stream))
    await cluster.looked.wait()
    coming.cancel()
    cluster.looking.set()  # in the same turn, in which nobody watches any more
    await asyncio.wait([coming])
    await stream.aclose()
    cluster.value = "second"
    again = cluster.broadcaster.watch()
    assert (await told(again)).data == "second 30"
    await again.aclose()


async def test_who_is_slow_misses_states_but_not_the_last() -> None:
    cluster = Cluster()
    slow = cluster.broadcaster.watch()
    await told(slow)
    for cluster.value in ("second", "third", "fourth"):
        await cluster.look_again()
    assert (await told(slow)).data == "fourth 30"
    await slow.aclose()


async def test_a_look_that_fails_is_logged_and_the_next_one_told(caplog: pytest.LogCaptureFixture) -> None:
    cluster = Cluster()
    stream = cluster.broadcaster.watch()
    await told(stream)
    cluster.failing = True
    await cluster.look_again()
    await cluster.look_again()
    cluster.failing, cluster.value = False, "second"
    assert (await told(stream)).data == "second 30"
    assert len(caplog.records) == 1, "once, until it works again"
    assert "a look that fails" in caplog.text
    await stream.aclose()


async def test_the_last_event_says_that_the_pod_is_ending() -> None:
    cluster = Cluster()
    stream = cluster.broadcaster.watch()
    await told(stream)
    cluster.lifecycle.advance(State.DRAINING)
    last = await told(stream)
    assert (last.name, last.data) == ("ending", '{"pod": "kubia-0"}')
    with pytest.raises(StopAsyncIteration):
        await told(stream)
