"""How a command ends: with its report on standard output, and with a status that is its verdict."""

import asyncio
import logging
import os
import sys
from collections.abc import Coroutine
from typing import Any, NoReturn

log = logging.getLogger(__name__)
_CANNOT_TELL, _INTERRUPTED = 3, 130


def conclude(work: Coroutine[Any, Any, int]) -> NoReturn:
    """Runs the command and exits with what it returns; an error that nobody foresaw is no verdict."""
    try:
        status = asyncio.run(work)
    except KeyboardInterrupt:  # before it could handle that itself
        status = _INTERRUPTED
    except Exception:
        log.exception("The program itself failed")
        status = _CANNOT_TELL
    sys.exit(status)


def emit(text: str) -> None:
    """Writes to standard output. Whoever reads no more of it changes nothing about the verdict."""
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # what Python flushes at its end
