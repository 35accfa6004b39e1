"""What watchers are told of a set that is too large to be told of whole."""

import json
import time

import pytest

from kubia_pet.discovery import Discovered
from kubia_pet.discovery.records import Record
from kubia_pet.limits import MAX_EVENT_BYTES
from kubia_pet.model.diagnostic import Diagnostic, ErrorCode
from kubia_pet.model.ledger_summary import LedgerSummary
from kubia_pet.model.peer import Peer
from kubia_pet.model.value import Value
from kubia_pet.peers.gather import Gathered
from kubia_pet.peers.result import PeerResult
from kubia_pet.web.events.snapshot import Own, Snapshot

SERVICE = "kubia.default.svc.cluster.local"
OWN = Own(Value(b"own"), None, None)


LEDGER = LedgerSummary(
    "0123456789abcdef" * 2, "2026-11-30T17:00:00.000Z", "volume", "fedcba9876543210" * 2, 3, "node-1", "good",
    "This pod's own volume, with all that was acknowledged.",
)  # fmt: skip


def snapshot_of(
    number: int,
    value: bytes,
    *,
    ttl: int = 30,
    owner: str = SERVICE,
    own: Own = OWN,
    own_ordinal: int = 0,
    ledger: LedgerSummary | None = None,
    ports: tuple[int, ...] = (80,),
) -> Snapshot:
    """A set of so many pods, each with this value and this ledger; `own` is what this pod has."""
    names = [f"kubia-{each}.{SERVICE}" for each in range(number)]
    peers = tuple(
        Peer(name, is_self=ordinal == own_ordinal, endpoints=()) for ordinal, name in enumerate(names)
    )
    records = tuple(
        Record(name, port, (), f"{owner}. {ttl} IN SRV 0 1 {port} {name}.")
        for name in names
        for port in ports
    )
    found = Discovered(SERVICE, peers, (), time.monotonic(), records=records)
    answers = tuple(PeerResult(peer, Value(value)) for peer in peers if not peer.is_self)
    ledgers = {peer.name: ledger for peer in peers if ledger}
    return Snapshot(f"kubia-{own_ordinal}", own, Gathered(found, answers), ledgers)


@pytest.mark.parametrize("number", [1, 3, 30, 100, 300, 1000])
@pytest.mark.parametrize("value", [b"", b"x" * 2**14, "\U000e0001".encode() * 1000, b"\xff" * 1000])
@pytest.mark.parametrize("ledger", [None, LEDGER], ids=["without ledgers", "with ledgers"])
def test_an_event_never_has_more_bytes_than_its_bound_and_this_pod_is_always_in_it(
    number: int, value: bytes, ledger: LedgerSummary | None
) -> None:
    last = number - 1
    data = snapshot_of(number, value, own_ordinal=last, ledger=ledger).encoded().data
    state = json.loads(data)
    assert len(data.encode()) <= MAX_EVENT_BYTES
    assert "\n" not in data
    told = [peer["ordinal"] for peer in state["peers"]]
    assert len(told) + state["omitted"] == number
    assert told == [*range(len(told) - 1), last], "this pod, and the first ones"
    assert [line.split()[-1] for line in state["records"]] == [f"{peer['name']}." for peer in state["peers"]]


def test_as_many_pods_are_told_of_as_the_page_says() -> None:
    def told(number: int, value: bytes) -> tuple[int, bool]:
        state = json.loads(snapshot_of(number, value, ledger=LEDGER).encoded().data)
        return len(state["peers"]), "ledger" in state["peers"][-1]

    assert told(45, b"a value") == (45, True)
    assert told(100, b"x" * 300) == (100, False), "their ledgers make room before any of them does"
    assert 100 < told(1000, b"x" * 300)[0] < 200


def test_each_record_of_a_pod_that_is_told_of_is_told() -> None:
    state = json.loads(snapshot_of(3, b"", ports=(80, 81)).encoded().data)
    assert [line.split()[-2:] for line in state["records"]] == [
        [port, f"kubia-{ordinal}.{SERVICE}."] for ordinal in range(3) for port in ("80", "81")
    ]


def test_a_small_set_is_told_of_whole() -> None:
    state = json.loads(snapshot_of(30, b"a value").encoded().data)
    assert state["omitted"] == 0
    assert state["peers"][0]["value"] == "own"
    assert {peer["value"] for peer in state["peers"][1:]} == {"a value"}


def test_a_ttl_that_runs_and_the_name_that_was_asked_for_are_no_change_and_anything_else_is() -> None:
    before = snapshot_of(3, b"a value").encoded()
    assert snapshot_of(3, b"a value", ttl=29).encoded() == before
    assert snapshot_of(3, b"a value", owner=f"_http._tcp.{SERVICE}").encoded() == before
    assert snapshot_of(4, b"a value").encoded() != before
    assert snapshot_of(3, b"another").encoded() != before
    long = b"x" * 10_000
    assert snapshot_of(3, long + b"y").encoded() != snapshot_of(3, long + b"z").encoded(), "by its ETag"


def test_a_failing_volume_costs_this_pods_value_only() -> None:
    state = json.loads(snapshot_of(2, b"a value", own=Own(None, "The volume is gone.", None)).encoded().data)
    own, other = state["peers"]
    assert (own["state"], own["error"]["message"]) == ("not-ready", "The volume is gone.")
    assert "value" not in own
    assert (other["state"], other["value"]) == ("ready", "a value")


def test_a_peer_without_an_answer_says_why() -> None:
    found = snapshot_of(2, b"").gathered
    assert found is not None
    error = Diagnostic(ErrorCode.TIMEOUT, "no answer within 1 s")
    answers = (PeerResult(found.answers[0].peer, error=error),)
    snapshot = Snapshot("kubia-0", OWN, Gathered(found.discovered, answers), {})
    peer = json.loads(snapshot.encoded().data)["peers"][1]
    assert (peer["state"], peer["error"]) == (
        "no-answer", {"code": "timeout", "message": "no answer within 1 s"},
    )  # fmt: skip
