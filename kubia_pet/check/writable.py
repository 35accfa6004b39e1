"""`volume.writable`: each pod commits a value."""

import re
from collections.abc import Sequence

from kubia_pet.check.result import Finding, failed, passed, skipped, unknown
from kubia_pet.check.scene import Scene
from kubia_pet.check.trial import Written
from kubia_pet.check.view import short
from kubia_pet.client.errors import NotReachedError, NotTriedError, RefusedError
from kubia_pet.reach.target import last_words


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
