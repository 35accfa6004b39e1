"""Deadlines for many."""

import asyncio

from kubia_pet.aio.expiry import ExpiryQueue


async def test_whoever_waits_for_too_long_is_given_up_in_turn_and_nobody_else() -> None:
    given_up: asyncio.Queue[tuple[str, float]] = asyncio.Queue()
    loop = asyncio.get_running_loop()
    waiting: ExpiryQueue[str] = ExpiryQueue(0.2, lambda one: given_up.put_nowait((one, loop.time() - began)))
    began = loop.time()
    for one in ("first", "second", "third"):
        waiting.add(one)
    await asyncio.sleep(0.1)  # what is measured is a span of time
    waiting.discard("first")
    waiting.add("fourth")
    ended = [await given_up.get() for _ in range(3)]
    assert [one for one, _ in ended] == ["second", "third", "fourth"]
    assert [seconds > due for (_, seconds), due in zip(ended, (0.19, 0.19, 0.29), strict=True)] == [True] * 3
    assert ended[0][1] < ended[2][1]
    assert len(waiting) == 0


async def test_one_that_comes_when_all_have_gone_has_its_whole_time() -> None:
    given_up = asyncio.Event()
    loop = asyncio.get_running_loop()
    waiting: ExpiryQueue[str] = ExpiryQueue(0.5, lambda _: given_up.set())
    for _ in range(4):  # nobody in it waits for long
        waiting.add("one")
        await asyncio.sleep(0.15)
        waiting.discard("one")
    assert not given_up.is_set()
    began = loop.time()
    waiting.add("one")
    await given_up.wait()
    assert loop.time() - began > 0.49


async def test_one_who_comes_again_begins_anew() -> None:
    given_up = asyncio.Event()
    waiting: ExpiryQueue[str] = ExpiryQueue(0.5, lambda _: given_up.set())
    for _ in range(5):
        waiting.discard("one")
        waiting.add("one")
        await asyncio.sleep(0.15)
    assert not given_up.is_set()
    assert list(waiting) == ["one"]


async def test_one_that_is_added_again_as_it_is_given_up_comes_round_and_round_by_one_timer() -> None:
    given_up: asyncio.Queue[str] = asyncio.Queue()
    loop = asyncio.get_running_loop()

    def again(one: str) -> None:
        given_up.put_nowait(one)
        waiting.add(one)

    waiting: ExpiryQueue[str] = ExpiryQueue(0.05, again)
    began = loop.time()
    waiting.add("first")
    await asyncio.sleep(0.02)  # so that each ends while the other still waits
    waiting.add("second")
    assert [await given_up.get() for _ in range(8)] == ["first", "second"] * 4
    assert loop.time() - began >= 4 * 0.05
    armed = [timer for timer in loop._scheduled if not timer.cancelled()]  # type: ignore[attr-defined] # noqa: SLF001 - what asyncio itself has
    assert len(armed) == 1
