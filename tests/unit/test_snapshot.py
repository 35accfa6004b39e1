"""What watchers are told of a set that is too large to be told of whole."""

import json
import time

import pytest

from kubia_pet.discovery import Discovered
from kubia_pet.discovery.records import Record
from kubia_pet.limits import MAX_EVENT_BYTES
from kubia_pet.model.diagnostic import Diagnostic, ErrorCode
from kubia_pet.model.peer import Peer
from kubia_pet.model.value import Value
from kubia_pet.peers.gather import Gathered
from kubia_pet.peers.result import PeerResult
from kubia_pet.web.events.snapshot import Own, Snapshot

SERVICE = "kubia.default.svc.cluster.local"
OWN = Own(Value(b"own"), None, None)


def snapshot_of(
    number: int, value: bytes, *, ttl: int = 30, owner: str = SERVICE, own: Own = OWN
) -> Snapshot:
    """A set of so many pods, each with this value; the first is this pod."""
    names = [f"kubia-{each}.{SERVICE}" for each in range(number)]
    peers = tuple(Peer(name, is_self=not ordinal, endpoints=()) for ordinal, name in enumerate(names))
    records = tuple(Record(name, 80, (), f"{owner}. {ttl} IN SRV 0 1 80 {name}.") for name in names)
    found = Discovered(SERVICE, peers, (), time.monotonic(), records=records)
    answers = tuple(PeerResult(peer, Value(value)) for peer in peers[1:])
    return Snapshot("kubia-0", own, Gathered(found, answers), {}, None)


@pytest.mark.parametrize("number", [1, 3, 30, 100, 300, 1000])
@pytest.mark.parametrize("value", [b"", b"x" * 2**14, "\U000e0001".encode() * 1000, b"\xff" * 1000])
def test_an_event_never_has_more_bytes_than_its_bound(number: int, value: bytes) -> None:
    data = snapshot_of(number, value).encoded().data
    state = json.loads(data)
    assert len(data.encode()) <= MAX_EVENT_BYTES
    assert "\n" not in data
    assert len(state["peers"]) + state["omitted"] == number
    assert [peer["ordinal"] for peer in state["peers"]] == list(range(len(state["peers"])))
    assert len(state["records"]) == len(state["peers"])


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
    snapshot = Snapshot("kubia-0", OWN, Gathered(found.discovered, answers), {}, None)
    peer = json.loads(snapshot.encoded().data)["peers"][1]
    assert (peer["state"], peer["error"]) == (
        "no-answer", {"code": "timeout", "message": "no answer within 1 s"},
    )  # fmt: skip
