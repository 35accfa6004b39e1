"""Which disruptions could destroy something, or prove nothing."""

from collections.abc import Mapping, Sequence
from typing import Any

from kubia_pet.check.result import CheckResult, Status
from kubia_pet.reach.target import Target


def refusal(target: Target, results: Sequence[CheckResult], kind: str) -> str | None:
    """Why this disruption could destroy something, or cannot be judged; None where it may be done."""
    wrong = [each.id for each in results if each.finding.status is Status.FAILED]
    if any(each.startswith("volume.") for each in wrong):
        return f"a volume is not as it must be ({', '.join(wrong)}), so that values could be destroyed"
    if wrong:
        return f"the set is not well ({', '.join(wrong)})"
    found = stateful_set(target)
    if found is None:
        return "the StatefulSet of these pods cannot be seen"
    spec = found["spec"]
    if not spec.get("volumeClaimTemplates"):
        return "the StatefulSet has no volumeClaimTemplates: what its pods keep may go with them"
    if kind == "scale" and spec.get("persistentVolumeClaimRetentionPolicy", {}).get("whenScaled") == "Delete":
        return "whenScaled is Delete: scaling down would destroy a volume"
    if kind == "rollout" and spec.get("updateStrategy", {}).get("type") == "OnDelete":
        return "the update strategy is OnDelete: nothing would be rolled out"
    return None


def stateful_set(target: Target) -> Mapping[str, Any] | None:
    """The one that owns the pods."""
    if target.objects is None:
        return None
    owners = {
        owner["name"]
        for pod in target.objects.pods
        for owner in pod["metadata"].get("ownerReferences", ())
        if owner["kind"] == "StatefulSet"
    }
    sets = [each for each in target.objects.stateful_sets or () if each["metadata"]["name"] in owners]
    return sets[0] if len(sets) == 1 else None
