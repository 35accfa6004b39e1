"""The disruptions: what a StatefulSet must survive, done by kubectl with the user's own rights."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

from kubia_pet.aio.interrupt import to_its_end
from kubia_pet.check.life import Lives, back, kept, lives
from kubia_pet.check.refusal import refusal, stateful_set
from kubia_pet.check.result import CheckResult, Finding, Status, failed, unknown
from kubia_pet.check.runner import Progress, timed
from kubia_pet.check.trial import Trial, Written
from kubia_pet.limits import DISRUPTION_TIMEOUT
from kubia_pet.reach.kubectl import KubectlError, KubectlRefusedError, kubectl
from kubia_pet.reach.target import Target, is_ready

Judged = Callable[["Disruptor"], Awaitable[Finding]]


class Disruptor:
    """Disrupts the set one way after the other, each time with a value of its own on every pod.

    The old values are put back, a cordon that it has put is lifted, and the number of replicas is what it
    was, at every end; `left` says in sentences where that failed.
    """

    def __init__(self, target: Target) -> None:
        self._target = target
        found = stateful_set(target)
        self._set = found["metadata"]["name"] if found else ""
        self._replicas = found["spec"].get("replicas", 1) if found else 0
        self._pods = [pod.name for pod in target.pods]
        self._written: Sequence[Written] = ()
        self.left: list[str] = []

    async def run(self, kind: str, results: Sequence[CheckResult], progress: Progress) -> CheckResult:
        """The result of this one, refused where it could destroy."""
        reason = refusal(self._target, results, kind)
        return await timed(f"disrupt.{kind}", self._tried(kind, reason), progress)

    async def _tried(self, kind: str, reason: str | None) -> Finding:
        if reason:
            return unknown(f"Refused: {reason}.")
        ways: Mapping[str, Judged] = {
            "delete": Disruptor._delete,
            "scale": Disruptor._scale,
            "rollout": Disruptor._roll_out,
            "move": Disruptor._move,
        }
        trial = Trial(self._target.pods, may_remove=self._target.may_remove)
        try:
            self._written = await trial.begin()
            if refused := [each for each in self._written if each.refusal]:
                return unknown(f"{refused[0].pod.name} {refused[0].refusal}: nothing was disrupted.")
            return await ways[kind](self)
        except KubectlError as error:
            return unknown(f"kubectl: {error}")
        finally:
            try:
                await trial.end()
            finally:
                self.left += trial.left

    async def _delete(self) -> Finding:
        return await self._after(
            self._pods[-1:],
            lambda: self._kubectl(*self._own, "delete", "pod", self._pods[-1], "--wait=false"),
        )

    async def _scale(self) -> Finding:
        """One pod less, and as many as before again: no claim is made that would stay."""

        async def down_and_up() -> None:
            fewer = self._replicas - 1
            down, up = self._scaling(self._replicas, fewer), self._scaling(fewer, self._replicas)
            async with self._taken_back(down, up, f"StatefulSet {self._set} may still be a pod short"):
                await self._kubectl(
                    *self._own,
                    *("wait", "--for=delete", f"pod/{self._pods[-1]}"),
                    f"--timeout={DISRUPTION_TIMEOUT:.0f}s",
                )

        return await self._after(self._pods[-1:], down_and_up)

    async def _roll_out(self) -> Finding:
        return await self._after(
            self._pods, lambda: self._kubectl(*self._own, "rollout", "restart", f"statefulset/{self._set}")
        )

    async def _move(self) -> Finding:
        nodes = json.loads(await self._kubectl("get", "nodes", "-o", "json"))["items"]
        free = {node["metadata"]["name"] for node in nodes if _takes_pods(node)}
        before = await lives(self._target)
        pod = next(
            (name for name in reversed(self._pods) if name in before and before[name].node in free), None
        )
        if pod is None or len(free) == 1:
            return unknown("There is no other node that takes pods.")
        node = before[pod].node or ""
        left = f"Node {node} may still be cordoned"
        async with self._taken_back(("cordon", node), ("uncordon", node), left):
            found = await self._after(
                [pod], lambda: self._kubectl(*self._own, "delete", "pod", pod, "--wait=false")
            )
            after = await lives(self._target)
        if found.status is Status.PASSED and after.get(pod, before[pod]).node == node:
            return failed("not-moved", f"{pod} is on {node} as before.", *found.evidence)
        if found.cause == "not-back":
            return failed(
                "not-moved", f"{pod} did not come back on another node than {node}.", *found.evidence
            )
        return found

    @asynccontextmanager
    async def _taken_back(self, do: Sequence[str], undo: Sequence[str], left: str) -> AsyncIterator[None]:
        """Between two commands of kubectl: the second one is given at every end, a Ctrl-C included.

        Unless the first one was refused. Where the second one fails, `left` is said with what to type.
        """

        async def take_back() -> None:
            try:
                await self._kubectl(*undo)
            except KubectlError as error:
                typed = " ".join(("kubectl", *self._target.kubectl, *undo))
                self.left.append(f"{left}, type: {typed} ({error})")

        async with AsyncExitStack() as at_the_end:
            at_the_end.push_async_callback(lambda: to_its_end(take_back()))
            try:
                await to_its_end(self._kubectl(*do))
            except KubectlRefusedError:
                at_the_end.pop_all()
                raise
            yield

    async def _after(self, pods: Sequence[str], act: Callable[[], Awaitable[object]]) -> Finding:
        before: Lives = await lives(self._target)
        if missing := [pod for pod in pods if pod not in before]:
            return unknown(f"{', '.join(missing)} is not ready: nothing was disrupted.")
        began = time.monotonic()
        try:
            await act()
            after, _ = await back(self._target, before, pods, DISRUPTION_TIMEOUT * len(pods))
        except asyncio.CancelledError:
            self.left.append(f"{', '.join(pods)} may not be back yet: the StatefulSet sees to it")
            raise
        return kept(before, after, pods, time.monotonic() - began, self._written)

    def _scaling(self, now: int, replicas: int) -> tuple[str, ...]:
        """The command, which is refused where somebody else has scaled meanwhile."""
        scale = ("scale", f"statefulset/{self._set}")
        return *self._own, *scale, f"--current-replicas={now}", f"--replicas={replicas}"

    @property
    def _own(self) -> tuple[str, str]:
        return "--namespace", self._target.namespace or ""

    async def _kubectl(self, *arguments: str) -> str:
        return await kubectl(*self._target.kubectl, *arguments)


def _takes_pods(node: Mapping[str, Any]) -> bool:
    """Whether the scheduler may choose it."""
    spec = node["spec"]
    keeps_off = any(taint["effect"] in {"NoSchedule", "NoExecute"} for taint in spec.get("taints", ()))
    return is_ready(node) and not keeps_off and not spec.get("unschedulable", False)
