"""Writes a value of the check's own to each pod, and puts the old ones back."""

import asyncio
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus

from kubia_pet.aio.parallel import in_parallel
from kubia_pet.client.errors import AskError, NotTriedError, RefusedError, UnansweredError
from kubia_pet.client.pod import PodClient, Stored
from kubia_pet.limits import ASK_CONCURRENCY, LATE_WRITE_TIME, MAX_KEPT_BYTES
from kubia_pet.reach.restore import put_back


@dataclass(frozen=True)
class Written:
    """One pod's part: the value that it acknowledged, or why there is none."""

    pod: PodClient
    value: bytes
    refusal: AskError | None


class Trial:
    """One for a whole run. `begin` and `end` may be called by several: it is done once."""

    def __init__(self, pods: Sequence[PodClient]) -> None:
        self._pods = pods
        self._mark = f"kubia-pet check {secrets.token_hex(8)}"
        self._kept: dict[PodClient, Stored | None] = {}
        self._size = 0
        self._ended: asyncio.Future[list[str]] | None = None
        self._begun: asyncio.Future[list[Written]] | None = None

    async def begin(self) -> list[Written]:
        """Each pod's part, in the order of the pods."""
        if self._begun is None:
            self._begun = asyncio.ensure_future(in_parallel(self._pods, self._write, limit=ASK_CONCURRENCY))
        return await asyncio.shield(self._begun)

    async def end(self) -> list[str]:
        """Puts back what was there before; a sentence for each pod where that failed.

        A write under way is waited for, as it would take effect afterwards: it ends within ASK_TIMEOUT. One
        whose answer never came may do so still, and is looked for once more.
        """
        if self._ended is None:
            self._ended = asyncio.ensure_future(self._end())
        return await asyncio.shield(self._ended)  # whoever is ended while waiting here

    async def _end(self) -> list[str]:
        written = await self._begun if self._begun else []
        said = await in_parallel(self._kept, self._put_back, limit=ASK_CONCURRENCY)
        late = [part.pod for part in written if isinstance(part.refusal, UnansweredError)]
        if late:
            await asyncio.sleep(LATE_WRITE_TIME)
            said += await in_parallel(late, self._put_back, limit=ASK_CONCURRENCY)
        return list(dict.fromkeys(sentence for sentence in said if sentence))

    async def _put_back(self, pod: PodClient) -> str | None:
        return await put_back(pod, self._kept[pod], is_ours=self._is_ours)

    def _is_ours(self, data: bytes) -> bool:
        return data.startswith(self._mark.encode())

    async def _write(self, pod: PodClient) -> Written:
        value = f"{self._mark} for {pod.name}\n".encode()
        try:
            if self._ended is not None:
                raise NotTriedError("was not written to, as the check was ended")
            before = await pod.data()
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
        return Written(pod, value, None)


async def _require_takes_back(pod: PodClient, value: Stored) -> None:
    try:
        await pod.require_takes_back(value)
    except RefusedError as error:
        if error.status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
            raise NotTriedError("has a value over its --max-value, which could not be put back") from error
        raise
