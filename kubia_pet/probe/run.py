"""One run of the command: reaches the set, lets the probe run, reports."""

import asyncio

from rich.console import Console

from kubia_pet.aio.interrupt import interruptible
from kubia_pet.probe.counts import Snapshot
from kubia_pet.probe.metrics_port import metrics_port
from kubia_pet.probe.probe import Probe
from kubia_pet.probe.report import Exit, as_json
from kubia_pet.probe.table import live, write
from kubia_pet.reach.ending import emit
from kubia_pet.reach.way import UnreachableError, Way, WrongUseError
from kubia_pet.reach.ways import reach


async def run_probe(way: Way, *, through: str, seconds: float | None, output: str, port: int | None) -> int:
    """The exit status. The summary goes to standard output, all else to standard error."""
    console, errors = Console(highlight=False), Console(stderr=True, highlight=False)
    stop = asyncio.Event()
    with interruptible(stop.set, lambda said: errors.print(said, markup=False)):
        try:
            async with reach(way) as target:
                probe = Probe(target, through)
                with metrics_port(port) as publish, live(console if output == "table" else errors) as draw:

                    def watch(snapshot: Snapshot) -> None:
                        publish(snapshot)
                        draw(snapshot)

                    report = await probe.run(stop, seconds, watch)
        except UnreachableError as error:
            errors.print(f"Error: {error}", markup=False, soft_wrap=True)
            return Exit.USAGE if isinstance(error, WrongUseError) else Exit.UNKNOWN
    if output == "json":
        emit(as_json(report))
    else:
        with console.capture() as printed:
            write(console, report)
        emit(printed.get())
    return report.exit
