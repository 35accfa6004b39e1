"""`durable`: what was written to each pod is read back exactly, from every pod."""

from collections.abc import Mapping
from typing import Any

from kubia_pet.aio.parallel import in_parallel
from kubia_pet.check.cluster import overviews
from kubia_pet.check.result import Finding, failed, passed, skipped, unknown
from kubia_pet.check.scene import Scene
from kubia_pet.check.trial import Written
from kubia_pet.check.view import short
from kubia_pet.client.errors import AskError
from kubia_pet.client.overview import values
from kubia_pet.limits import ASK_CONCURRENCY


async def durable(scene: Scene) -> Finding:
    """Reads the trial's values at their pods, then in everybody's list, and puts the old ones back."""
    try:
        written = [part for part in await scene.trial.begin() if part.refusal is None]
        if not written:
            return skipped("No value could be written: see volume.writable.")
        others: set[str] = set()  # pods to which somebody else wrote: their values prove nothing
        seen = [each for each in await in_parallel(written, _own, limit=ASK_CONCURRENCY) if each]
        if wrong := [line for pod, line in seen if line]:
            return failed("not-durable", "A pod does not give the value that it acknowledged.", *wrong)
        others |= {pod for pod, _ in seen}
        wanted = {part.pod.name: part for part in written if part.pod.name not in others}
        lists = await overviews(scene.target.pods, lambda overview: _told(overview, wanted))
        seen = [each for told in lists.values() for each in told]
        if wrong := [line for _, line in seen if line]:
            return failed("misdirected", "A pod tells another value of a peer than that has.", *wrong)
        others |= {pod for pod, _ in seen}
        meanwhile = f"{short(others)} was written to by somebody else meanwhile" if others else ""
        if kept := len(written) - len(others):
            read = f"{kept} values were read back exactly, each in {len(lists)} lists"
            return passed(f"{read}; {meanwhile}." if others else f"{read}.")
        return unknown(f"{meanwhile}.")
    finally:
        await scene.restore()


Seen = tuple[str, str | None]  # the pod whose value is another one than ours, and how that is a loss


async def _own(part: Written) -> Seen | None:
    name = part.pod.name
    try:
        stored = await part.pod.data()
    except AskError as error:
        return name, f"{name} {error}"
    data = stored.data if stored else None
    if data == part.value:
        return None
    return name, f"{name} has {_shown(data)} instead of {_shown(part.value)}" if part.has_lost(data) else None


def _told(overview: Mapping[str, Any], wanted: Mapping[str, Written]) -> list[Seen]:
    """What a pod says of its peers that is not so; an error is no value: that is cluster.view's to tell."""
    by = overview["pod"]
    return [
        (
            name,
            f"{by} says that {name} has {_shown(data)} instead of {_shown(wanted[name].value)}"
            if wanted[name].has_lost(data)
            else None,
        )
        for name, data in values(overview).items()
        if name in wanted and data != wanted[name].value
    ]


def _shown(data: bytes | None) -> str:
    return "no value" if data is None else repr(data[:60].decode(errors="replace"))
