"""What concurrent clients of a set saw, pods being killed meanwhile, could have happened one by one."""

import asyncio
import hashlib
import os
import random
import signal
import time
from collections import defaultdict
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import aiohttp
import pytest

from tests.support.linearizability import ANY, UNKNOWN, Operation, is_linearizable
from tests.support.local_set import LocalSet

SECONDS = 8.0
MOST_SECONDS = 45.0
TIMEOUT = aiohttp.ClientTimeout(total=5)


def write(value: str, called: float, returned: float) -> Operation:
    return Operation(is_write=True, value=value, called=called, returned=returned)


def swap(expected: str | None, value: str, called: float, returned: float) -> Operation:
    return Operation(is_write=True, value=value, called=called, returned=returned, expected=expected)


def etag(value: str) -> str:
    return f'"{hashlib.sha256(value.encode()).hexdigest()[:32]}"'


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


def is_worth_it(history: list[Operation]) -> bool:
    known = [each for each in history if each.returned != UNKNOWN]
    swaps = [each for each in known if each.expected is not ANY]
    done, were_refused = ([each for each in swaps if each.is_write is made] for made in (True, False))
    writes = sum(each.is_write for each in known)
    return writes > 20 and len(known) - writes > 50 and len(done) > 2 and len(were_refused) > 2


class Recorder:
    """Clients of a set, and what they saw of each pod's value."""

    def __init__(self, pets: LocalSet) -> None:
        self.pets = pets
        self.histories: dict[str, list[Operation]] = defaultdict(list)
        self.by_etag: dict[str, str] = {}  # every value that anybody may have written
        self.began = time.monotonic()

    def goes_on(self) -> bool:
        """For SECONDS, and on a busy machine until enough has happened, MOST_SECONDS at most."""
        lasted = time.monotonic() - self.began
        return lasted < SECONDS or (lasted < MOST_SECONDS and not self.has_enough())

    def has_enough(self) -> bool:
        """Whether the history of each pod is worth a judgement."""
        return len(self.histories) == 3 and all(map(is_worth_it, self.histories.values()))

    async def writer(self, client: int) -> None:
        """Posts values that nobody else posts, to any pod."""
        dice = random.Random(client)
        async with aiohttp.ClientSession(timeout=TIMEOUT) as session:
            number = 0
            while self.goes_on():
                ordinal, value = dice.randrange(3), f"client {client} number {number}"
                number += 1
                self.by_etag[etag(value)] = value
                called = time.monotonic()
                returned = UNKNOWN
                with suppress(aiohttp.ClientError, TimeoutError):
                    async with session.post(self.pets.url(ordinal), data=value) as response:
                        if response.status == 200:
                            returned = time.monotonic()
                self.histories[f"kubia-{ordinal}"].append(write(value, called, returned))
                await asyncio.sleep(dice.random() / 20)

    async def swapper(self, client: int) -> None:
        """Puts values where the one that it saw last stands; a refusal says which does."""
        dice = random.Random(client)
        last: dict[int, str | None] = dict.fromkeys(range(3))
        async with aiohttp.ClientSession(timeout=TIMEOUT) as session:
            number = 0
            while self.goes_on():
                ordinal, value = dice.randrange(3), f"swapper {client} number {number}"
                number += 1
                expected, self.by_etag[etag(value)] = last[ordinal], value
                done = swap(expected, value, time.monotonic(), UNKNOWN)
                condition = {"If-None-Match": "*"} if expected is None else {"If-Match": etag(expected)}
                with suppress(aiohttp.ClientError, TimeoutError):
                    async with session.put(
                        f"{self.pets.url(ordinal)}/data", data=value, headers=condition
                    ) as response:
                        if response.status == 200:
                            done = replace(done, returned=time.monotonic())
                            last[ordinal] = value
                        elif response.status == 412:
                            current = response.headers.get("ETag")
                            last[ordinal] = None if current is None else self.by_etag[current]
                            done = refused(expected, last[ordinal], done.called, time.monotonic())
                self.histories[f"kubia-{ordinal}"].append(done)
                await asyncio.sleep(dice.random() / 20)

    async def reader(self, client: int) -> None:
        """Asks any pod for everybody's value."""
        dice = random.Random(-client)
        async with aiohttp.ClientSession(timeout=TIMEOUT, headers={"Accept": "application/json"}) as session:
            while self.goes_on():
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
        while time.monotonic() - self.began < SECONDS - 1 or len(killed) < 5:
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
        clients = [recorder.writer(number) for number in range(1, 4)]
        clients += [recorder.swapper(number) for number in range(1, 4)]
        clients += [recorder.reader(number) for number in range(1, 5)]
        killed, *_ = await asyncio.gather(recorder.killer(), *clients)
        assert killed is not None
        assert killed >= 5
        assert recorder.has_enough(), "too little happened to tell"
        for name, history in recorder.histories.items():
            assert is_linearizable(history), f"{name} in {len(history)} operations"
