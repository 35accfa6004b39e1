"""The labs in docs/labs: which of them need a cluster, and what all of them need."""

import os
import sys
from pathlib import Path

from tests.support.console import sections

ROOT = Path(__file__).parents[2]
LABS = sorted((ROOT / "docs" / "labs").glob("[0-9]*.md"))


def needs_cluster(lab: Path) -> bool:
    """Whether a command of it is kubectl's."""
    steps = [step for section in sections(lab.read_text()) for step in section.steps]
    return any(step.command.startswith("kubectl") for step in steps)


def make_desk(directory: Path) -> dict[str, str]:
    """Puts the command where a clone has it, and gives the environment of a learner's shell in there."""
    command = directory / ".venv" / "bin" / "kubia-pet"
    command.parent.mkdir(parents=True)
    command.write_text(f'#!/bin/sh\nexec {sys.executable} -m kubia_pet "$@"\n')
    command.chmod(0o755)
    (directory / ".curlrc").write_text("silent\nshow-error\n")  # no progress meter, as on a terminal
    path = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    return {"CURL_HOME": str(directory), "LC_ALL": "C.UTF-8", "PYTHONPATH": path}
