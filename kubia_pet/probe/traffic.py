"""The probe's writes and reads, and what the account is told of each."""

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Iterator
from contextlib import AbstractAsyncContextManager
from itertools import count

from kubia_pet.client.errors import AskError, OtherValueError, RefusedError, UnansweredError
from kubia_pet.client.overview import values
from kubia_pet.client.pod import PodClient, Stored
from kubia_pet.limits import PROBE_FULL_SPEED, PROBE_LIST_PAUSE, PROBE_PAUSE
from kubia_pet.probe.account import Account
from kubia_pet.probe.kept import Kept
from kubia_pet.probe.numbered import Kind, numbered, sighting
from kubia_pet.reach.way import UnreachableError

_HOPELESS = {
    401: "Writing needs a token: give its file with --token-file.",
    403: "Writing is forbidden here: with kubectl it takes the right to update pods/proxy.",
    413: "A pod has a value over its --max-value, which could not be put back.",
    405: "This version of kubia-pet takes no conditional writes: values could not be put back safely.",
}


class Traffic:
    """Everything that one run sends. Each flow goes on until `stopped` is set, and ends what it has begun."""

    def __init__(self, run: str, account: Account, kept: Kept, *, pods: int) -> None:
        self.stopped = asyncio.Event()
        self._run = run
        self._account = account
        self._kept = kept
        self._slowed = max(1.0, pods / PROBE_FULL_SPEED)
        self._numbers: Iterator[int] = count(1)

    async def write(self, pod: PodClient) -> None:
        """Writes to this pod."""
        async for _ in self._turns(PROBE_PAUSE):
            await self._look_and_write(pod, pod.name)

    async def write_through(self, connect: Callable[[], AbstractAsyncContextManager[PodClient]]) -> None:
        """Writes through a Service: each time to whichever pod the connection leads to."""
        async for _ in self._turns(PROBE_PAUSE / self._slowed):
            async with connect() as connected:
                await self._look_and_write(connected, "")

    async def read(self, pod: PodClient) -> None:
        """Reads the pod's own value."""
        register = self._account.register(pod.name)
        async for _ in self._turns(PROBE_PAUSE):
            floor = register.floor
            try:
                stored = await pod.data()
            except AskError:
                register.refused()
                continue
            self._account.answered()
            register.answered()
            register.read(sighting(stored.data if stored else None, self._run), floor=floor, by=pod.name)

    async def read_list(self, pod: PodClient) -> None:
        """Reads everybody's value from this pod, or through a Service."""
        async for _ in self._turns(PROBE_LIST_PAUSE):
            floors = {name: self._account.register(name).floor for name in self._account.pods}
            try:
                overview = await pod.overview()
                seen_values, by = values(overview), str(overview.get("pod", ""))
            except AskError:
                (self._account.register(pod.name) if pod.name in floors else self._account).refused()
                continue
            self._account.answered()
            for name, data in seen_values.items():
                if name in floors:
                    seen = sighting(data, self._run)
                    self._account.register(name).read(seen, floor=floors[name], by=by)

    async def read_through(self, connect: Callable[[], AbstractAsyncContextManager[PodClient]]) -> None:
        """Reads everybody's value through a Service, over a connection that is kept."""
        async with connect() as connected:
            await self.read_list(connected)

    async def look(self, pod: PodClient) -> Stored | None:
        """The pod's value, judged while nothing of ours is under way. Raises AskError."""
        before = await pod.data()
        self._looked(pod.name, before.data if before else None)
        return before

    async def look_through(self, pod: PodClient, wanted: Collection[str]) -> set[str]:
        """The same for those of the `wanted` pods whose value this one knows, any of them: their names."""
        found = {name: data for name, data in values(await pod.overview()).items() if name in wanted}
        for name, data in found.items():
            self._looked(name, data)
        return set(found)

    async def _look_and_write(self, pod: PodClient, name: str) -> None:
        account = self._account.register(name) if name else self._account
        try:
            before = await self.look(pod) if name else await pod.data()
        except AskError:
            account.refused()
            return
        if not name and before and self._kept.is_another_runs(before.data):  # whose, is not known
            account.refused()
            return
        number = next(self._numbers)
        try:
            if before and sighting(before.data, self._run).kind is Kind.FOREIGN:
                await pod.require_takes_back(before)
            by = await pod.write(numbered(self._run, number, name), instead_of=before)
        except OtherValueError:  # somebody, or a write of which nothing was heard, came first: look again
            return
        except UnansweredError:
            account.unknown()
            return
        except AskError as error:
            account.refused()
            reason = _HOPELESS.get(error.status) if isinstance(error, RefusedError) else None
            if reason and not self._account.has_acknowledged:  # later it may be an API server that starts
                raise UnreachableError(reason) from error
            return
        self._account.answered()
        if not name:  # the condition held: what was seen was this pod's
            self._looked(by, before.data if before else None)
        self._account.register(by or name).acknowledged(number, meant_for=name)

    def _looked(self, pod: str, data: bytes | None) -> None:
        as_before = self._kept.remember(pod, data)
        self._account.answered()
        self._account.register(pod).looked(sighting(data, self._run), as_before=as_before)

    async def _turns(self, pause: float) -> AsyncIterator[None]:
        """Turns with a pause before each, until it is stopped."""
        while not self.stopped.is_set():
            yield
            try:
                async with asyncio.timeout(pause * self._slowed):
                    await self.stopped.wait()
            except TimeoutError:
                continue
