"""A pod's state: it only advances, and whoever waits for a state is woken by it or by a later one."""

import asyncio

from kubia_pet.web.lifecycle import Lifecycle, State


async def test_it_begins_with_the_start() -> None:
    lifecycle = Lifecycle()
    assert lifecycle.state is State.STARTING
    async with asyncio.timeout(1):
        await lifecycle.reached(State.STARTING)


async def test_who_waits_for_a_state_is_woken_by_it() -> None:
    lifecycle = Lifecycle()
    waiting = asyncio.create_task(lifecycle.reached(State.DRAINING))
    lifecycle.advance(State.READY)
    await asyncio.sleep(0)
    assert not waiting.done()
    lifecycle.advance(State.DRAINING)
    async with asyncio.timeout(1):
        await waiting


async def test_a_state_that_was_skipped_is_past() -> None:
    lifecycle = Lifecycle()
    lifecycle.advance(State.STOPPED)
    async with asyncio.timeout(1):
        await asyncio.gather(*map(lifecycle.reached, State))


async def test_it_never_goes_back() -> None:
    lifecycle = Lifecycle()
    lifecycle.advance(State.DRAINING)
    lifecycle.advance(State.READY)
    assert lifecycle.state is State.DRAINING
