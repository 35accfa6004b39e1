"""One look for all who ask in one turn of the event loop."""

import asyncio
from collections.abc import Iterator
from itertools import count

import pytest

from kubia_pet.aio.once_per_turn import OncePerTurn


async def test_all_who_ask_in_one_turn_share_a_look_and_the_next_turn_has_its_own() -> None:
    numbers = count()
    look = OncePerTurn(lambda: next(numbers))

    assert [look(), look(), look()] == [0, 0, 0]
    await asyncio.sleep(0)
    assert [look(), look()] == [1, 1]


async def test_who_asks_in_a_later_turn_before_others_run_does_not_get_what_was_found_before() -> None:
    numbers = count()
    look = OncePerTurn(lambda: next(numbers))
    found = []

    async def ask() -> None:
        found.append(look())

    look()
    await asyncio.gather(ask(), ask())
    assert found == [1, 1]


async def test_a_look_that_fails_is_made_again_by_the_next_who_asks() -> None:
    looks: Iterator[OSError | str] = iter([OSError("gone"), "there"])

    def find() -> str:
        found = next(looks)
        if isinstance(found, OSError):
            raise found
        return found

    look = OncePerTurn(find)
    with pytest.raises(OSError, match="gone"):
        look()
    assert look() == "there"
