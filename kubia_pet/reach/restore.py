"""Puts a pod's old value back, never over somebody else's."""

import asyncio
from collections.abc import Callable

from kubia_pet.client.errors import AskError, OtherValueError, RefusedError
from kubia_pet.client.pod import PodClient, Stored
from kubia_pet.reach.hopeless import HOPELESS

OTHER_RUN = (
    "has the value of another check or probe: let that one end first; where it was killed, store the pod's "
    "own value again, or remove this one (DELETE /data)"
)
_PAUSE = 0.25  # seconds until a pod that does not answer is asked again


def is_a_runs(data: bytes) -> bool:
    """Whether a check or a probe has written this: it is nobody's own, and never what is to be put back."""
    return data.startswith((b"kubia-pet check ", b"kubia-pet probe "))


async def put_back(
    pod: PodClient, kept: Stored | None, *, is_ours: Callable[[bytes], bool], patience: float
) -> str | None:
    """Replaces our value by what was there before, nothing included; None where that is done.

    Another value than ours stays. A pod that does not answer is asked for `patience` seconds, then a
    sentence says what is still there.
    """
    said: AskError | None = None
    try:
        async with asyncio.timeout(patience):
            while True:
                try:
                    return await _once(pod, kept, is_ours)
                except OtherValueError:  # changed since we looked: look again
                    continue
                except AskError as error:
                    said = error
                    # A pod that is away for a moment is the API server's 400, 404 or 429.
                    if isinstance(error, RefusedError) and error.status in HOPELESS:
                        break
                await asyncio.sleep(_PAUSE)
    except TimeoutError:
        pass
    return (
        f"{pod.name} may still have this program's value instead of its own: it {said or 'gave no answer'}."
    )


async def _once(pod: PodClient, kept: Stored | None, is_ours: Callable[[bytes], bool]) -> str | None:
    now = await pod.data()
    if now is None or not is_ours(now.data):
        return None
    await replace(pod, now, kept.data if kept else None)
    return None


async def replace(pod: PodClient, now: Stored, kept: bytes | None) -> None:
    """Puts `kept`, nothing included, in the place of `now`, where that is still there. Raises AskError."""
    if kept is None:
        await pod.remove(instead_of=now)
    else:
        await pod.write(kept, instead_of=now)
