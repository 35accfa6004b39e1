"""The labs in docs/labs, and which of them need a cluster."""

from pathlib import Path

from tests.support.console import sections

LABS = sorted((Path(__file__).parents[2] / "docs" / "labs").glob("[0-9]*.md"))


def needs_cluster(lab: Path) -> bool:
    """Whether a command of it is kubectl's."""
    steps = [step for section in sections(lab.read_text()) for step in section.steps]
    return any(step.command.startswith("kubectl") for step in steps)
