"""What concurrent clients of a set saw, pods being killed meanwhile, could have happened one by one."""

import asyncio
import os
import random
import signal
import time
from collections import defaultdict
from contextlib import suppress
from pathlib import Path

import aiohttp
import pytest

from tests.support.linearizability import UNKNOWN, Operation, is_linearizable
from tests.support.local_set import LocalSet

SECONDS = 8.0
TIMEOUT = aiohttp.ClientTimeout(total=5)


def write(value: str, called: float, returned: float) -> Operation:
    return Operation(is_write=True, value=value, called=called, returned=returned)


def swap(expected: str | None, value: str, called: float, returned: float) -> Operation:
    return Operation(is_write=True, value=value, called=called, returned=returned, expected=expected)


def read(value: str | None, called: float, returned: float) -> Operation:
    return Operation(is_write=False, value=value, called=called, returned=returned)


def refused(expected: str | None, current: str | None, called: float, returned: float) -> Operation:
    return Operation(is_write=False, value=current, called=called, returned=returned, expected=expected)


@pytest.mark.parametrize(
    ("history", "verdict"),
    [
        ([write("a", 0, 1), read("a", 2, 3)], True),
        ([write("a", 0, 1), read(None, 2, 3)], False),  # a stale read
        ([write("a", 0, 9), read(None, 1, 2), read("a", 3, 4), write("b", 5, 6), read("b", 7, 8)], True),
        ([write("a", 0, 9), read("a", 1, 2), read(None, 3, 4)], False),  # new, then old
        ([write("a", 0, 1), write("b", 0, UNKNOWN), read("a", 2, 3), read("b", 8, 9)], True),  # late effect
        ([write("a", 0, 1), write("b", 0, UNKNOWN), read("b", 2, 3), read("a", 8, 9)], False),
        ([write("a", 0, 1), write("b", 0, 1), read("c", 2, 3)], False),  # a value nobody wrote
        ([swap(None, "a", 0, 1), swap("a", "b", 2, 3), read("b", 4, 5)], True),
        ([write("a", 0, 1), swap("a", "b", 2, 9), swap("b", "c", 2, 9), read("c", 10, 11)], True),
        ([write("a", 0, 1), swap("a", "b", 2, 9), refused("a", "b", 2, 9), read("b", 10, 11)], True),
        ([write("a", 0, 1), swap("a", "b", 2, 3), swap("a", "c", 2, 3)], False),  # two that would be the next
        ([write("a", 0, 1), write("b", 2, 3), swap("a", "c", 4, 5)], False),  # on a value that was replaced
        ([write("a", 0, 1), swap("a", "b", 2, 3), read("a", 4, 5)], False),  # a lost one
        ([write("a", 0, 1), refused("a", "a", 2, 3)], False),  # refused though nothing stood against it
        ([write("a", 0, 1), write("b", 2, 3), refused("c", "a", 4, 5)], False),  # by a value of before
        ([write("a", 0, 9), refused(None, "a", 1, 2), read(None, 3, 4)], False),  # by one not yet there
        ([write("a", 0, 1), swap("a", "b", 2, UNKNOWN), read("a", 3, 4), read("b", 5, 6)], True),
        ([write("a", 0, 1), swap("a", "b", 2, UNKNOWN), write("c", 3, 4), read("c", 5, 6)], True),
        ([write("a", 0, 1), write("c", 2, 3), swap("a", "b", 4, UNKNOWN), read("b", 5, 6)], False),
        ([write("a", 0, UNKNOWN), swap("a", "b", 1, UNKNOWN), read("b", 2, 3)], True),  # one led to the other
        ([write("a", 4, UNKNOWN), swap("a", "b", 1, UNKNOWN), read("b", 2, 3)], False),
        ([swap(None, "a", 0, 9), swap("a", "b", 0, 9), swap("b", "c", 0, 9), read("c", 10, 11)], True),
        ([swap(None, "a", 0, 9), swap(None, "b", 0, 9)], False),  # both replaced the same value
        ([swap(None, "a", 0, UNKNOWN), swap("a", "b", 2, 3), read("b", 4, 5)], True),  # it must have happened
        ([swap(None, "a", 0, UNKNOWN), swap(None, "b", 2, 3), read("b", 4, 5)], True),  # it need not have
    ],
)
def test_the_checker_knows_linearizable_histories(history: list[Operation], verdict: bool) -> None:  # noqa: FBT001
    assert is_linearizable(history) is verdict


class Recorder:
    """Clients of a set, and what they saw of each pod's value."""

    def __init__(self, pets: LocalSet) -> None:
        self.pets = pets
        self.histories: dict[str, list[Operation]] = defaultdict(list)
        self.until = time.monotonic() + SECONDS

    async def writer(self, client: int) -> None:
        """Posts values that nobody else posts, to any pod."""
        dice = random.Random(client)
        async with aiohttp.ClientSession(timeout=TIMEOUT) as session:
            number = 0
            while time.monotonic() < self.until:
                ordinal, value = dice.randrange(3), f"client {client} number {number}"
                number += 1
                called = time.monotonic()
                returned = UNKNOWN
                with suppress(aiohttp.ClientError, TimeoutError):
                    async with session.post(self.pets.url(ordinal), data=value) as response:
                        if response.status == 200:
                            returned = time.monotonic()
                self.histories[f"kubia-{ordinal}"].append(write(value, called, returned))
                await asyncio.sleep(dice.random() / 20)

    async def reader(self, client: int) -> None:
        """Asks any pod for everybody's value."""
        dice = random.Random(-client)
        async with aiohttp.ClientSession(timeout=TIMEOUT, headers={"Accept": "application/json"}) as session:
            while time.monotonic() < self.until:
                called = time.monotonic()
                with suppress(aiohttp.ClientError, TimeoutError):
                    async with session.get(self.pets.url(dice.randrange(3))) as response:
                        seen = await response.json()
                        if response.status == 200:
                            for peer in seen["peers"]:
                                if "error" not in peer:
                                    name = peer["name"].partition(".")[0]
                                    self.histories[name].append(read(peer["value"], called, time.monotonic()))
                await asyncio.sleep(dice.random() / 20)

    async def killer(self) -> int:
        """kill -9 for one pod after the other, each time its last process is back."""
        dice = random.Random(0)
        killed: set[int] = set()
        while time.monotonic() < self.until - 1:
            await asyncio.sleep(0.3)
            pid = dice.choice(sorted(self.pets.pids().values()))
            if pid not in killed:
                killed.add(pid)
                os.kill(pid, signal.SIGKILL)
        return len(killed)


@pytest.mark.timeout(120)
async def test_a_history_of_three_pods_that_are_killed_meanwhile_is_linearizable(tmp_path: Path) -> None:
    with LocalSet(tmp_path) as pets:
        recorder = Recorder(pets)
        clients = [recorder.writer(number) for number in range(1, 5)]
        clients += [recorder.reader(number) for number in range(1, 5)]
        killed, *_ = await asyncio.gather(recorder.killer(), *clients)
        assert killed is not None
        assert killed >= 5
        assert set(recorder.histories) == {"kubia-0", "kubia-1", "kubia-2"}
        for name, history in recorder.histories.items():
            acknowledged = [each for each in history if each.is_write and each.returned != UNKNOWN]
            assert len(acknowledged) > 20, f"{name}: too little happened to tell"
            assert sum(not each.is_write for each in history) > 50, f"{name}: too little happened to tell"
            assert is_linearizable(history), f"{name} in {len(history)} operations"
