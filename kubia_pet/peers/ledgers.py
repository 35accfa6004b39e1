"""The peers' ledgers, each asked for again when its pod says that it has changed."""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Self

from kubia_pet.limits import LEDGER_CONCURRENCY, LEDGER_PATIENCE, LEDGER_PAUSE, MAX_LEDGER_BYTES
from kubia_pet.model.ledger_summary import LedgerSummary, summary_from_json
from kubia_pet.model.peer import Peer
from kubia_pet.peers.connection import FetchError, only_ok
from kubia_pet.peers.pool import ConnectionPool
from kubia_pet.peers.result import PeerResult

log = logging.getLogger(__name__)


class PeerLedgers:
    """Fetches `/ledger`, LEDGER_CONCURRENCY at a time. Use it as an async context manager.

    `timeout` and `connect_timeout` are seconds, of one answer and of one connection.
    """

    def __init__(self, *, timeout: float, connect_timeout: float) -> None:
        self._pool = ConnectionPool(
            timeout=timeout,
            connect_timeout=connect_timeout,
            limit=MAX_LEDGER_BYTES,
            judge=only_ok,
            path="/ledger",
        )
        self._turns = asyncio.Semaphore(LEDGER_CONCURRENCY)
        self._known: dict[str, tuple[str, LedgerSummary | None]] = {}  # by name, of which version
        self._failed: dict[str, float] = {}  # by name, when: by the event loop's clock
        self._asking: dict[str, asyncio.Task[None]] = {}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        for asking in list(self._asking.values()):
            asking.cancel()
        self._pool.close()

    async def of(self, answers: Sequence[PeerResult]) -> Mapping[str, LedgerSummary]:
        """Those of the peers that have one, by their names, as they are according to these answers.

        A ledger that takes longer than LEDGER_PATIENCE is left out, and is there the next time. One that
        could not be had is not asked for again before LEDGER_PAUSE, whatever its pod says.
        """
        versions = {each.peer.name: each.ledger_version for each in answers}
        late = asyncio.get_running_loop().time() - LEDGER_PAUSE
        self._known = {name: known for name, known in self._known.items() if name in versions}
        self._failed = {name: at for name, at in self._failed.items() if name in versions and at > late}
        for answer in answers:
            name, version = answer.peer.name, answer.ledger_version
            if (
                version is None
                or name in self._asking
                or name in self._failed
                or self._is_known(name, version)
            ):
                continue
            self._asking[name] = asyncio.create_task(self._ask(answer.peer, version))
            self._asking[name].add_done_callback(partial(self._asked, name))
        if self._asking:
            await asyncio.wait(list(self._asking.values()), timeout=LEDGER_PATIENCE)
        return {
            name: summary
            for name, (version, summary) in self._known.items()
            if summary is not None and version == versions[name]
        }

    def _asked(self, name: str, _: asyncio.Task[None]) -> None:
        del self._asking[name]

    def _is_known(self, name: str, version: str) -> bool:
        return self._known.get(name, ("", None))[0] == version

    async def _ask(self, peer: Peer, version: str) -> None:
        try:
            async with self._turns:
                summary = summary_from_json((await self._pool.fetch(peer)).body)
        except FetchError as error:
            log.debug("The ledger of %s: %s", peer.name, error)
            self._failed[peer.name] = asyncio.get_running_loop().time()
        else:
            self._known[peer.name] = version, summary
