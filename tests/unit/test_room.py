"""Room that many share: nobody is evicted before the patience is over, and none without need."""

import asyncio

from kubia_pet.aio.room import Room

PATIENCE = 0.1


def shared(size: int) -> tuple[Room[str], list[str]]:
    evicted: list[str] = []
    return Room(size, PATIENCE, evicted.append), evicted


async def test_what_there_is_room_for_is_taken_and_may_be_given_back() -> None:
    room, evicted = shared(10)
    assert room.take("a", 6)
    assert not room.take("b", 5)
    assert room.take("c", 4)
    room.give_back("a")
    assert room.take("b", 6)
    room.give_back("nobody")
    assert not room.take("d", 1)
    assert evicted == []


async def test_after_the_patience_those_make_room_that_hold_theirs_for_longest_and_no_more_than_needed() -> (
    None
):
    room, evicted = shared(3)
    for name in "abc":
        assert room.take(name, 1)
    await asyncio.sleep(PATIENCE)
    assert room.take("d", 2)
    assert evicted == ["a", "b"]
    room.give_back("a")  # it has none any more
    assert not room.take("e", 2)


async def test_who_is_settled_makes_no_room() -> None:
    room, evicted = shared(2)
    assert room.take("a", 1)
    assert room.take("b", 1)
    room.settle("a")
    await asyncio.sleep(PATIENCE)
    assert room.take("c", 1)
    assert evicted == ["b"]
    room.give_back("a")
    assert room.take("d", 1)


async def test_who_waits_gets_room_when_it_is_given_back() -> None:
    room, evicted = shared(1)
    assert room.take("a", 1)
    room.settle("a")
    waiting = asyncio.create_task(room.wait("b", 1))
    await asyncio.sleep(PATIENCE)
    assert not waiting.done()
    room.give_back("a")
    async with asyncio.timeout(1):
        await waiting
    assert evicted == []


async def test_those_who_wait_get_room_one_after_the_other_as_the_patience_ends() -> None:
    room, evicted = shared(1)
    assert room.take("a", 1)
    async with asyncio.timeout(1):
        await asyncio.gather(room.wait("b", 1), room.wait("c", 1))
    assert evicted == ["a", "b"]
