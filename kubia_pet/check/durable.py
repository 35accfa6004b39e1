"""`durable`: what was written to each pod is read back exactly, from every pod."""

from collections.abc import Mapping
from typing import Any

from kubia_pet.aio.parallel import in_parallel
from kubia_pet.check.cluster import overviews
from kubia_pet.check.result import Finding, failed, passed, skipped
from kubia_pet.check.scene import Scene
from kubia_pet.check.trial import Written
from kubia_pet.client.errors import AskError
from kubia_pet.client.overview import values
from kubia_pet.limits import ASK_CONCURRENCY


async def durable(scene: Scene) -> Finding:
    """Reads the trial's values at their pods, then in everybody's list, and puts the old ones back."""
    try:
        written = [part for part in await scene.trial.begin() if part.refusal is None]
        if not written:
            return skipped("No value could be written: see volume.writable.")
        wrong = [line for line in await in_parallel(written, _own, limit=ASK_CONCURRENCY) if line]
        if wrong:
            return failed("not-durable", "A pod does not give the value that it acknowledged.", *wrong)
        found = await overviews(scene.target.pods)
        wanted = {part.pod.name: part.value for part in written}
        told = [line for by, overview in found.items() for line in _told(by, overview, wanted)]
        if told:
            return failed("misdirected", "A pod tells another value of a peer than that has.", *told)
        return passed(f"{len(written)} values were read back exactly, each in {len(found)} lists.")
    finally:
        await scene.restore()


async def _own(part: Written) -> str | None:
    try:
        stored = await part.pod.data()
    except AskError as error:
        return f"{part.pod.name} {error}"
    if stored and stored.data == part.value:
        return None
    return f"{part.pod.name} has {_shown(stored.data if stored else None)} instead of {_shown(part.value)}"


def _told(by: str, overview: Mapping[str, Any], wanted: Mapping[str, bytes]) -> list[str]:
    """What `by` says of its peers that is not so; an error is no value: that is cluster.view's to tell."""
    return [
        f"{by} says that {name} has {_shown(data)} instead of {_shown(wanted[name])}"
        for name, data in values(overview).items()
        if name in wanted and data != wanted[name]
    ]


def _shown(data: bytes | None) -> str:
    return "no value" if data is None else repr(data[:60].decode(errors="replace"))
