"""What sharing a run promises, whoever comes when."""

import asyncio
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kubia_pet.aio.coalescer import Coalescer


class Runs:
    """Runs that end one at a time, when the test says so."""

    def __init__(self, timeout: float | None = None) -> None:
        self.begun: list[list[str]] = []  # what those who came before brought with them
        self._brought: list[str] = []
        self.under_way = 0
        self._ends: asyncio.Queue[Exception | None] = asyncio.Queue()
        self.shared = Coalescer(self._run, timeout=timeout, late=lambda: TimeoutError("late"))

    async def _run(self) -> int:
        """Returns its own number."""
        number = len(self.begun)
        self.begun.append(self._brought)
        self._brought = []
        self.under_way += 1
        assert self.under_way == 1
        error = await self._ends.get()
        self.under_way -= 1
        if error is not None:
            raise error
        return number

    async def submit(self, *brought: str) -> list[asyncio.Future[int]]:
        """Callers that came in this order, each with something for its run."""
        callers = []
        for each in brought:
            self._brought.append(each)
            callers.append(self.shared.submit())
        await turns()
        return callers

    async def end_one(self, error: Exception | None = None) -> None:
        """Lets the run that is under way, or else the next one, end."""
        self._ends.put_nowait(error)
        await turns()


async def turns() -> None:
    """Lets every task run on until it waits for something."""
    for _ in range(10):
        await asyncio.sleep(0)


async def test_callers_that_come_at_once_share_a_run_with_what_each_brought_in_order() -> None:
    runs = Runs()
    callers = await runs.submit("a", "b", "c")
    await runs.end_one()
    assert await asyncio.gather(*callers) == [0, 0, 0]
    assert runs.begun == [["a", "b", "c"]]


async def test_nobody_joins_a_run_that_began_before_they_came() -> None:
    runs = Runs()
    (first,) = await runs.submit("a")
    late = await runs.submit("b", "c")
    await runs.end_one()
    assert first.done()
    assert not any(caller.done() for caller in late)
    await runs.end_one()
    assert await asyncio.gather(first, *late) == [0, 1, 1]
    assert runs.begun == [["a"], ["b", "c"]]


async def test_a_run_that_cannot_even_begin_is_an_error_for_its_callers_and_for_no_other() -> None:
    broken = True

    def run() -> asyncio.Future[str]:
        if broken:
            raise OSError("broken")
        done = asyncio.get_running_loop().create_future()
        done.set_result("good")
        return done

    shared = Coalescer(run)
    failing = [shared.submit(), shared.submit()]
    for caller in failing:
        with pytest.raises(OSError, match="broken"):
            await asyncio.wait_for(caller, 1)
    broken = False
    assert await asyncio.wait_for(shared.submit(), 1) == "good"


async def test_an_error_goes_to_all_callers_of_its_run_and_to_no_other() -> None:
    runs = Runs()
    failing = await runs.submit("a", "b")
    (next_,) = await runs.submit("c")
    await runs.end_one(OSError("broken"))
    for caller in failing:
        with pytest.raises(OSError, match="broken"):
            await caller
    await runs.end_one()
    assert await next_ == 1


async def test_a_caller_that_is_cancelled_leaves_the_run_to_the_others() -> None:
    runs = Runs()
    gone, staying = await runs.submit("a", "b")
    gone.cancel()
    await turns()
    await runs.end_one()
    assert gone.cancelled()
    assert await staying == 0


async def test_a_run_whose_callers_are_all_gone_still_runs_and_its_error_is_nobodys(
    caplog: pytest.LogCaptureFixture,
) -> None:
    runs = Runs()
    (first,) = await runs.submit("a")
    (gone,) = await runs.submit("b")
    gone.cancel()
    await runs.end_one()
    await runs.end_one(OSError("broken"))
    assert await first == 0
    (after,) = await runs.submit("c")
    await runs.end_one()
    assert await after == 2
    assert runs.begun == [["a"], ["b"], ["c"]]
    assert not caplog.records


async def test_a_thousand_callers_make_two_runs_one_under_way_and_one_that_waits() -> None:
    runs = Runs()
    first = await runs.submit("first")
    others = await runs.submit(*map(str, range(1000)))
    await runs.end_one()
    await runs.end_one()
    assert set(await asyncio.gather(*first, *others)) == {0, 1}
    assert runs.begun == [["first"], [str(number) for number in range(1000)]]


async def test_who_waits_for_too_long_is_told_in_time_whether_its_run_began_or_not() -> None:
    runs, loop = Runs(timeout=0.1), asyncio.get_running_loop()
    began = loop.time()
    (served,) = await runs.submit("a")
    await asyncio.sleep(0.05)  # what is measured is a span of time
    (waiting,) = await runs.submit("b")
    for caller, seconds in ((served, 0.1), (waiting, 0.15)):
        with pytest.raises(TimeoutError, match="late"):
            await caller
        assert seconds - 0.01 < loop.time() - began < seconds + 1
    (in_time,) = await runs.submit("c")
    await runs.end_one()
    await runs.end_one()
    assert await in_time == 1
    assert runs.begun == [["a"], ["b", "c"]]


@settings(deadline=None)
@given(st.lists(st.sampled_from(["comes", "leaves", "ends", "fails"]), max_size=30))
def test_whoever_comes_and_goes_when_each_result_is_of_the_run_that_got_what_it_brought(
    events: Sequence[str],
) -> None:
    async def play() -> None:
        runs = Runs()
        callers: list[tuple[int, int, asyncio.Future[int]]] = []  # number, runs begun before it came, result
        for event in events:
            match event:
                case "comes":
                    begun = len(runs.begun)
                    callers.extend(
                        (len(callers), begun, task) for task in await runs.submit(str(len(callers)))
                    )
                case "leaves" if callers:
                    callers[len(callers) // 2][2].cancel()
                    await turns()
                case "ends" | "fails" if runs.under_way:
                    await runs.end_one(OSError("broken") if event == "fails" else None)
        while runs.under_way:
            await runs.end_one()
        for number, begun, task in callers:
            assert task.done()
            if not task.cancelled() and task.exception() is None:
                assert task.result() >= begun
                assert str(number) in runs.begun[task.result()]
        assert [int(each) for run in runs.begun for each in run] == list(range(len(callers)))

    asyncio.run(play())


async def test_a_run_that_waits_for_something_slow_lets_the_next_one_begin_beside_it() -> None:
    ends: list[asyncio.Future[str]] = []

    def run() -> asyncio.Future[str]:
        ends.append(asyncio.get_running_loop().create_future())
        return ends[-1]

    shared = Coalescer(run)
    first = shared.submit()
    await turns()
    second, third = shared.submit(), shared.submit()
    await turns()
    assert len(ends) == 1
    shared.proceed()
    await turns()
    assert len(ends) == 2
    fourth = shared.submit()
    ends[0].set_result("a")
    await turns()
    assert (first.result(), len(ends), second.done()) == ("a", 2, False)  # the first's end begins nothing
    ends[1].set_result("b")
    await turns()
    assert (second.result(), third.result(), len(ends)) == ("b", "b", 3)
    shared.proceed()  # with nobody waiting: whoever comes begins at once
    fifth = shared.submit()
    await turns()
    assert len(ends) == 4
    ends[3].set_result("d")
    ends[2].set_result("c")
    assert (await fourth, await fifth) == ("c", "d")
