"""Ends a child process."""

import asyncio
import contextlib


async def ended(process: asyncio.subprocess.Process, grace: float) -> None:
    """SIGTERM, and SIGKILL where that does not end it within `grace` seconds; returns after its end."""
    if process.returncode is not None:
        return
    with contextlib.suppress(ProcessLookupError):
        process.terminate()
        try:
            await asyncio.wait_for(process.wait(), grace)
        except TimeoutError:
            process.kill()
    await process.wait()
