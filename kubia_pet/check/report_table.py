"""The report for people: a table that fills while the checks run, then what is wrong and the way out."""

import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from rich.console import Console
from rich.live import Live
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from kubia_pet.check.result import CheckResult, Report, Status
from kubia_pet.check.runner import Progress

_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")
_COLOURS = {
    Status.PASSED: "green",
    Status.FAILED: "bold red",
    Status.WARNING: "yellow",
    Status.SKIPPED: "dim",
    Status.UNKNOWN: "magenta",
}


class LiveTable(Progress):
    """The table of a run under way, on a terminal."""

    def __init__(self, checks: Sequence[str], live: Live) -> None:
        super().__init__()
        self._checks = checks
        self._live = live
        self._spinner = Spinner("dots")

    def ended(self, result: CheckResult) -> None:
        """Shows its result."""
        super().ended(result)
        self.show()

    def show(self) -> None:
        """Draws the table as it is now."""
        table = _table()
        found = {result.id: result for result in self.results}
        for check in self._checks:
            if result := found.get(check):
                table.add_row(*_cells(result))
            else:
                table.add_row(check, self._spinner, "")
        self._live.update(table)


@contextmanager
def progress(console: Console, checks: Sequence[str]) -> Iterator[Progress]:
    """What to tell how the run goes: drawn on a terminal, nothing elsewhere.

    Nor where the report goes elsewhere: such a command may be in the background of one that is typed in.
    """
    # rich takes FORCE_COLOR for a terminal, which a log has too.
    if not (console.file.isatty() and sys.stdout.isatty()):
        yield Progress()
        return
    with Live(console=console, transient=True) as live:
        table = LiveTable(checks, live)
        table.show()
        yield table


def write(console: Console, report: Report) -> None:
    """The whole report."""
    table = _table()
    for result in report.results:
        table.add_row(*_cells(result))
        if not console.is_terminal:  # lines that can be searched: no folding, no padding
            check, status, message = _cells(result)
            console.print(f"{check.plain:<17}{status.plain:<9}{message.plain}", markup=False, soft_wrap=True)
    if console.is_terminal:
        console.print(table)
    for result in report.results:
        if result.finding.status in {Status.FAILED, Status.WARNING, Status.UNKNOWN}:
            _explain(console, result)
    for note in report.notes:
        console.print(f"Note: {_plain(note)}", markup=False, highlight=False, soft_wrap=True)
    console.print()
    console.print(_conclusion(report), soft_wrap=True)


def _table() -> Table:
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    return table


def _cells(result: CheckResult) -> tuple[Text, Text, Text]:
    finding = result.finding
    cause = f"{finding.cause}: " if finding.cause else ""
    message = Text(_plain(cause + finding.message))
    return Text(result.id), Text(finding.status, _COLOURS[finding.status]), message


def _explain(console: Console, result: CheckResult) -> None:
    finding = result.finding
    lines = [Text(f"\n{result.id} {finding.status}", _COLOURS[finding.status])]
    lines[0].append(f" {finding.cause}" if finding.cause else "")
    lines += [Text(f"  {_plain(line)}") for line in (finding.message, *finding.evidence)]
    lines += [Text(f"  What to do: {finding.remedy}")] if finding.remedy else []
    for line in lines:
        console.print(line, soft_wrap=True)


def _plain(text: str) -> str:
    """Without what would tell the terminal something, or cannot be encoded: strangers answer, too."""
    return _CONTROL.sub("\N{REPLACEMENT CHARACTER}", text)


def _conclusion(report: Report) -> Text:
    counts = {status: sum(each.finding.status is status for each in report.results) for status in Status}
    told = ", ".join(f"{count} {status}" for status, count in counts.items() if count)
    first = f" Begin with {report.first.id}: the others may follow from it." if report.first else ""
    return Text(f"{report.where}: {told}, in {report.seconds:.1f} s.{first}")
