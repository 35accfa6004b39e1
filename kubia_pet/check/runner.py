"""Runs the checks: all at the same time, but for those that another one's failure would make senseless.

And for those in which every pod asks every other: their load would be what the others see.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from kubia_pet.check.result import CheckResult, Finding, Report, Status, following, unknown
from kubia_pet.check.scene import Scene
from kubia_pet.limits import CHECK_TIMEOUT

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Check:
    """What is run under this id, when those of `needs` and `after` have ended.

    Where one of `needs` failed this one follows from it, and is skipped.
    """

    id: str
    run: Callable[[Scene], Awaitable[Finding]]
    needs: tuple[str, ...] = ()
    after: tuple[str, ...] = ()


class Progress:
    """Told how the run goes, and keeps what was found so far."""

    def __init__(self) -> None:
        self.results: list[CheckResult] = []

    def ended(self, result: CheckResult) -> None:
        """It has this result."""
        self.results.append(result)


async def run(checks: Sequence[Check], scene: Scene, progress: Progress) -> Report:
    """The results in the order of the checks; each ends within CHECK_TIMEOUT of its beginning."""
    began, at = time.monotonic(), datetime.now(UTC)
    running: dict[str, asyncio.Task[CheckResult]] = {}
    try:
        async with asyncio.TaskGroup() as group:
            for check in checks:
                running[check.id] = group.create_task(_one(check, running, scene, progress))
    finally:
        await scene.restore()
    return Report(
        where=scene.target.where,
        began=at.isoformat(timespec="seconds"),
        seconds=time.monotonic() - began,
        results=tuple(task.result() for task in running.values()),
        notes=tuple(scene.notes()),
    )


async def _one(
    check: Check, running: Mapping[str, asyncio.Task[CheckResult]], scene: Scene, progress: Progress
) -> CheckResult:
    cause = await _failed_before([running[each] for each in check.needs if each in running])
    before = [running[each] for each in check.after if each in running]
    if before and not cause:
        await asyncio.wait(before)
    return await timed(check.id, _found(check, scene, cause), progress)


async def _failed_before(needed: Sequence[asyncio.Task[CheckResult]]) -> str | None:
    """The check from which it follows; None where all of them were worth their while."""
    for task in needed:
        before = await asyncio.shield(task)
        if before.finding.status is Status.FAILED:
            return before.id
        if before.finding.follows:
            return before.finding.follows
    return None


async def _found(check: Check, scene: Scene, follows: str | None) -> Finding:
    if follows:
        return following(follows)
    try:
        async with asyncio.timeout(CHECK_TIMEOUT):
            return await check.run(scene)
    except TimeoutError:
        return unknown(f"It did not end within {CHECK_TIMEOUT:g} s.")
    except Exception as error:
        log.exception("The check %s failed by itself", check.id)
        return unknown(f"The check itself failed ({type(error).__name__}): the log says why.")


async def timed(check: str, work: Awaitable[Finding], progress: Progress) -> CheckResult:
    """The result under this id, of which `progress` is told."""
    began = time.monotonic()
    finding = await work
    result = CheckResult(check, finding, time.monotonic() - began)
    progress.ended(result)
    return result
