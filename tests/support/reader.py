"""One who follows a document: types its commands in their order, and compares what they print."""

import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.support.console import Section, Step
from tests.support.shell import Shell

PATIENCE = 150.0  # seconds for one command, or for one that is run again to print what it should


@dataclass
class Reader:
    """Follows `document` in a shell, with ports and directories of their own.

    `typed` maps what the document has to what is typed in its place, `printed` what is printed to what
    the document has in its place. Where a section fails, those after it are not tried.
    """

    shell: Shell
    document: Path
    typed: Mapping[str, str] = field(default_factory=dict)
    printed: Mapping[str, str] = field(default_factory=dict)
    stuck_at: str = ""

    def follow(self, section: Section) -> None:
        """Does all of a section's steps."""
        if self.stuck_at:
            pytest.fail(f"not reached: the reader is stuck at {self.stuck_at!r}", pytrace=False)
        self.stuck_at = section.heading
        for step in section.steps:
            self._do(step)
        self.stuck_at = ""

    def _do(self, step: Step) -> None:
        deadline = time.monotonic() + PATIENCE
        output, status = self._type(step)
        while step.again and not step.printed_by(output) and time.monotonic() < deadline:
            time.sleep(1)
            output, status = self._type(step)
        where = f"{self.document.name}:{step.line}"
        assert step.printed_by(output), (
            f"{where}: $ {step.command}\n--- should print\n{step.output}\n--- printed\n{output}"
        )
        assert (status != 0) == step.fails, f"{where}: exit status {status}"

    def _type(self, step: Step) -> tuple[str, int]:
        def shows(printed: str) -> bool:
            return step.printed_by(_replaced(printed, self.printed))

        command = _replaced(step.command, self.typed)
        printed, status = self.shell.run(command, PATIENCE, shows=shows if step.in_background else None)
        return _replaced(printed, self.printed), status


def _replaced(text: str, pairs: Mapping[str, str]) -> str:
    """Each in its place, in one go: what was put in is not replaced again."""
    if not pairs:
        return text
    return re.sub("|".join(map(re.escape, pairs)), lambda found: pairs[found[0]], text)
