"""Lines pasted into a shell as one piece, as a reader does it who waits for nothing."""

import os
import re
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).parents[2]


def shell_blocks(document: str = "README.md") -> list[str]:
    """The document's blocks of lines to paste, in their order."""
    return re.findall(r"^```shell\n(.*?)^```$", (ROOT / document).read_text(), re.DOTALL | re.MULTILINE)


def paste(
    lines: str,
    directory: Path,
    *,
    prefix: Sequence[str] = (),
    env: Mapping[str, str] | None = None,
    timeout: float = 60.0,
) -> str:
    """What bash prints on standard output that is given all lines at once, below `prefix`.

    Its standard input is the lines themselves, so that a command that reads it takes those to come.
    """
    done: subprocess.CompletedProcess[str] = subprocess.run(
        [*prefix, "bash", "--noprofile", "--norc"],
        input=lines,
        stdout=subprocess.PIPE,
        text=True,
        check=False,
        cwd=directory,
        env={**os.environ, "LC_ALL": "C.UTF-8", **(env or {})},
        timeout=timeout,
    )
    return done.stdout
