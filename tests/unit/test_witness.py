"""What pods remember of their peers, and tell them."""

import json
from dataclasses import asdict, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kubia_pet.model.ledger import Sighting
from kubia_pet.model.testimony import Testimony as Words
from kubia_pet.model.testimony import fields_of, from_fields, from_json
from kubia_pet.model.witness import KEPT, seen_again

AT, LATER = "2026-01-02T00:00:00.000Z", "2026-01-03T00:00:00.000Z"
NAME = "kubia-0.kubia.default.svc.cluster.local"


def saw(number: int, count: int = 0, volume: str = "a", seen: str = AT) -> Sighting:
    return Sighting(volume * 32, f"{number:016x}", number, count, seen)


def life(*sightings: Sighting, told: bool = False) -> tuple[Sighting, ...]:
    known: tuple[Sighting, ...] = ()
    for each in sightings:
        known = seen_again(known, each, told=told)
    return known


def test_a_start_is_kept_once_with_the_most_commits_that_it_was_seen_with() -> None:
    assert life(saw(1, 2), saw(1, 5), saw(1, 3, seen=LATER)) == (saw(1, 5, seen=LATER),)


def test_what_a_peer_was_not_told_is_kept_when_it_starts_again() -> None:
    assert life(saw(7, 4), saw(3, volume="b")) == (saw(7, 4), saw(3, volume="b"))


def test_what_it_was_told_is_forgotten_but_for_each_volumes_first_start_and_the_newest() -> None:
    assert seen_again((saw(1), saw(2), saw(3)), saw(4), told=True) == (saw(1), saw(3), saw(4))
    other = saw(3, volume="b")
    assert seen_again((saw(1), saw(2), other), saw(4), told=True) == (saw(1), other, saw(4))


def test_of_too_many_the_first_and_the_newest_are_kept() -> None:
    assert [each.number for each in life(*map(saw, range(1, 10)))] == [1, 7, 8, 9]
    assert len(life(*map(saw, range(1, 10)))) == KEPT


def test_an_answer_that_comes_late_changes_no_order_of_evidence() -> None:
    assert life(saw(5), saw(6), saw(5), saw(6)) == (saw(5), saw(6))


def test_a_testimony_arrives_as_it_was_sent() -> None:
    sent = Words(NAME, saw(3, 7), (saw(1), saw(2)))
    assert from_json(json.dumps(sent.as_json()).encode()) == sent
    header = {name.lower().encode(): value.encode() for name, value in sent.as_header().items()}
    assert from_fields(fields_of(header), AT) == Words(NAME, saw(3, 7))


@pytest.mark.parametrize(
    "change",
    [
        {"pod": "two words"},
        {"pod": None},
        {"own": None},
        {"own": asdict(saw(1)) | {"volume": "a"}},
        {"own": asdict(saw(1)) | {"count": -1}},
        {"own": asdict(saw(1)) | {"number": 0}},
        {"own": asdict(saw(1)) | {"number": 10**30}},
        {"own": asdict(saw(1)) | {"seen": "yesterday\nkubia-1 said"}},
        {"remembers": None},
        {"remembers": [asdict(saw(1))] * 5},
    ],
)
def test_what_is_no_testimony_is_none(change: dict[str, object]) -> None:
    members = Words(NAME, saw(1)).as_json() | change
    assert from_json(json.dumps(members).encode()) is None


JSON = st.recursive(st.none() | st.text(), lambda inner: st.dictionaries(st.text(), inner))


@given(st.binary(max_size=200) | JSON.map(lambda members: json.dumps(members).encode()))
def test_whatever_a_stranger_answers_is_read_or_not(body: bytes) -> None:
    assert from_json(body) is None
    assert from_fields(fields_of({b"kubia-pet-pod": body, b"kubia-pet-start": body}), AT) is None


def test_a_memory_that_a_stranger_sent_is_held_to_its_form() -> None:
    members = Words(NAME, saw(1), (saw(2),)).as_json()
    members["remembers"].append({"volume": 1})
    assert from_json(json.dumps(members).encode()) == Words(NAME, saw(1), (saw(2),))
    assert replace(saw(2), count=1) != saw(2)
