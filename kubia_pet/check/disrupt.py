"""The disruptions: what a StatefulSet must survive, done by kubectl with the user's own rights."""

import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

from kubia_pet.check.life import Lives, back, kept, lives
from kubia_pet.check.refusal import refusal, stateful_set
from kubia_pet.check.result import CheckResult, Finding, Status, failed, unknown
from kubia_pet.check.runner import Progress
from kubia_pet.check.trial import Trial
from kubia_pet.limits import DISRUPTION_TIMEOUT
from kubia_pet.reach.kubectl import KubectlError, kubectl
from kubia_pet.reach.target import Target

Judged = Callable[["Disruptor"], Awaitable[Finding]]


class Disruptor:
    """Disrupts the set one way after the other, each time with a value of its own on every pod.

    The old values are put back, and a cordon that it has put is lifted, at every end.
    """

    def __init__(self, target: Target) -> None:
        self._target = target
        found = stateful_set(target)
        self._set = found["metadata"]["name"] if found else ""
        self._replicas = found["spec"].get("replicas", 1) if found else 0
        self._pods = [pod.name for pod in target.pods]
        self.left: list[str] = []  # what could not be put back, in sentences

    async def run(self, kind: str, results: Sequence[CheckResult], progress: Progress) -> CheckResult:
        """The result of this one, refused where it could destroy."""
        check, began = f"disrupt.{kind}", time.monotonic()
        progress.began(check)
        reason = refusal(self._target, results, kind)
        finding = unknown(f"Refused: {reason}.") if reason else await self._tried(kind)
        result = CheckResult(check, finding, time.monotonic() - began)
        progress.ended(result)
        return result

    async def _tried(self, kind: str) -> Finding:
        ways: Mapping[str, Judged] = {
            "delete": Disruptor._delete,
            "scale": Disruptor._scale,
            "rollout": Disruptor._roll_out,
            "move": Disruptor._move,
        }
        trial = Trial(self._target.pods)
        try:
            if refused := [each for each in await trial.begin() if each.refusal]:
                return unknown(f"{refused[0].pod.name} {refused[0].refusal}: nothing was disrupted.")
            return await ways[kind](self)
        except KubectlError as error:
            return unknown(f"kubectl: {error}")
        finally:
            self.left += await trial.end()

    async def _delete(self) -> Finding:
        return await self._after(
            self._pods[-1:], lambda: self._kubectl("delete", "pod", self._pods[-1], "--wait=false")
        )

    async def _scale(self) -> Finding:
        """One pod less, and as many as before again: no claim is made that would stay."""

        async def down_and_up() -> None:
            try:
                await self._scale_to(self._replicas - 1)
                await self._kubectl(
                    "wait", "--for=delete", f"pod/{self._pods[-1]}", f"--timeout={DISRUPTION_TIMEOUT:.0f}s"
                )
            finally:
                await self._scale_to(self._replicas)

        return await self._after(self._pods[-1:], down_and_up)

    async def _roll_out(self) -> Finding:
        return await self._after(
            self._pods, lambda: self._kubectl("rollout", "restart", f"statefulset/{self._set}")
        )

    async def _move(self) -> Finding:
        nodes = json.loads(await kubectl("get", "nodes", "-o", "json"))["items"]
        free = {node["metadata"]["name"] for node in nodes if _takes_pods(node)}
        before = await lives(self._target)
        pod = next(
            (name for name in reversed(self._pods) if name in before and before[name].node in free), None
        )
        if pod is None or len(free) == 1:
            return unknown("There is no other node that takes pods.")
        node = before[pod].node or ""
        async with self._cordoned(node):
            found = await self._after([pod], lambda: self._kubectl("delete", "pod", pod, "--wait=false"))
            after = await lives(self._target)
        if found.status is Status.PASSED and after.get(pod, before[pod]).node == node:
            return failed("not-moved", f"{pod} is on {node} as before.", *found.evidence)
        if found.cause == "not-back":
            return failed(
                "not-moved", f"{pod} did not come back on another node than {node}.", *found.evidence
            )
        return found

    @asynccontextmanager
    async def _cordoned(self, node: str) -> AsyncIterator[None]:
        """The node takes no new pods; it does again at every end, a Ctrl-C included."""
        try:
            await kubectl("cordon", node)
            yield
        finally:
            try:
                await kubectl("uncordon", node)
            except KubectlError as error:
                self.left.append(f"Node {node} is still cordoned, type: kubectl uncordon {node} ({error})")

    async def _after(self, pods: Sequence[str], act: Callable[[], Awaitable[object]]) -> Finding:
        before: Lives = await lives(self._target)
        if missing := [pod for pod in pods if pod not in before]:
            return unknown(f"{', '.join(missing)} is not ready: nothing was disrupted.")
        began = time.monotonic()
        await act()
        after = await back(self._target, before, pods, DISRUPTION_TIMEOUT * len(pods))
        return kept(before, after, pods, time.monotonic() - began)

    async def _scale_to(self, replicas: int) -> None:
        await self._kubectl("scale", f"statefulset/{self._set}", f"--replicas={replicas}")

    async def _kubectl(self, *arguments: str) -> None:
        await kubectl("--namespace", self._target.namespace or "", *arguments)


def _takes_pods(node: Mapping[str, Any]) -> bool:
    """Whether the scheduler may choose it."""
    spec, conditions = node["spec"], node["status"].get("conditions", ())
    keeps_off = any(taint["effect"] in {"NoSchedule", "NoExecute"} for taint in spec.get("taints", ()))
    ready = any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)
    return ready and not keeps_off and not spec.get("unschedulable", False)
