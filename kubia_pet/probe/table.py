"""The account for people: live on a terminal, and as a summary at the end."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from kubia_pet.probe.counts import Counts, Snapshot
from kubia_pet.probe.report import Exit, Report

_BAD = ("lost", "stale", "torn", "misdirected")
_COLUMNS = ("acknowledged", *_BAD, "overwritten", "unknown", "refused", "reads")
_VERDICTS = {
    Exit.KEPT: "nothing acknowledged was lost",
    Exit.LOST: "acknowledged values were lost",
    Exit.UNKNOWN: "it cannot be told whether anything was lost",
}


@contextmanager
def live(console: Console) -> Iterator[Callable[[Snapshot], None]]:
    """What to show the account with while it grows; it shows nothing where there is no terminal.

    Nor where the account goes elsewhere: such a command may be in the background of one that is typed in.
    """
    # rich takes FORCE_COLOR for a terminal, which a log has too.
    if not (console.file.isatty() and sys.stdout.isatty()):
        yield lambda _: None
        return
    with Live(console=console, transient=True, auto_refresh=False) as drawn:
        yield lambda snapshot: drawn.update(_table(snapshot), refresh=True)


def write(console: Console, report: Report) -> None:
    """The summary."""
    if not console.is_terminal:
        console.width = 140  # a file is as wide as the table
    console.print(_table(report.account))
    for line in (*(f"{pod} gave no last answer" for pod in report.unverified), *report.notes):
        console.print(f"Note: {line}", markup=False, soft_wrap=True)
    written = f"{report.where}, written through {'each pod' if report.through == 'pods' else 'the service'}"
    console.print(
        f"\n{written} for {report.seconds:.0f} s: {_VERDICTS[report.exit]}.", markup=False, soft_wrap=True
    )


def _table(snapshot: Snapshot) -> Table:
    table = Table(box=None, pad_edge=False, collapse_padding=True, header_style="dim")
    table.add_column("pod", no_wrap=True)
    for name in _COLUMNS:
        table.add_column(name, justify="right", overflow="fold")
    table.add_column("longest without an answer", justify="right", overflow="fold")
    for pod, counts in sorted(snapshot.pods.items(), key=lambda each: (len(each[0]), each[0])):
        table.add_row(Text(pod), *_cells(counts))
    table.add_row("all", *_cells(snapshot.total), style="bold")
    return table


def _cells(counts: Counts) -> list[Text]:
    cells = [
        Text(f"{value:,}", "red" if name in _BAD and value else "")
        for name, value in ((name, getattr(counts, name)) for name in _COLUMNS)
    ]
    return [*cells, Text(f"{counts.longest_without_answer:.2f} s")]
