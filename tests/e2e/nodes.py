"""How a node is cut off and healed: by two commands from the environment, given the node's name."""

import os
import shlex
import subprocess

from tests.e2e.conftest import missing

COMMANDS = ("NODE_CUT", "NODE_HEAL")


def require_commands() -> None:
    """Skips the test, or fails it in CI, where this cluster's nodes cannot be cut off."""
    if not all(os.environ.get(name) for name in COMMANDS):
        missing("NODE_CUT and NODE_HEAL name no commands: see tests/e2e/README.md")


def cut(node: str) -> None:
    """The node runs on, and reaches nobody."""
    _run("NODE_CUT", node)


def heal(node: str) -> None:
    """As if nothing had been."""
    _run("NODE_HEAL", node)


def _run(name: str, node: str) -> None:
    subprocess.run([*shlex.split(os.environ[name]), node], check=True, timeout=60)
