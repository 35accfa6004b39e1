"""How a node is cut off and healed: by two commands from the environment, given the node's name."""

import os
import shlex
import shutil
import subprocess
from pathlib import Path

from tests.e2e.conftest import missing

COMMANDS = ("NODE_CUT", "NODE_HEAL")


def require_commands() -> None:
    """Skips the test, or fails it in CI, where this cluster's nodes cannot be cut off."""
    if not all(os.environ.get(name) for name in COMMANDS):
        missing("NODE_CUT and NODE_HEAL name no commands: see tests/e2e/README.md")


def commands() -> dict[str, str]:
    """The two as they are found from any directory."""
    found = {name: shlex.split(os.environ[name]) for name in COMMANDS if os.environ.get(name)}
    return {
        name: shlex.join([str(Path(shutil.which(first) or first).absolute()), *rest])
        for name, (first, *rest) in found.items()
    }


class Cables:
    """The nodes' connections: what was cut off is healed at the end, whatever happens."""

    def __init__(self) -> None:
        self._cut: set[str] = set()

    def cut(self, node: str) -> None:
        """The node runs on, and reaches nobody."""
        self._cut.add(node)
        _run("NODE_CUT", node)

    def heal(self, node: str) -> None:
        """As if nothing had been."""
        _run("NODE_HEAL", node)
        self._cut.remove(node)

    def heal_all(self) -> None:
        for node in list(self._cut):
            self.heal(node)


def _run(name: str, node: str) -> None:
    subprocess.run([*shlex.split(commands()[name]), node], check=True, timeout=60)
