"""The checks of the volumes: what the ledgers say, and what a write does."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from kubia_pet.check.result import Finding, failed, passed, skipped, unknown, warning
from kubia_pet.check.scene import Scene
from kubia_pet.check.trial import NotTriedError, Written
from kubia_pet.check.view import PodView, short
from kubia_pet.client.pod import NotReachedError, RefusedError
from kubia_pet.limits import CHEAPEST_FSYNC
from kubia_pet.reach.target import last_words

_NO_VOLUME = {"container": "in the container's own file system", "memory": "in memory"}
_WORST = ("shared", "cloned", "swapped", "not-a-volume", "lost", "rolled-back", "changed-outside")


def _ledgers(views: Sequence[PodView]) -> tuple[dict[str, Mapping[str, Any]], str]:
    """The ledgers by pod, and why there are none."""
    found = {view.name: view.ledger for view in views if view.ledger}
    return found, next((view.no_ledger or view.error or "" for view in views), "no pod answers")


async def mounted(scene: Scene) -> Finding:
    """Whether each value is on a volume that outlives the pod."""
    views, objects = await scene.views(), scene.target.objects
    specs = {pod["metadata"]["name"]: pod["spec"] for pod in (objects.pods if objects else ())}
    ledgers, reason = _ledgers(views)
    mounts = {pod: ledger["volume"]["mount"] for pod, ledger in ledgers.items()}
    wrong = [
        f"{pod} keeps its value {_NO_VOLUME[mount['kind']]}"
        for pod, mount in mounts.items()
        if mount["kind"] in _NO_VOLUME
    ]
    wrong += [
        f"{view.name}: {view.ledger['verdict']['message']}"
        for view in views
        if view.ledger
        and view.ledger["verdict"]["verdict"] == "not-a-volume"
        and view.name not in " ".join(wrong)
    ]
    wrong += [f"{pod} has an emptyDir at {path}" for pod, spec in specs.items() for path in _empty_dirs(spec)]
    if wrong:
        return failed("not-a-volume", "A value is kept where it does not outlive its pod.", *wrong)
    if not mounts:
        return skipped(reason)
    lines = [
        f"{pod}: {mount['type']} from {mount['source']} at {mount['point']}" for pod, mount in mounts.items()
    ]
    if all(mount["kind"] == "unknown" for mount in mounts.values()):
        return unknown("What is mounted cannot be seen on this system.", *lines)
    return passed("Each value is on a volume of its pod.", *lines)


def _empty_dirs(spec: Mapping[str, Any]) -> list[str]:
    """Where the first container has an emptyDir that the pet could keep its value in."""
    empty = {volume["name"] for volume in spec.get("volumes", ()) if "emptyDir" in volume}
    mounts = spec["containers"][0].get("volumeMounts", ())
    return [mount["mountPath"] for mount in mounts if mount["name"] in empty and mount["mountPath"] != "/tmp"]  # noqa: S108


async def own(scene: Scene) -> Finding:
    """Whether no two pods have one volume."""
    views = await scene.views()
    locked = [f"{view.name}: {view.unready}" for view in views if view.unready and "locked" in view.unready]
    if locked:
        return failed("shared", "A pod waits for a volume that another process holds.", *locked)
    ledgers, reason = _ledgers(views)
    if not ledgers:
        return skipped(reason)
    ids = {pod: ledger["volume"]["id"] for pod, ledger in ledgers.items()}
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
    return passed(
        f"{len(ids)} pods, {len(pods_of)} volumes.",
        *(f"{pod}: {each[:12]}" for pod, each in ids.items() if each),
    )


async def history(scene: Scene) -> Finding:
    """What the ledgers, and the peers as their witnesses, say of the past."""
    ledgers, reason = _ledgers(await scene.views())
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
    if told == {"unknown"}:
        return unknown("The ledgers cannot tell.", *_verdicts(ledgers, told))
    survived = {pod: ledger["verdict"].get("survived") or [] for pod, ledger in ledgers.items()}
    lines = [f"{pod} kept its value through: {', '.join(what)}" for pod, what in survived.items() if what]
    return passed("No volume was swapped, emptied, put back, shared or cloned.", *lines)


def _verdicts(ledgers: Mapping[str, Mapping[str, Any]], wanted: set[str]) -> list[str]:
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


async def writable(scene: Scene) -> Finding:
    """Whether each pod commits a value: written, fsynced and renamed."""
    views, parts = await scene.views(), await scene.trial.begin()
    unready = {view.pod.name: view.unready for view in views if view.unready and not view.error}
    silent = {view.pod.name: await last_words(scene.target, view.pod.name) for view in views if view.error}
    told = {pod: f"does not answer; its log ends with: {words}" for pod, words in silent.items() if words}
    refused = [part for part in parts if part.refusal]
    for part in refused:
        if isinstance(part.refusal, RefusedError) and part.refusal.status in (507, 503, 500):
            return _refusal(part, [f"{each.pod.name} {each.refusal}" for each in refused])
    for pod, words in told.items():
        if (cause := _cause(words)) != "not-writable":
            return failed(cause, f"{pod} cannot start on its volume.", f"{pod} {words}")
    if unready:
        cause = _cause(next(iter(unready.values())))
        return failed(
            cause, f"{short(set(unready))} is not ready.", *(f"{pod} {why}" for pod, why in unready.items())
        )
    if not parts:
        return unknown(scene.target.unseen.get("pods", "No pod is known."))
    if refused:
        return _not_tried(refused)
    return passed(f"Each of {len(parts)} pods has committed a value.")


def _refusal(part: Written, lines: Sequence[str]) -> Finding:
    full = isinstance(part.refusal, RefusedError) and part.refusal.status == 507  # noqa: PLR2004
    cause = "full" if full else _cause(str(part.refusal))
    return failed(cause, f"{part.pod.name} cannot store a value.", *lines)


def _cause(sentence: str) -> str:
    for cause, words in {
        "full": "no space|full",
        "read-only": "read-only",
        "not-permitted": "permi|not writable",
        "shared": "locked",
    }.items():
        if re.search(words, sentence, re.IGNORECASE):
            return cause
    return "not-writable"


def _not_tried(refused: Sequence[Written]) -> Finding:
    """Nothing was written there, and why: that says nothing of the volume."""
    lines = [f"{part.pod.name} {part.refusal}" for part in refused]
    statuses = {part.refusal.status for part in refused if isinstance(part.refusal, RefusedError)}
    if 401 in statuses:  # noqa: PLR2004
        return skipped("Writing needs a token: give its file with --token-file.")
    if 405 in statuses:  # noqa: PLR2004
        return skipped(
            "This version of kubia-pet takes no conditional writes: values could not be put back safely."
        )
    if all(isinstance(part.refusal, NotTriedError) for part in refused):
        return skipped(lines[0])
    if all(isinstance(part.refusal, NotReachedError) for part in refused):
        return unknown(f"{short([part.pod.name for part in refused])} cannot be reached.", *lines)
    return unknown("Whether a value was stored is not known.", *lines)
