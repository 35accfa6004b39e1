"""`volume.writable`: each pod commits a value."""

import re
from collections.abc import Sequence

from kubia_pet.check.result import Finding, failed, passed, skipped, unknown
from kubia_pet.check.scene import Scene
from kubia_pet.check.trial import Written
from kubia_pet.check.view import code_of, short
from kubia_pet.client.errors import AskError, NotReachedError, NotTriedError, RefusedError
from kubia_pet.reach.target import last_words

_BY_CODE = {  # what a pod says of its volume
    "full": "full",
    "read-only": "read-only",
    "not-permitted": "not-permitted",
    "locked": "shared",
    "slow": "not-writable",
    "unconfirmed": "not-writable",
    "unavailable": "not-writable",
}
_BY_WORDS = {  # what one that cannot start says in its log, in the system's words or its own
    "No space left on device|Disk quota exceeded": "full",
    "Read-only file system": "read-only",
    "Permission denied|Operation not permitted": "not-permitted",
    "is locked by another process": "shared",
}


async def writable(scene: Scene) -> Finding:
    """Whether each pod commits a value: written, fsynced and renamed."""
    if "pods" in scene.target.unseen:
        return skipped(scene.target.unseen["pods"])
    views, parts = await scene.views(), await scene.trial.begin()
    refused = [part for part in parts if part.refusal]
    lines = [f"{part.pod.name} {part.refusal}" for part in refused]
    unready = {view.pod.name: view.not_ready for view in views if view.not_ready and not view.error}
    not_ready = [f"{pod} {error}" for pod, error in unready.items()]
    for part in refused:
        if cause := _cause(part.refusal):
            return failed(cause, f"{part.pod.name} cannot store a value.", *lines)
    for pod, error in unready.items():
        if cause := _cause(error):
            return failed(cause, f"{pod} is not ready.", *not_ready)
    if found := await _in_logs(scene):
        return found
    if not parts:
        return unknown("No pod is known.")
    if refused:
        return _not_tried(refused, lines)
    if unready:
        return unknown(f"{short(unready)} is not ready.", *not_ready)
    return passed(f"Each of {len(parts)} pods has committed a value.")


def _cause(error: AskError | None) -> str | None:
    """What is wrong with the volume; None where the pod does not say that anything is."""
    return _BY_CODE.get(code_of(error) or "")


async def _in_logs(scene: Scene) -> Finding | None:
    """What a pod that does not answer says of its volume at the end of its log, where that can be seen."""
    for view in await scene.views():
        line = await last_words(scene.target, view.pod.name) if view.error else ""
        if not re.search(r"\b(error|critical)\b", line, re.IGNORECASE):
            continue
        for words, cause in _BY_WORDS.items():
            if re.search(words, line):
                name = view.pod.name
                evidence = f"{name} does not answer; its log ends with: {line}"
                return failed(cause, f"{name} cannot start on its volume.", evidence)
    return None


def _not_tried(refused: Sequence[Written], lines: Sequence[str]) -> Finding:
    """Nothing was written there, and why: that says nothing of the volume."""
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
