"""The state that watchers are told: small, whatever the peers hold, and equal where nothing has changed."""

import asyncio
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from kubia_pet.limits import MAX_EVENT_BYTES, OFFLOAD_BYTES
from kubia_pet.model.diagnostic import ErrorCode
from kubia_pet.model.fault import DESCRIPTIONS, Faults
from kubia_pet.model.ledger_summary import LedgerSummary, summary_of
from kubia_pet.model.peer import Peer
from kubia_pet.model.value import Value
from kubia_pet.peers.gather import Cluster, Gathered
from kubia_pet.peers.ledgers import PeerLedgers
from kubia_pet.peers.result import PeerResult
from kubia_pet.store import Store, StoreError
from kubia_pet.web.escaping import preview
from kubia_pet.web.problem import ProblemError
from kubia_pet.web.readiness import Readiness
from kubia_pet.web.render import Overview

Members = dict[str, object]  # of a JSON object
# Characters of a value that are shown, and whether ledgers are: the less the more pods there are.
_LEVELS = ((280, True), (80, True), (20, True), (20, False))
_RECORDS = 8  # of one pod: a Service has one for each of its ports
_NAMES = 64  # bytes of the names of the members that are put together at the end
_ETAG = 12  # characters that tell a value from the one before


@dataclass(frozen=True)
class ClusterState:
    """A state as one line of JSON, MAX_EVENT_BYTES at most.

    It is the same by whichever of the service's names DNS was asked, and as a TTL runs.
    """

    data: str = field(compare=False)
    _key: tuple[str, str]


class Snapshots:
    """Takes them, for one pod.

    `cluster` is None where it looks for no peers, `faults` where none can be set. `own_ledger` gives of
    this pod's own `/ledger` the members that are shown.
    """

    def __init__(
        self,
        pod: str,
        store: Store,
        readiness: Readiness,
        cluster: Cluster | None,
        ledgers: PeerLedgers,
        *,
        own_ledger: Callable[[], Members],
        faults: Faults | None,
    ) -> None:
        self._pod = pod
        self._faults = faults
        self._epoch = time.time() - time.monotonic()
        self._store = store
        self._readiness = readiness
        self._ledgers = ledgers
        self._own_ledger = own_ledger
        self._cluster = cluster

    async def take(self) -> ClusterState:
        """The state of now. A volume that fails is part of it."""
        if self._cluster is None:
            return await self._encoded(await self._read(), None, {})
        async with self._cluster.gathering(None) as gathered:
            own, answers = await self._read(), gathered()
            return await self._encoded(own, answers, await self._ledgers.of(answers.answers))

    async def _encoded(
        self, own: "Own", gathered: Gathered | None, ledgers: Mapping[str, LedgerSummary]
    ) -> ClusterState:
        size = Overview(self._pod, own.value, gathered).size
        encode = Snapshot(self._pod, own, gathered, ledgers).encoded
        return await asyncio.to_thread(encode) if size > OFFLOAD_BYTES else encode()

    async def _read(self) -> "Own":
        ledger = summary_of(self._own_ledger())
        faults = self._faults_set()
        try:
            await self._readiness.require()
            return Own(await self._store.read(), None, ledger, faults)
        except (ProblemError, StoreError) as error:
            return Own(None, str(error), ledger, faults)

    def _faults_set(self) -> Members | None:
        if self._faults is None:
            return None
        ends = {fault: self._faults.ends_at(fault) for fault in self._faults.active()}
        return {
            "available": [{"name": fault, "does": does} for fault, does in DESCRIPTIONS.items()],
            "active": [
                {"name": fault, "ends": round(self._epoch + end, 1)} for fault, end in ends.items() if end
            ],
        }


@dataclass(frozen=True)
class Own:
    """This pod's value, or why it is not ready; its ledger, and the faults that are set."""

    value: Value | None
    failure: str | None
    ledger: LedgerSummary | None
    faults: Members | None = None


