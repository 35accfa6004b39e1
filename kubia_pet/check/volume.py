"""The checks of the volumes: what the ledgers say, and what a write does."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from kubia_pet.check.result import Finding, failed, passed, skipped, unknown, warning
from kubia_pet.check.scene import Scene
from kubia_pet.check.view import PodView, code_of, short
from kubia_pet.config import Settings
from kubia_pet.limits import CHEAPEST_FSYNC, WITNESS_PATIENCE

Ledgers = Mapping[str, Mapping[str, Any]]  # GET /ledger, by the pod's name
_WORST = ("shared", "cloned", "swapped", "not-a-volume", "lost", "rolled-back", "changed-outside")


def _ledgers(views: Sequence[PodView]) -> tuple[Ledgers, str]:
    """The ledgers by pod, and why there are none."""
    found = {view.name: view.ledger for view in views if view.ledger}
    return found, next((view.no_ledger or view.error or "" for view in views), "no pod answers")


async def mounted(scene: Scene) -> Finding:
    """Whether each value is on a volume that outlives the pod."""
    views, objects = await scene.views(), scene.target.objects
    ledgers, reason = _ledgers(views)
    specs = {pod["metadata"]["name"]: pod["spec"] for pod in (objects.pods if objects else ())}
    specs = {pod: spec for pod, spec in specs.items() if pod not in ledgers}  # a ledger has seen its mount
    # Whether what is mounted is a volume depends on where the pod runs, which its ledger knows.
    wrong = [*_verdicts(ledgers, {"not-a-volume"})]
    wrong += [f"{pod} has an emptyDir at {path}" for pod, spec in specs.items() for path in _empty_dirs(spec)]
    if wrong:
        return failed("not-a-volume", "A value is kept where it does not outlive its pod.", *wrong)
    if not ledgers:
        return skipped(reason)
    mounts = {pod: ledger["volume"]["mount"] for pod, ledger in ledgers.items()}
    lines = [
        f"{pod}: {mount['type']} from {mount['source']} at {mount['point']}" for pod, mount in mounts.items()
    ]
    kinds = {mount["kind"] for mount in mounts.values()}
    if kinds == {"unknown"}:
        return unknown("What is mounted cannot be seen on this system.", *lines)
    if "memory" in kinds:
        return warning("not-a-volume", "A value is kept in this machine's memory.", *lines)
    return passed("Each value is on a volume that outlives its pod.", *lines)


def _empty_dirs(spec: Mapping[str, Any]) -> list[str]:
    """Where a container has an emptyDir that holds the data directory, which has its default here."""
    empty = {volume["name"] for volume in spec.get("volumes", ()) if "emptyDir" in volume}
    mounts = [mount for each in spec["containers"] for mount in each.get("volumeMounts", ())]
    return [
        mount["mountPath"]
        for mount in mounts
        if mount["name"] in empty and Settings.data_dir.is_relative_to(mount["mountPath"])
    ]


async def own(scene: Scene) -> Finding:
    """Whether no two pods have one volume."""
    views = await scene.views()
    locked = [f"{view.name}: {view.unready}" for view in views if code_of(view.not_ready) == "locked"]
    if locked:
        return failed("shared", "A pod waits for a volume that another process holds.", *locked)
    ledgers, reason = _ledgers(views)
    if not ledgers:
        return skipped(reason)
    ids = {pod: ledger["volume"]["id"] for pod, ledger in ledgers.items()}
    if len(set(ids.values())) < len(ids):
        ledgers, _ = await _settled(scene)
    pods_of = {each: [pod for pod, volume in ids.items() if volume == each] for each in ids.values()}
    lines = [
        f"volume {volume[:12]} is that of {short(pods)}"
        for volume, pods in pods_of.items()
        if volume and len(pods) > 1
    ]
    if lines:
        told = {ledger["verdict"]["verdict"] for ledger in ledgers.values()}
        cause = "cloned" if "cloned" in told else "shared"
        return failed(cause, "Pods have one volume, or copies of one.", *lines, *_verdicts(ledgers, {cause}))
    if nameless := [pod for pod, each in ids.items() if each is None]:
        return unknown(f"The volume of {short(nameless)} has no ledger that could be read.")
    return passed(
        f"{len(ids)} pods, {len(pods_of)} volumes.", *(f"{pod}: {each[:12]}" for pod, each in ids.items())
    )


async def history(scene: Scene) -> Finding:
    """What the ledgers, and the peers as their witnesses, say of the past."""
    ledgers, reason = await _settled(scene)
    if not ledgers:
        return skipped(reason)
    told = {ledger["verdict"]["verdict"] for ledger in ledgers.values()}
    for cause in _WORST:
        if cause in told:
            lines = _verdicts(ledgers, {cause})
            ledger = next(each for each in ledgers.values() if each["verdict"]["verdict"] == cause)
            say = warning if cause == "changed-outside" else failed
            return say(cause, ledger["verdict"]["message"], *lines, remedy=ledger["verdict"]["remedy"])
    faults = [f"{pod}: {ledger['fault']}" for pod, ledger in ledgers.items() if ledger.get("fault")]
    if faults:
        return warning("ledger-fault", "A ledger cannot be kept.", *faults)
    if "unknown" in told:
        return unknown("A ledger cannot tell.", *_verdicts(ledgers, {"unknown"}))
    survived = {pod: ledger["verdict"].get("survived") or [] for pod, ledger in ledgers.items()}
    lines = [f"{pod} kept its value through: {', '.join(what)}" for pod, what in survived.items() if what]
    return passed("No volume was swapped, emptied, put back, shared or cloned.", *lines)


async def _settled(scene: Scene) -> tuple[Ledgers, str]:
    """The ledgers when those of pods that have just started have asked their peers, too."""
    ledgers, reason = _ledgers(await scene.views())
    deadline = asyncio.get_running_loop().time() + WITNESS_PATIENCE
    while (
        any(ledger["verdict"]["verdict"] == "unknown" for ledger in ledgers.values())
        and asyncio.get_running_loop().time() < deadline
    ):
        await asyncio.sleep(0.5)
        ledgers, reason = _ledgers(await scene.look())
    return ledgers, reason


def _verdicts(ledgers: Ledgers, wanted: set[str]) -> list[str]:
    told = {
        pod: ledger["verdict"] for pod, ledger in ledgers.items() if ledger["verdict"]["verdict"] in wanted
    }
    return [f"{pod}: {line}" for pod, each in told.items() for line in (each["message"], *each["evidence"])]


async def fsync(scene: Scene) -> Finding:
    """Whether an fsync takes as long as one that reaches a disk."""
    await scene.trial.begin()  # so that there are figures
    ledgers, reason = _ledgers(await scene.look())
    figures = {pod: ledger["volume"].get("fsync") or {} for pod, ledger in ledgers.items()}
    medians = {
        pod: each["median_seconds"] for pod, each in figures.items() if each.get("median_seconds") is not None
    }
    if not medians:
        return skipped(reason if not ledgers else "no pod has made an fsync yet")
    lines = [
        f"{pod}: {median * 1e6:.0f} µs, median of {figures[pod]['count']}" for pod, median in medians.items()
    ]
    cheap = [pod for pod, median in medians.items() if median < CHEAPEST_FSYNC]
    if cheap:
        return warning(
            "fsync-too-cheap",
            f"An fsync of {short(cheap)} takes less than {CHEAPEST_FSYNC * 1e6:.0f} µs: no disk is so fast.",
            *lines,
        )
    return passed("An fsync costs what one that reaches a disk does.", *lines)
