"""One run of the command: reaches the set, checks it, reports."""

import asyncio
import sys

from rich.console import Console

from kubia_pet.aio.interrupt import interruptible
from kubia_pet.check.checks import checks
from kubia_pet.check.report_json import as_json
from kubia_pet.check.report_junit import as_junit
from kubia_pet.check.report_table import progress, write
from kubia_pet.check.result import Exit
from kubia_pet.check.runner import run
from kubia_pet.check.scene import Scene
from kubia_pet.reach import UnreachableError, Way, reach


async def run_checks(way: Way, output: str) -> int:
    """The exit status. The report goes to standard output, all else to standard error."""
    console, errors = Console(highlight=False), Console(stderr=True, highlight=False)
    task = asyncio.current_task()
    assert task is not None  # noqa: S101 - a coroutine runs in one
    with interruptible(task.cancel, lambda said: errors.print(said, markup=False)) as interruption:
        try:
            async with reach(way) as target:
                scene = Scene(target)
                wanted = checks(target)
                with progress(console if output == "table" else errors, [each.id for each in wanted]) as told:
                    try:
                        report = await run(wanted, scene, told)
                    except asyncio.CancelledError:
                        for note in scene.notes():
                            errors.print(note, markup=False, soft_wrap=True)
                        raise
        except UnreachableError as error:
            errors.print(f"Error: {error}", markup=False, soft_wrap=True)
            return Exit.UNKNOWN if way.url or way.namespace else Exit.USAGE
        except asyncio.CancelledError:
            errors.print("Interrupted: everything is as it was, but for what is said above.", markup=False)
            return 128 + (interruption.number or 0)
    match output:
        case "json":
            sys.stdout.write(as_json(report))
        case "junit":
            sys.stdout.write(as_junit(report))
        case _:
            write(console, report)
    return report.exit
