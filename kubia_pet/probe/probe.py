"""A probe from its first look to the old values put back."""

import asyncio
import contextlib
import secrets
import time
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime
from typing import Any

from kubia_pet.aio.parallel import in_parallel
from kubia_pet.client.errors import AskError
from kubia_pet.client.overview import values
from kubia_pet.client.pod import PodClient
from kubia_pet.limits import ASK_CONCURRENCY, RESTORE_TIMEOUT
from kubia_pet.probe.account import Account
from kubia_pet.probe.counts import Snapshot
from kubia_pet.probe.kept import Kept, OtherRunError
from kubia_pet.probe.report import Report
from kubia_pet.probe.restored import restored
from kubia_pet.probe.traffic import Traffic
from kubia_pet.reach.target import Target
from kubia_pet.reach.way import UnreachableError

_TICK = 0.25  # seconds between two snapshots of the account


class Probe:
    """Writes through each of the target's pods, or through its public service."""

    def __init__(self, target: Target, through: str) -> None:
        self._service_only = "pods" in target.unseen
        self._through = "public" if self._service_only else through
        if self._through == "public" and target.connect is None:
            reason = target.unseen.get("public", "none is known")
            raise UnreachableError(f"There is no public service to write through: {reason}.")
        if not target.pods:
            raise UnreachableError(f"No pod is known: {target.unseen['pods']}.")
        self._target = target
        self._run = secrets.token_hex(8)
        self._account = Account()
        self._kept = Kept(self._run)
        self._traffic = Traffic(self._run, self._account, self._kept, pods=len(target.pods))
        self._notes: list[str] = []

    async def run(
        self, stop: asyncio.Event, seconds: float | None, watch: Callable[[Snapshot], None]
    ) -> Report:
        """Runs until `stop` is set, or for so many seconds; `watch` is given the account now and then.

        Raises UnreachableError where nothing may be written. Whatever happens, old values are put back.
        """
        began, at = time.monotonic(), datetime.now(UTC)
        try:
            await self._remember()
            await self._until(stop, seconds, watch)
            self._account.end()
            unverified = await self._last_look()
            snapshot = self._account.snapshot()
        except* UnreachableError as errors:
            raise errors.exceptions[0] from None
        finally:
            self._notes += await restored(self._target, self._kept, self._run, self._account.pods)
        return Report(
            where=self._target.where,
            through=self._through,
            began=at.isoformat(timespec="seconds"),
            seconds=time.monotonic() - began,
            account=snapshot,
            unverified=tuple(unverified),
            notes=tuple(self._notes),
        )

    async def _remember(self) -> None:
        """What is there before anything is written."""
        try:
            if self._service_only:
                for name, data in values(await self._target.pods[0].overview()).items():
                    self._kept.remember(name, data)
            else:
                await in_parallel(self._target.pods, self._first_look, limit=ASK_CONCURRENCY)
        except OtherRunError as error:
            raise UnreachableError(f"{error.pod} {error}.") from error
        except AskError as error:
            raise UnreachableError(f"{self._target.where} {error}.") from error
        seen = [pod.name for pod in self._target.pods if pod.name in self._kept]
        empty = [name for name in seen if self._kept.get(name) is None]
        if empty and not self._target.may_remove:
            raise UnreachableError(f"{empty[0]} has no value, and these rights do not suffice to remove one.")

    async def _first_look(self, pod: PodClient) -> None:
        try:
            await self._traffic.look(pod)
        except OtherRunError:
            raise
        except AskError:
            return  # it may answer later

    async def _try_look(self, pod: PodClient) -> bool:
        try:
            await self._traffic.look(pod)
        except AskError:
            return False
        return True

    async def _until(
        self, stop: asyncio.Event, seconds: float | None, watch: Callable[[Snapshot], None]
    ) -> None:
        async with asyncio.TaskGroup() as group:
            for each in self._flows():
                group.create_task(each)
            watching = group.create_task(self._watch(watch))
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await stop.wait()
            self._traffic.stopped.set()
            watching.cancel()

    def _flows(self) -> list[Coroutine[Any, Any, None]]:
        """Everything that writes and reads."""
        traffic, target = self._traffic, self._target
        flows = [traffic.read_list(pod) for pod in target.pods]
        if not self._service_only:
            flows += [traffic.read(pod) for pod in target.pods]
        if self._through == "public" and target.connect:
            flows += [traffic.write_through(target.connect), traffic.read_through(target.connect)]
        else:
            flows += [traffic.write(pod) for pod in target.pods]
        return flows

    async def _watch(self, watch: Callable[[Snapshot], None]) -> None:
        while True:
            watch(self._account.snapshot())
            await asyncio.sleep(_TICK)

    async def _last_look(self) -> list[str]:
        """Judges each pod once more; those that do not answer, so that the last word on them is missing."""
        waited_for = asyncio.get_running_loop().time() + RESTORE_TIMEOUT

        async def look(pod: PodClient) -> str | None:
            while not await self._try_look(pod):
                if asyncio.get_running_loop().time() > waited_for:
                    return pod.name
                await asyncio.sleep(_TICK)
            return None

        pods = self._target.apart
        left = [name for name in await in_parallel(pods, look, limit=max(1, len(pods))) if name]
        others = set(self._account.pods) - {pod.name for pod in pods}
        while self._target.connect and others and asyncio.get_running_loop().time() < waited_for:
            async with self._target.connect() as any_pod:
                with contextlib.suppress(AskError):
                    others -= await self._traffic.look_through(any_pod, others)
            await asyncio.sleep(_TICK if others else 0)
        return sorted([*left, *others])
