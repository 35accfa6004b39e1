"""What the probe's account says of histories that are known beforehand."""

import pytest

from kubia_pet.probe.account import Account, Register
from kubia_pet.probe.counts import Counts
from kubia_pet.probe.numbered import Kind, Sighting, numbered, sighting

RUN = "5f3a9c01"
NONE, FOREIGN, TORN = Sighting(Kind.NONE), Sighting(Kind.FOREIGN), Sighting(Kind.TORN)


def ours(number: int, pod: str = "kubia-0") -> Sighting:
    return Sighting(Kind.OURS, number, pod)


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def register(clock: Clock) -> Register:
    return Register("kubia-0", clock)


def acknowledge(register: Register, *numbers: int) -> None:
    for number in numbers:
        register.acknowledged(number, meant_for="kubia-0")


def counted(register: Register) -> dict[str, float]:
    """What is not nought."""
    return {name: count for name, count in vars(register.counts()).items() if count}


# The values


@pytest.mark.parametrize("number", range(8))
def test_a_value_is_known_again_by_its_number_and_the_pod_it_is_for(number: int) -> None:
    assert sighting(numbered(RUN, number, "kubia-1"), RUN) == Sighting(Kind.OURS, number, "kubia-1")


def test_a_short_value_over_a_long_one_and_each_truncation_are_torn() -> None:
    short, long = numbered(RUN, 4, "kubia-1"), numbered(RUN, 3, "kubia-1")
    assert sighting(short + long[len(short) :], RUN) == TORN
    head = long.index(RUN.encode()) + len(RUN)
    assert {sighting(long[:size], RUN).kind for size in range(head, len(long))} == {Kind.TORN}


def test_values_of_others_are_foreign_other_probes_included() -> None:
    for value in (b"", b"Hey there!", numbered("0123abcd", 3, "kubia-0")):
        assert sighting(value, RUN) == FOREIGN
    assert sighting(None, RUN) == NONE


# Acknowledged and lost


def test_what_is_acknowledged_and_found_again_is_no_loss(register: Register) -> None:
    register.looked(FOREIGN, as_before=True)
    acknowledge(register, 1, 5)
    register.read(ours(5), floor=register.floor, by="kubia-1")
    register.looked(ours(5), as_before=False)
    assert counted(register) == {"acknowledged": 2, "reads": 1}


def test_a_pod_that_went_back_has_lost_each_acknowledged_number_above(register: Register) -> None:
    acknowledge(register, 1, 5, 9)
    register.looked(ours(1), as_before=False)
    assert counted(register) == {"acknowledged": 3, "lost": 2}
    acknowledge(register, 12)
    register.looked(ours(12), as_before=False)
    assert counted(register) == {"acknowledged": 4, "lost": 2}, "it is counted once"


@pytest.mark.parametrize(("seen", "as_before"), [(NONE, False), (NONE, True), (FOREIGN, True)])
def test_a_value_that_is_gone_or_the_old_one_again_is_a_loss(
    register: Register, seen: Sighting, *, as_before: bool
) -> None:
    acknowledge(register, 1, 5)
    register.looked(seen, as_before=as_before)
    assert counted(register) == {"acknowledged": 2, "lost": 2}


def test_somebody_elses_value_is_no_loss(register: Register) -> None:
    acknowledge(register, 1, 5)
    register.looked(FOREIGN, as_before=False)
    register.read(NONE, floor=register.floor, by="kubia-1")
    assert counted(register) == {"acknowledged": 2, "overwritten": 1, "reads": 1}


def test_an_answer_that_never_came_is_neither_whichever_way_it_went(register: Register) -> None:
    acknowledge(register, 1)
    register.unknown()
    register.looked(ours(1), as_before=False)
    register.looked(ours(2), as_before=False)
    assert counted(register) == {"acknowledged": 1, "unknown": 1}


# Reads


def test_a_read_that_sees_less_than_was_acknowledged_before_it_began_is_stale(register: Register) -> None:
    acknowledge(register, 1, 5)
    register.read(ours(1), floor=register.floor, by="kubia-1")
    register.read(NONE, floor=register.floor, by="kubia-1")
    assert counted(register) == {"acknowledged": 2, "stale": 2, "reads": 2}


def test_a_read_under_way_during_a_write_may_see_either(register: Register) -> None:
    acknowledge(register, 1)
    floor = register.floor
    acknowledge(register, 5)
    register.read(ours(1), floor=floor, by="kubia-1")
    register.read(ours(5), floor=floor, by="kubia-1")
    assert counted(register) == {"acknowledged": 2, "reads": 2}


def test_what_one_read_has_seen_no_later_one_may_miss(register: Register) -> None:
    acknowledge(register, 1)
    register.unknown()
    register.read(ours(2), floor=register.floor, by="kubia-1")
    register.read(ours(1), floor=register.floor, by="kubia-2")
    assert counted(register) == {"acknowledged": 1, "unknown": 1, "reads": 2, "stale": 1}


def test_a_torn_value_is_counted_once_for_each_who_sees_it(register: Register) -> None:
    acknowledge(register, 1)
    for by in ("kubia-1", "kubia-1", "kubia-2"):
        register.read(TORN, floor=register.floor, by=by)
    assert counted(register) == {"acknowledged": 1, "torn": 2, "reads": 3}


def test_another_pods_value_is_misdirected_and_so_is_its_acknowledgement(register: Register) -> None:
    register.read(ours(3, "kubia-1"), floor=register.floor, by="kubia-2")
    register.acknowledged(4, meant_for="kubia-1")
    register.acknowledged(5, meant_for="")
    assert counted(register) == {"acknowledged": 2, "misdirected": 2, "reads": 1}


# In all


def test_the_longest_time_without_an_answer_has_the_one_that_lasts_in_it(
    register: Register, clock: Clock
) -> None:
    clock.now += 2
    acknowledge(register, 1)
    clock.now += 0.5
    assert register.counts().longest_without_answer == 2
    clock.now += 7
    assert register.counts().longest_without_answer == 7.5


def test_whoever_has_answered_at_the_end_is_not_silent_while_another_pod_is_waited_for(clock: Clock) -> None:
    account = Account(clock)
    for pod in ("kubia-0", "kubia-1"):
        account.register(pod).answered()
    clock.now += 3
    account.answered()
    account.end()
    account.register("kubia-0").answered()
    account.answered()
    clock.now += 17
    account.register("kubia-1").answered()
    clock.now += 5
    snapshot = account.snapshot()
    assert {pod: counts.longest_without_answer for pod, counts in snapshot.pods.items()} == {
        "kubia-0": 3.0,
        "kubia-1": 20.0,
    }
    assert snapshot.total.longest_without_answer == 3.0


def test_the_total_has_everybodys_numbers_and_a_silence_of_its_own(clock: Clock) -> None:
    account = Account(clock)
    account.register("kubia-0").acknowledged(1, meant_for="")
    account.answered()
    clock.now += 3
    account.register("kubia-1").acknowledged(2, meant_for="")
    account.answered()
    account.unknown()
    snapshot = account.snapshot()
    assert snapshot.total == Counts(acknowledged=2, unknown=1, longest_without_answer=3)
    assert snapshot.pods["kubia-1"] == Counts(acknowledged=1)
    account.register("kubia-1").acknowledged(3, meant_for="")
    assert snapshot.total.acknowledged == 2, "a copy"
