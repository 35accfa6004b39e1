"""Runs the checks: all at the same time, but for those that another one's failure would make senseless."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from kubia_pet.check.result import CheckResult, Finding, Report, Status, following, unknown
from kubia_pet.check.scene import Scene
from kubia_pet.limits import CHECK_TIMEOUT

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Check:
    """What is run under this id; where one of `needs` failed this one follows from it, and is skipped."""

    id: str
    run: Callable[[Scene], Awaitable[Finding]]
    needs: tuple[str, ...] = ()


class Progress:
    """Told how the run goes; does nothing by itself."""

    def ended(self, result: CheckResult) -> None:
        """It has this result."""


async def run(checks: Sequence[Check], scene: Scene, progress: Progress) -> Report:
    """The results in the order of the checks; each ends within CHECK_TIMEOUT of its beginning."""
    began, at = time.monotonic(), datetime.now(UTC)
    running: dict[str, asyncio.Task[CheckResult]] = {}
    try:
        async with asyncio.TaskGroup() as group:
            for check in checks:
                needed = [running[each] for each in check.needs if each in running]
                running[check.id] = group.create_task(_one(check, needed, scene, progress))
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
    check: Check, needed: Sequence[asyncio.Task[CheckResult]], scene: Scene, progress: Progress
) -> CheckResult:
    for task in needed:
        before = await asyncio.shield(task)
        if before.finding.status is Status.FAILED:
            return _ended(check, following(before.id), 0.0, progress)
        if before.finding.follows:
            return _ended(check, before.finding, 0.0, progress)
    began = time.monotonic()
    try:
        async with asyncio.timeout(CHECK_TIMEOUT):
            finding = await check.run(scene)
    except TimeoutError:
        finding = unknown(f"It did not end within {CHECK_TIMEOUT:g} s.")
    except Exception as error:
        log.exception("The check %s failed by itself", check.id)
        finding = unknown(f"The check itself failed ({type(error).__name__}): the log says why.")
    return _ended(check, finding, time.monotonic() - began, progress)


def _ended(check: Check, finding: Finding, seconds: float, progress: Progress) -> CheckResult:
    result = CheckResult(check.id, finding, seconds)
    progress.ended(result)
    return result
