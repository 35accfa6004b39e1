"""The end of a probe: every pod has the value again that is its own."""

import contextlib
import random
from collections.abc import Sequence
from functools import partial

from kubia_pet.aio.parallel import in_parallel
from kubia_pet.client.errors import AskError
from kubia_pet.client.overview import values
from kubia_pet.client.pod import PodClient, Stored
from kubia_pet.limits import ASK_CONCURRENCY, RESTORE_TIMEOUT
from kubia_pet.probe.kept import Kept
from kubia_pet.probe.numbered import Kind, sighting
from kubia_pet.reach.restore import put_back, replace
from kubia_pet.reach.target import Target

_OURS = {Kind.OURS, Kind.TORN}
_CONNECTIONS = 20  # tried, for each pod, to reach all of them through a Service


async def restored(target: Target, kept: Kept, run: str, written: Sequence[str]) -> list[str]:
    """Puts the values back; a sentence for each pod where that failed. `written` are the pods in question."""
    pods = [pod for pod in target.apart if pod.name in kept]
    notes = await in_parallel(pods, partial(_restore, kept, run), limit=ASK_CONCURRENCY)
    others = set(written) - {pod.name for pod in target.apart}
    return [note for note in notes if note] + await _through_the_service(target, kept, run, others)


async def _restore(kept: Kept, run: str, pod: PodClient) -> str | None:
    data = kept.get(pod.name)
    before = None if data is None else Stored(data, "")
    return await put_back(
        pod, before, is_ours=lambda now: sighting(now, run).kind in _OURS, patience=RESTORE_TIMEOUT
    )


async def _through_the_service(target: Target, kept: Kept, run: str, left: set[str]) -> list[str]:
    """Connects anew until each of these pods was hit.

    Each request may go to another pod. Whose the value is that was given is what everybody's list says, and
    that it is still there, the condition of what is written, makes that reach this very pod.
    """
    whose: dict[bytes, str] = {}
    met: dict[str, Stored] = {}
    for _ in range(_CONNECTIONS * (len(left) + 1)):
        if target.connect is None or not left:
            break
        async with target.connect() as pod:
            with contextlib.suppress(AskError):
                for name, data in values(await pod.overview()).items():
                    if data is not None and sighting(data, run).kind in _OURS:
                        whose[data] = name
                    else:
                        left.discard(name)
                # In step with a round robin it would meet the same pods again and again.
                for _ in range(random.randint(1, 3)):  # noqa: S311 - no secret
                    now = await pod.data()
                    if now and (name := whose.get(now.data, "")) in kept:
                        met[name] = now
            for name, now in tuple(met.items()):
                with contextlib.suppress(AskError):
                    await replace(pod, now, kept.get(name))
                    left.discard(name)
                    del met[name]
    return [f"{name} may still have this program's value: it was not reached again." for name in sorted(left)]
