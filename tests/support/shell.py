"""A shell that a document's commands are typed into."""

import os
import re
import secrets
import selectors
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Self


class Shell:
    """One bash for a whole document: what is set in one command, or started with &, is there for the next."""

    def __init__(self, directory: Path, env: dict[str, str]) -> None:
        self._directory = directory
        self._env = os.environ | env

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            ["bash", "--noprofile", "--norc"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            cwd=self._directory,
            env=self._env,
            start_new_session=True,
        )
        return self

    def __exit__(self, *_: object) -> None:
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.communicate()

    def run(
        self, command: str, timeout: float, *, shows: Callable[[str], bool] | None = None
    ) -> tuple[str, int]:
        """What the command prints, errors included, and its exit status.

        With `shows` it is waited for until that holds for what was printed, as what a command in the
        background prints can come later than the next prompt.
        """
        assert self._process.stdin is not None
        mark = secrets.token_hex(8)
        # On lines of its own between braces, as a shell takes it; and it must not read the commands to come.
        self._process.stdin.write(f'{{\n{command}\n}} </dev/null\necho "{mark} $?"\n'.encode())
        self._process.stdin.flush()
        printed = ""
        deadline = time.monotonic() + timeout
        while True:
            printed += self._read(deadline, command)
            if found := re.search(rf"{mark} (\d+)\n", printed):
                output = printed[: found.start()] + printed[found.end() :]
                if shows is None or shows(output):
                    return output, int(found[1])

    def _read(self, deadline: float, command: str) -> str:
        assert self._process.stdout is not None
        with selectors.DefaultSelector() as selector:
            selector.register(self._process.stdout, selectors.EVENT_READ)
            if not selector.select(deadline - time.monotonic()):
                raise AssertionError(f"in its time this did not end, or not print what it should: {command}")
        piece = os.read(self._process.stdout.fileno(), 65536)
        assert piece, f"the shell itself ended: {command}"
        return piece.decode()
