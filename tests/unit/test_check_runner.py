"""How checks are run: at the same time, and not at all where that would make no sense."""

import asyncio
import time

import pytest

from kubia_pet.check import runner
from kubia_pet.check.result import Finding, Status, failed, passed, unknown
from kubia_pet.check.runner import Check, Progress, run
from kubia_pet.check.scene import Scene
from kubia_pet.reach.target import Target

SCENE = Scene(Target(where="nowhere", pods=()))


def ends_with(finding: Finding, after: float = 0.0) -> object:
    async def check(_: Scene) -> Finding:
        await asyncio.sleep(after)
        return finding

    return check


def check(id_: str, finding: Finding, *needs: str, after: float = 0.0) -> Check:
    return Check(id_, ends_with(finding, after), needs)  # type: ignore[arg-type] # a coroutine function


async def statuses(*checks: Check) -> dict[str, str]:
    report = await run(checks, SCENE, Progress())
    return {
        each.id: each.finding.message if each.finding.status is Status.SKIPPED else each.finding.status
        for each in report.results
    }


async def test_what_follows_from_a_failure_is_skipped_and_says_from_which() -> None:
    assert await statuses(
        check("a", failed("gap", "no")),
        check("b", passed("yes"), "a"),
        check("c", passed("yes"), "b"),
        check("d", passed("yes")),
        check("e", passed("yes"), "d", "c"),
    ) == {"a": "failed", "b": "follows from a", "c": "follows from a", "d": "passed", "e": "follows from a"}


async def test_what_cannot_be_told_keeps_nobody_from_looking() -> None:
    assert await statuses(check("a", unknown("?")), check("b", passed("yes"), "a")) == {
        "a": "unknown",
        "b": "passed",
    }


async def test_checks_that_do_not_need_each_other_run_at_the_same_time() -> None:
    began = time.monotonic()
    await statuses(*(check(f"check{number}", passed("yes"), after=0.2) for number in range(10)))
    assert time.monotonic() - began < 1


async def test_a_check_that_does_not_end_or_fails_by_itself_is_one_that_cannot_tell(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def breaks(_: Scene) -> Finding:
        raise KeyError("pod")

    monkeypatch.setattr(runner, "CHECK_TIMEOUT", 0.05)
    report = await run([check("slow", passed("yes"), after=10), Check("broken", breaks)], SCENE, Progress())
    assert [each.finding.message for each in report.results] == [
        "It did not end within 0.05 s.",
        "The check itself failed (KeyError): the log says why.",
    ]
    assert report.exit == 3
    assert "KeyError" in caplog.text
