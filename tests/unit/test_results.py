"""What peers said, shared by gatherings that overlap."""

import random
from itertools import accumulate

from hypothesis import given
from hypothesis import strategies as st

from kubia_pet.model.peer import Peer
from kubia_pet.model.value import Value
from kubia_pet.peers.result import PeerResult
from kubia_pet.peers.results import Results
from tests.support.dns_server import NAME

LIMIT = 100


def peer(ordinal: int, *, is_self: bool = False) -> Peer:
    return Peer(f"kubia-{ordinal}.{NAME}", is_self=is_self, endpoints=())


def said(ordinal: int, size: int) -> PeerResult:
    return PeerResult(peer(ordinal), Value(b"x" * size))


@given(sizes=st.lists(st.integers(0, 60), max_size=12), seed=st.integers(0, 1000))
def test_the_first_that_together_keep_within_the_limit_stay_in_whatever_order_they_come(
    sizes: list[int], seed: int
) -> None:
    results, arriving = Results(LIMIT), list(enumerate(sizes))
    random.Random(seed).shuffle(arriving)
    for ordinal, size in arriving:
        results.put(0, said(ordinal, size))
    for ordinal, (size, together) in enumerate(zip(sizes, accumulate(sizes), strict=True)):
        result = results.newest(peer(ordinal))
        assert (result.error is None) == (together <= LIMIT or size == 0)
        assert result.size == (size if result.error is None else 0)


def test_this_pods_own_value_takes_nobodys_room() -> None:
    results = Results(LIMIT)
    results.put(0, PeerResult(peer(0, is_self=True), Value(b"x" * 1000)))
    results.put(0, said(1, LIMIT))
    assert results.newest(peer(1)).error is None
    assert results.newest(peer(0)).size == 1000


def test_an_answer_to_an_older_question_does_not_replace_a_newer_one() -> None:
    results = Results(LIMIT)
    results.put(2, said(1, 20))
    results.put(1, said(1, 10))
    assert results.newest(peer(1)).size == 20
    results.put(3, said(1, 30))
    assert results.newest(peer(1)).size == 30


def test_a_value_that_is_small_by_now_is_left_out_no_longer_though_gatherings_overlap() -> None:
    results = Results(LIMIT)
    for ordinal in (1, 2, 3):
        results.put(0, said(ordinal, 90))
    for ordinal in (1, 3, 2):
        results.put(1, said(ordinal, 1))
    assert [results.newest(peer(ordinal)).size for ordinal in (1, 2, 3)] == [1, 1, 1]


def test_peers_that_no_gathering_under_way_has_asked_take_nobodys_room() -> None:
    results = Results(LIMIT)
    results.put(0, said(1, 90))
    results.put(1, said(2, 90))
    assert results.newest(peer(2)).error is not None
    results.forget(before=1)
    results.put(2, said(2, 90))
    assert results.newest(peer(2)).size == 90


@given(
    moments=st.lists(st.lists(st.integers(0, 60), min_size=1, max_size=6), max_size=4),
    seed=st.integers(0, 1000),
)
def test_what_is_held_never_exceeds_the_limit_and_nobody_is_left_out_once_all_have_room(
    moments: list[list[int]], seed: int
) -> None:
    results, last = Results(LIMIT), [1] * 6
    for moment, sizes in enumerate([*moments, last, last]):
        arriving = list(enumerate(sizes))
        random.Random(seed).shuffle(arriving)
        for ordinal, size in arriving:
            results.put(moment, said(ordinal, size))
            assert results.size <= LIMIT
        results.forget(before=moment)
    assert [results.newest(peer(ordinal)).size for ordinal in range(6)] == last
