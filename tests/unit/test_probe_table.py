"""The probe's table: where it is drawn while it grows, and what a narrow terminal shows of it."""

import io

import pytest
from rich.console import Console

from kubia_pet.probe.counts import Counts, Snapshot
from kubia_pet.probe.table import live

COUNTS = Counts(acknowledged=1234, reads=5678)
ACCOUNT = Snapshot({"kubia-0": COUNTS}, Counts(), COUNTS)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def drawn(width: int = 130) -> str:
    """What the terminal that standard error is shows of an account."""
    terminal = Terminal()
    with live(Console(file=terminal, force_terminal=True, width=width, no_color=True)) as draw:
        draw(ACCOUNT)
    return terminal.getvalue()


def test_the_table_is_drawn_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdout", Terminal())
    assert "acknowledged" in drawn()


def test_nothing_is_drawn_where_the_account_goes_to_a_file(monkeypatch: pytest.MonkeyPatch) -> None:
    """It may be in the background: the terminal is then somebody's who types the next command."""
    monkeypatch.setattr("sys.stdout", io.StringIO())
    assert drawn() == ""


def test_at_80_columns_no_name_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdout", Terminal())
    assert "…" not in drawn(80)
