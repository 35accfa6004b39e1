"""One run of the command: reaches the set, checks it, disrupts it where that is wanted, reports."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from rich.console import Console

from kubia_pet.aio.interrupt import interruptible
from kubia_pet.check.checks import checks
from kubia_pet.check.disrupt import Disruptor
from kubia_pet.check.report_json import as_json
from kubia_pet.check.report_junit import as_junit
from kubia_pet.check.report_table import progress, write
from kubia_pet.check.result import Exit, Report
from kubia_pet.check.runner import Progress, run
from kubia_pet.check.scene import Scene
from kubia_pet.check.watch import watch
from kubia_pet.reach.ending import emit
from kubia_pet.reach.target import Target
from kubia_pet.reach.way import UnreachableError, Way, WrongUseError
from kubia_pet.reach.ways import reach

Say = Callable[[str], None]


@dataclass(frozen=True)
class Wanted:
    """What is to be done: the form of the report, kinds of disruptions, whether somebody else does them."""

    output: str
    disruptions: tuple[str, ...] = ()
    watching: bool = False

    def ids(self, target: Target) -> list[str]:
        """Of all results that the report will have."""
        own = [] if self.watching else [each.id for each in checks(target)]
        return own + [f"disrupt.{kind}" for kind in self.disruptions]


async def run_checks(way: Way, wanted: Wanted) -> int:
    """The exit status. The report goes to standard output, all else to standard error."""
    console, errors = Console(highlight=False), Console(stderr=True, highlight=False)
    task = asyncio.current_task()
    assert task is not None  # noqa: S101 - a coroutine runs in one

    def say(sentence: str) -> None:
        errors.print(sentence, markup=False, soft_wrap=True)

    with interruptible(task.cancel, say) as interruption:
        try:
            async with reach(way) as target:
                with progress(errors, wanted.ids(target)) as told:  # the one by which is said what to type
                    report = await _report(target, wanted, told, say)
        except UnreachableError as error:
            say(f"Error: {error}")
            return Exit.USAGE if isinstance(error, WrongUseError) else Exit.UNKNOWN
        except asyncio.CancelledError:
            say(
                "Interrupted: nothing was changed by this command."
                if wanted.watching
                else "Interrupted: everything is as it was, but for what is said above."
            )
            return 128 + (interruption.number or 0)
    match wanted.output:
        case "json":
            emit(as_json(report))
        case "junit":
            emit(as_junit(report))
        case _:
            with console.capture() as printed:
                write(console, report)
            emit(printed.get())
    return report.exit


async def _report(target: Target, wanted: Wanted, told: Progress, say: Say) -> Report:
    """All results; where it is interrupted, those so far and what could not be put back are said."""
    scene, disruptor = Scene(target), Disruptor(target)
    at = datetime.now(UTC).isoformat(timespec="seconds")
    try:
        if wanted.watching:
            for kind in wanted.disruptions:
                await watch(target, kind, say, told)
            found = tuple(told.results)
            return Report(target.where, at, sum(each.seconds for each in found), found)
        report = await run(checks(target), scene, told)
        results = list(report.results)
        for kind in wanted.disruptions:
            results.append(await disruptor.run(kind, results, told))
    except asyncio.CancelledError:
        for each in told.results:
            say(f"{each.id} {each.finding.status} {each.finding.message}")
        for note in (*scene.notes(), *disruptor.left):
            say(note)
        raise
    seconds = report.seconds + sum(each.seconds for each in results[len(report.results) :])
    return replace(report, results=tuple(results), seconds=seconds, notes=(*report.notes, *disruptor.left))
