"""Who changed the value, as lines of the log: a bounded number of them, however many changes there are."""

import asyncio
import logging

from kubia_pet.limits import LOG_FLUSH_TIME, MAX_CHANGES_LOGGED, OFFLOAD_BYTES
from kubia_pet.model.value import Value

log = logging.getLogger(__name__)
_INTERVAL = 1.0  # seconds


class ChangeLog:
    """One line for each change, MAX_CHANGES_LOGGED a second at most; those beyond are summed up in one."""

    def __init__(self) -> None:
        self._said = 0  # in this second
        self._unsaid = 0
        self._unsaid_bytes = 0
        self._last_client = ""
        self._ending: asyncio.TimerHandle | None = None  # of this second
        self._saying: set[asyncio.Future[None]] = set()  # lines whose ETag takes its time

    def done(self, client: str | None, method: str, data: bytes | None, change: asyncio.Future[None]) -> None:
        """`change` has ended, which was asked for by a client of this address; `data` as in `changed`.

        Where the client did not wait for it, it may have been made.
        """
        if change.cancelled():
            self.changed(f"{client}, which did not wait for the answer", method, data)
        elif change.exception() is None:
            self.changed(client, method, data)

    def changed(self, client: str | None, method: str, data: bytes | None) -> None:
        """`client` (its address) stored `data`, None: removed the value, and it is durable."""
        if self._ending is None:
            self._ending = asyncio.get_running_loop().call_later(_INTERVAL, self.flush)
        if self._said < MAX_CHANGES_LOGGED:
            self._said += 1
            if data is not None and len(data) > OFFLOAD_BYTES:
                saying = asyncio.get_running_loop().run_in_executor(None, _say, client, method, data)
                self._saying.add(saying)
                saying.add_done_callback(self._saying.discard)
            else:
                _say(client, method, data)
        else:
            self._unsaid += 1
            self._unsaid_bytes += len(data or b"")
            self._last_client = client or "?"

    def flush(self) -> None:
        """Ends this second: says what was not said."""
        if self._ending is not None:
            self._ending.cancel()
            self._ending = None
        if self._unsaid:
            log.info(
                "%d more changes within a second, %d bytes, the last by %s",
                self._unsaid, self._unsaid_bytes, self._last_client,
            )  # fmt: skip
        self._said = self._unsaid = self._unsaid_bytes = 0

    async def end(self, _: object) -> None:
        """Leaves nothing unsaid where the application ends."""
        if self._saying:
            await asyncio.wait(self._saying, timeout=LOG_FLUSH_TIME)
        self.flush()


def _say(client: str | None, method: str, data: bytes | None) -> None:
    what = "the value is gone" if data is None else f'{len(data)} bytes, ETag "{Value(data).etag}"'
    log.info("%s by %s: %s", method, client or "?", what)
