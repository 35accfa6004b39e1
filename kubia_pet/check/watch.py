"""Says what to type and judges what it then sees: for teaching, and where one has no rights."""

from collections.abc import Callable, Sequence

from kubia_pet.check.life import Life, back, kept, lives
from kubia_pet.check.result import CheckResult, Finding, Status, failed, unknown
from kubia_pet.check.runner import Progress, timed
from kubia_pet.limits import WATCH_TIMEOUT
from kubia_pet.reach.target import Target

Say = Callable[[str], None]


async def watch(target: Target, kind: str, say: Say, progress: Progress) -> CheckResult:
    """What became of a disruption of this kind, which somebody else does within WATCH_TIMEOUT seconds."""
    return await timed(f"disrupt.{kind}", _watched(target, kind, say), progress)


async def _watched(target: Target, kind: str, say: Say) -> Finding:
    before = await lives(target)
    pods = [pod.name for pod in target.pods]
    if missing := [pod for pod in pods if pod not in before]:
        return unknown(f"{', '.join(missing)} is not ready: there is nothing to watch yet.")
    last = pods[-1]
    say(_instruction(_kubectl(target), kind, last, len(pods), before[last].node))
    wanted = pods if kind == "rollout" else [last]
    after, seconds = await back(target, before, wanted, WATCH_TIMEOUT)
    if not after:
        return unknown(f"Nothing of the kind was seen within {WATCH_TIMEOUT:.0f} s.")
    found = kept(before, after, wanted, seconds)
    if kind == "move" and found.status is Status.PASSED:
        return _moved(last, before[last], after[last], found)
    return found


def _moved(pod: str, before: Life, after: Life, found: Finding) -> Finding:
    if before.node is None or after.node is None:
        return unknown(
            f"{pod} came back with all that it had, but on which node is not known.", *found.evidence
        )
    if before.node == after.node:
        return failed("not-moved", f"{pod} is on {after.node} as before.", *found.evidence)
    return found


def _kubectl(target: Target) -> str:
    """The command as it is typed for this set, whatever namespace another terminal is in."""
    service = (target.service or "").split(".")
    namespace = target.namespace or (service[1] if service[2:3] == ["svc"] else None)
    return f"kubectl --namespace {namespace}" if namespace else "kubectl"


def _instruction(kubectl: str, kind: str, pod: str, pods: int, node: str | None) -> str:
    name = pod.rpartition("-")[0]
    scale = f"{kubectl} scale statefulset {name} --replicas="
    typed: Sequence[str] = {
        "delete": (f"{kubectl} delete pod {pod}",),
        "scale": (f"{scale}{pods - 1}", f"{scale}{pods}"),
        "rollout": (f"{kubectl} rollout restart statefulset {name}",),
        "move": (
            f"kubectl cordon {node or 'NODE'}",
            f"{kubectl} delete pod {pod}",
            f"kubectl uncordon {node or 'NODE'}",
        ),
    }[kind]
    lines = "".join(f"\n  {line}" for line in typed)
    local = f"\nor, where the set is a local one, kill the process of {pod}" if kind == "delete" else ""
    return f"Type, in another terminal:\n{lines}\n{local}\nWatching {name} ..."
