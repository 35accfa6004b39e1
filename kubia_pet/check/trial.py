"""Writes a value of the check's own to each pod, and puts the old ones back."""

import asyncio
import secrets
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from http import HTTPStatus

from kubia_pet.aio.interrupt import to_its_end
from kubia_pet.aio.parallel import in_parallel
from kubia_pet.client.errors import AskError, NotTriedError, RefusedError, UnansweredError
from kubia_pet.client.pod import PodClient, Stored
from kubia_pet.limits import ASK_CONCURRENCY, ASK_TIMEOUT, LATE_WRITE_TIME, MAX_KEPT_BYTES, RESTORE_TIMEOUT
from kubia_pet.reach.restore import OTHER_RUN, is_a_runs, put_back


@dataclass(frozen=True)
class Written:
    """One pod's part: the value that it acknowledged, or why there is none; and what it had before."""

    pod: PodClient
    value: bytes
    refusal: AskError | None
    before: bytes | None = None

    def has_lost(self, data: bytes | None) -> bool:
        """Whether this is a loss, and not what somebody else has written since."""
        if data == self.value:
            return False
        return data in {None, self.before} or data.startswith(self.value.partition(b" for ")[0])


class Trial:
    """One for a whole run. `begin` and `end` may be called by several: it is done once."""

    def __init__(self, pods: Sequence[PodClient], *, may_remove: bool = True) -> None:
        self._pods = pods
        self._may_remove = may_remove
        self._mark = f"kubia-pet check {secrets.token_hex(8)}"
        self._kept: dict[PodClient, Stored | None] = {}
        self._size = 0
        self._ended: asyncio.Future[None] | None = None
        self._begun: asyncio.Future[list[Written]] | None = None
        self.left: list[str] = []  # what could not be put back, in sentences

    async def begin(self) -> list[Written]:
        """Each pod's part, in the order of the pods."""
        if self._begun is None:
            self._begun = asyncio.ensure_future(in_parallel(self._pods, self._write, limit=ASK_CONCURRENCY))
        return await asyncio.shield(self._begun)

    async def end(self) -> None:
        """Puts back what was there before, to its end; `left` says where that failed.

        A write under way is waited for, as it would take effect afterwards: it ends within 2 ASK_TIMEOUT. One
        whose answer never came may do so still, and is looked for once more. All pods are asked at the same
        time, so that many that are silent take no longer than one.
        """
        if self._ended is None:
            self._ended = asyncio.ensure_future(self._end())
        await to_its_end(self._ended)

    async def _end(self) -> None:
        written = await self._begun if self._begun else []
        said = await self._put_back(self._kept, RESTORE_TIMEOUT)
        unanswered = {part.pod for part in written if isinstance(part.refusal, UnansweredError)}
        late = self._kept.keys() & unanswered  # others were not even read
        if late:
            await asyncio.sleep(LATE_WRITE_TIME)
            said |= await self._put_back(late, ASK_TIMEOUT)
        self.left = [sentence for sentence in said.values() if sentence]

    async def _put_back(self, pods: Collection[PodClient], patience: float) -> dict[PodClient, str | None]:
        all_of_them = [
            put_back(pod, self._kept[pod], is_ours=self._is_ours, patience=patience) for pod in pods
        ]
        return dict(zip(pods, await asyncio.gather(*all_of_them), strict=True))

    def _is_ours(self, data: bytes) -> bool:
        return data.startswith(self._mark.encode())

    async def _write(self, pod: PodClient) -> Written:
        value = f"{self._mark} for {pod.name}\n".encode()
        try:
            if self._ended is not None:
                raise NotTriedError("was not written to, as the check was ended")
            before = await pod.data()
            if before and is_a_runs(before.data):
                raise NotTriedError(OTHER_RUN)
            if before is None and not self._may_remove:
                raise NotTriedError("has no value, and these rights do not suffice to remove one again")
            self._size += len(before.data) if before else 0
            if self._size > MAX_KEPT_BYTES:
                raise NotTriedError(f"has one of values that are more than {MAX_KEPT_BYTES} bytes together")
            if before and not before.etag:
                raise NotTriedError("gives no ETag by which its value could be put back")
            if before:
                await _require_takes_back(pod, before)
            self._kept[pod] = before
            await pod.write(value, instead_of=before)
        except AskError as error:
            return Written(pod, value, error)
        return Written(pod, value, None, before.data if before else None)


async def _require_takes_back(pod: PodClient, value: Stored) -> None:
    try:
        await pod.require_takes_back(value)
    except RefusedError as error:
        if error.status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
            raise NotTriedError("has a value over its --max-value, which could not be put back") from error
        raise
