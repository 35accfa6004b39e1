"""Says what to type and judges what it then sees: for teaching, and where one has no rights."""

import json
from collections.abc import Callable, Sequence
from http import HTTPStatus
from urllib.parse import urlsplit

from kubia_pet.check.life import Life, back, kept, lives
from kubia_pet.check.refusal import stateful_set
from kubia_pet.check.result import CheckResult, Finding, Status, failed, unknown
from kubia_pet.check.runner import Progress, timed
from kubia_pet.client.errors import AskError
from kubia_pet.limits import WATCH_TIMEOUT
from kubia_pet.reach.target import Target

Say = Callable[[str], None]
_CHANGES = {"scale": "scaled", "rollout": "rolled out"}  # what only the StatefulSet itself shows


async def watch(target: Target, kind: str, say: Say, progress: Progress) -> CheckResult:
    """What became of a disruption of this kind, which somebody else does within WATCH_TIMEOUT seconds."""
    return await timed(f"disrupt.{kind}", _watched(target, kind, say), progress)


async def _watched(target: Target, kind: str, say: Say) -> Finding:
    before = await lives(target)
    pods = [pod.name for pod in target.pods]
    if missing := [pod for pod in pods if pod not in before]:
        return unknown(f"{', '.join(missing)} is not ready: there is nothing to watch yet.")
    if kind != "delete" and _is_local(target):
        return unknown("Pods that no cluster runs can only be killed: see --disrupt delete.")
    last = pods[-1]
    generation = await _generation(target) if kind in _CHANGES else None
    say(_instruction(target, kind, before[last].node))
    wanted = pods if kind == "rollout" else [last]
    after, seconds = await back(target, before, wanted, WATCH_TIMEOUT)
    if not after:
        return unknown(f"Nothing of the kind was seen within {WATCH_TIMEOUT:.0f} s.")
    found = kept(before, after, wanted, seconds)
    if found.status is not Status.PASSED:
        return found
    if kind == "move":
        return _moved(last, before[last], after[last], found)
    if kind in _CHANGES:
        return _changed(_CHANGES[kind], generation, await _generation(target), found)
    return found


def _changed(what: str, before: int | None, after: int | None, found: Finding) -> Finding:
    """Pods that are deleted come back, too: only a StatefulSet that was changed was scaled or rolled out."""
    if before is None or after is None:
        return unknown(f"{found.message} Whether it was {what} is not known from here.", *found.evidence)
    if before == after:
        return unknown(f"{found.message} But it was not {what}.", *found.evidence)
    return found


async def _generation(target: Target) -> int | None:
    """How often the StatefulSet was changed; None where that cannot be seen."""
    found = stateful_set(target)
    if found is None or target.api is None:
        return None
    path = f"apis/apps/v1/namespaces/{target.namespace}/statefulsets/{found['metadata']['name']}"
    try:
        answer = await target.api.ask("GET", path)
    except AskError:
        return None
    return int(json.loads(answer.body)["metadata"]["generation"]) if answer.status == HTTPStatus.OK else None


def _moved(pod: str, before: Life, after: Life, found: Finding) -> Finding:
    if before.node is None or after.node is None:
        return unknown(
            f"{pod} came back with all that it had, but on which node is not known.", *found.evidence
        )
    if before.node == after.node:
        return failed("not-moved", f"{pod} is on {after.node} as before.", *found.evidence)
    return found


def _is_local(target: Target) -> bool:
    hosts = {urlsplit(pod.url).hostname or "" for pod in target.pods}
    return target.api is None and all(host == "::1" or host.startswith("127.") for host in hosts)


def _kubectl(target: Target) -> str:
    """The command as it is typed for this set, whatever namespace another terminal is in."""
    service = (target.service or "").split(".")
    namespace = target.namespace or (service[1] if service[2:3] == ["svc"] else None)
    return f"kubectl --namespace {namespace}" if namespace else "kubectl"


def _instruction(target: Target, kind: str, node: str | None) -> str:
    pod = target.pods[-1].name
    typed, meaning = _commands(target, kind, node), ""
    if _is_local(target):
        typed = ("kill -9 NUMBER",)
        meaning = f"where NUMBER is that of the process of {pod}, as kubia-pet local shows it\n"
    lines = "".join(f"\n  {line}" for line in typed)
    return f"Type, in another terminal:\n{lines}\n\n{meaning}Watching {_set(pod)} ..."


def _commands(target: Target, kind: str, node: str | None) -> Sequence[str]:
    pod, pods, kubectl = target.pods[-1].name, len(target.pods), _kubectl(target)
    scale = f"{kubectl} scale statefulset {_set(pod)} --replicas="
    return {
        "delete": (f"{kubectl} delete pod {pod}",),
        "scale": (f"{scale}{pods - 1}", f"{kubectl} wait --for=delete pod/{pod}", f"{scale}{pods}"),
        "rollout": (f"{kubectl} rollout restart statefulset {_set(pod)}",),
        "move": (
            f"kubectl cordon {node or 'NODE'}",
            f"{kubectl} delete pod {pod}",
            f"kubectl uncordon {node or 'NODE'}",
        ),
    }[kind]


def _set(pod: str) -> str:
    return pod.rpartition("-")[0]
