"""The ledger: whose volume this is, what speaks for that, and what to do about it."""

import logging
from contextlib import suppress
from dataclasses import asdict
from typing import Any

from aiohttp import web

from kubia_pet.model.moment import age
from kubia_pet.model.testimony import PEER
from kubia_pet.peers.witnesses import Witnesses
from kubia_pet.store import Ledger, StoreError, Volume
from kubia_pet.web.problem import ProblemError, json_response
from kubia_pet.web.route import Route

log = logging.getLogger(__name__)


class LedgerHandlers:
    """What shows the ledger, what peers are told of it, and what takes the volume as it is."""

    def __init__(self, pod: str, volume: Volume, ledger: Ledger, witnesses: Witnesses) -> None:
        self._pod = pod
        self._volume = volume
        self._ledger = ledger
        self._witnesses = witnesses

    def routes(self) -> list[Route]:
        """Where they are."""
        return [
            Route("GET", "/ledger", self.show, for_peers=True),
            Route("GET", "/ledger/peers/{name}", self.testify, essential=True, for_peers=True),
            Route("POST", "/ledger/adopt", self.adopt, changes=True),
        ]

    async def show(self, _: web.Request) -> web.Response:
        """All that is known of the volume; what it hides while it does not answer is as before."""
        with suppress(StoreError):
            await self._witnesses.look()
        return json_response(self.members())

    async def testify(self, request: web.Request) -> web.Response:
        """What this pod says of its own volume, and remembers of a peer's."""
        testimony = self._witnesses.testimony(request.match_info["name"], is_told=PEER in request.headers)
        if testimony is None:
            raise ProblemError(404, f"Pod {self._pod} has no full name, or no ledger, and can be no witness.")
        return json_response(testimony.as_json())

    async def adopt(self, request: web.Request) -> web.Response:
        """Takes the volume as it is, under a new id; shows what it is then."""
        await self._witnesses.adopt()
        record = self._ledger.state.record
        log.warning("The volume was adopted by %s: its id is %s", request.remote, record and record.volume)
        return json_response(self.members())

    def members(self) -> dict[str, Any]:
        """All of it, for JSON."""
        state, record = self._ledger.state, self._ledger.state.record
        of_now = self.of_now()
        return {
            "pod": self._pod,
            "name": self._witnesses.name,
            "volume": of_now["volume"] | {"fsync": self._volume.fsyncs.members()},
            "start": of_now["start"],
            "commit": state.commit
            and {"start": state.commit.start, "count": state.commit.count, "digest": state.commit.digest},
            "verdict": of_now["verdict"],
            "fault": state.fault,
            "starts": [asdict(start) for start in record.starts] if record else [],
            "witnesses": [
                {"peer": name, **asdict(sighting)} for name, sighting in self._witnesses.sightings.items()
            ],
        }

    def of_now(self) -> dict[str, Any]:
        """The members that say nothing of earlier starts nor of peers: few, for who asks often."""
        record = self._ledger.state.record
        volume = (
            {
                "id": record.volume,
                "parent": next(iter(record.parents), None),
                "created": record.created,
                "age_seconds": age(record.created),
            }
            if record
            else {"id": None, "parent": None, "created": None, "age_seconds": None}
        )
        return {
            "volume": volume | {"mount": asdict(self._volume.mount)},
            "start": asdict(record.start) if record else None,
            "verdict": self._witnesses.verdict().members(),
        }
