"""What a test needs of the machine: where it is missing the test is skipped, and fails where CI is set."""

import os
import shutil
from pathlib import Path

import pytest

LONG = "KUBIA_PET_TORTURE" in os.environ


def needs(*tools: str, root: bool = False) -> None:
    """Skips the test, or fails it in CI, unless the tools are on the PATH and, if asked for, we are root."""
    missing = [f"{tool} is not installed" for tool in tools if shutil.which(tool) is None]
    if root and os.geteuid() != 0:
        missing.append("only root may do this")
    _require(missing)


def needs_strace() -> None:
    """Skips the test, or fails it in CI, unless strace can attach to a process that the test started."""
    needs("strace")
    scope = Path("/proc/sys/kernel/yama/ptrace_scope")
    if os.geteuid() != 0 and scope.exists() and scope.read_text().strip() != "0":
        _require([f"{scope} lets strace attach to no process that it did not start"])


def _require(missing: list[str]) -> None:
    if missing:
        (pytest.fail if "CI" in os.environ else pytest.skip)("; ".join(missing))
