"""The event loop that the product uses: uvloop where it is installed."""

import asyncio
from collections.abc import Coroutine
from typing import TypeVar

T = TypeVar("T")


def run(coroutine: Coroutine[None, None, T]) -> T:
    """Runs it to its end."""
    try:
        import uvloop  # noqa: PLC0415 - an extra of the product
    except ImportError:
        return asyncio.run(coroutine)
    return uvloop.run(coroutine)
