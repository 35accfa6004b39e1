"""The end of a probe: every pod has the value again that is its own."""

import contextlib
from collections.abc import Sequence
from functools import partial

from kubia_pet.aio.parallel import in_parallel
from kubia_pet.client.errors import AskError
from kubia_pet.client.pod import PodClient, Stored
from kubia_pet.limits import ASK_CONCURRENCY, RESTORE_TIMEOUT
from kubia_pet.probe.kept import Kept
from kubia_pet.probe.numbered import Kind, sighting
from kubia_pet.reach.restore import put_back
from kubia_pet.reach.target import Target

_CONNECTIONS = 20  # tried, for each pod, to reach all of them through a Service


async def restored(target: Target, kept: Kept, run: str, written: Sequence[str]) -> list[str]:
    """Puts the values back; a sentence for each pod where that failed. `written` are the pods in question."""
    if "pods" not in target.unseen:
        pods = [pod for pod in target.pods if pod.name in kept]
        notes = await in_parallel(pods, partial(_restore, kept, run), limit=ASK_CONCURRENCY)
        return [note for note in notes if note]
    return await _through_the_service(target, kept, run, set(written))


async def _restore(kept: Kept, run: str, pod: PodClient) -> str | None:
    data = kept.get(pod.name)
    before = None if data is None else Stored(data, "")
    ours = {Kind.OURS, Kind.TORN}
    return await put_back(
        pod, before, is_ours=lambda now: sighting(now, run).kind in ours, patience=RESTORE_TIMEOUT
    )


async def _through_the_service(target: Target, kept: Kept, run: str, left: set[str]) -> list[str]:
    """Connects anew until each pod was hit."""
    notes: list[str] = []
    for _ in range(_CONNECTIONS * len(left)):
        if not left or target.connect is None:
            break
        async with target.connect() as pod:
            with contextlib.suppress(AskError):
                pod.name = str((await pod.peers())["pod"])
                if pod.name in left:
                    note = await _restore(kept, run, pod)
                    notes += [note] if note else []
                    left.discard(pod.name)
    return notes + [f"{name} may still have this program's value: it was not reached again." for name in left]