@dataclass(frozen=True)
class Snapshot:
    """What there was to be seen at one moment."""

    pod: str
    own: Own
    gathered: Gathered | None
    ledgers: Mapping[str, LedgerSummary]

    def encoded(self) -> ClusterState:
        """With as much of each value, and of as many pods, as there is room for: this one, and the first."""
        found = self.gathered.discovered if self.gathered else None
        head = _json(
            {
                "pod": self.pod,
                "service": found and found.service,
                "error": found and found.failure and vars(found.failure),
                "findings": [vars(each) for each in found.diagnostics] if found else [],
                "faults": self.own.faults,
            }
        )
        records = self._records()
        no_pods = records.get(found.service.lower(), []) if found else []  # it is no headless service then
        room = MAX_EVENT_BYTES - _NAMES - len("".join([head, *map(_json, no_pods)]).encode())
        answers = self._answers()
        told: dict[str, str] = {}
        for most, with_ledger in _LEVELS:
            told = self._fitting(room, answers, records, most, with_ledger=with_ledger)
            if len(told) == len(answers):
                break
        names = [name for answer in answers if (name := answer.peer.name) in told]
        lines = [*no_pods, *(line for name in names for line in records.get(name, ()))]
        peers, omitted = ",".join(told[name] for name in names), len(answers) - len(names)
        body = f'{head[:-1]},"omitted":{omitted},"peers":[{peers}]'
        without_ttl = [line.split(" ", 2)[2] for line in lines]
        return ClusterState(f'{body},"records":{_json(lines)}}}', (body, str(without_ttl)))

    def _records(self) -> dict[str, list[str]]:
        """As dig prints them, by the pod that they name."""
        found: dict[str, list[str]] = {}
        for record in self.gathered.discovered.records if self.gathered else ():
            found.setdefault(record.target.lower(), []).append(record.line)
        return {target: sorted(lines)[:_RECORDS] for target, lines in found.items()}

    def _fitting(
        self,
        room: int,
        answers: Sequence[PeerResult],
        records: Mapping[str, Sequence[str]],
        most: int,
        *,
        with_ledger: bool,
    ) -> dict[str, str]:
        """The JSON of this pod and of as many others as fit into so many bytes with their records."""
        told = {}
        for answer in sorted(answers, key=lambda each: not each.peer.is_self):
            name = answer.peer.name
            members = _json(self._peer(answer, most, with_ledger=with_ledger))
            room -= sum(1 + len(each.encode()) for each in (members, *map(_json, records.get(name, ()))))
            if room < 0:
                break
            told[name] = members
        return told

    def _answers(self) -> Sequence[PeerResult]:
        if self.gathered is None:
            return [PeerResult(Peer(self.pod, is_self=True, endpoints=()), self.own.value)]
        others = self.gathered.answers
        own = PeerResult(self.gathered.discovered.own, self.own.value)
        return sorted((own, *others), key=lambda answer: answer.peer.rank)

    def _peer(self, answer: PeerResult, most: int, *, with_ledger: bool) -> Members:
        peer = answer.peer
        members: Members = {"name": peer.name, "ordinal": peer.ordinal, "self": peer.is_self}
        ledger = self.own.ledger if peer.is_self else self.ledgers.get(peer.name)
        if ledger is not None and with_ledger:
            members["ledger"] = vars(ledger)
        if peer.is_self and self.own.failure:
            return members | {
                "state": "not-ready",
                "error": {"code": ErrorCode.VOLUME, "message": self.own.failure},
            }
        if answer.error:
            return members | {"state": "no-answer", "error": vars(answer.error)}
        state = "ending" if answer.ending else "ready"
        return members | {"state": state, **_shown(answer.value, most)}


def _json(what: object) -> str:
    return json.dumps(what, ensure_ascii=False, separators=(",", ":"))


def _shown(value: Value | None, most: int) -> Members:
    """The begin of a value, and what tells it from others."""
    if value is None:
        return {"value": None, "etag": None}
    begin = preview(value, most)
    members: Members = {"value": begin.text, "etag": value.etag[:_ETAG], "size": len(value.data)}
    if begin.cut:
        members["cut"] = True
    if begin.binary:
        members["binary"] = True
    return members
