"""Which pods are missing between those that DNS lists."""

import pytest

from kubia_pet.check.ordinals import gaps

SET = "kubia.default.svc.cluster.local"


def full(*ordinals: int, base: str = "kubia") -> list[str]:
    return [f"{base}-{ordinal}.{SET}" for ordinal in ordinals]


@pytest.mark.parametrize(
    ("listed", "known", "missing"),
    [
        ((0, 1, 2), (), []),
        ((0, 2), (), ["kubia-1"]),
        ((1, 2), (), []),  # as with ordinals.start: 1
        ((1, 2), (0, 1, 2), ["kubia-0"]),
        ((0, 1), (0, 1, 2), []),  # scaled down
        ((0, 10), range(11), [f"kubia-{ordinal}" for ordinal in range(1, 10)]),
        ((), (0, 1), []),
    ],
)
def test_what_is_missing_below_the_last_one(
    listed: tuple[int, ...], known: tuple[int, ...], missing: list[str]
) -> None:
    assert gaps(full(*listed), full(*known)) == missing


def test_pods_of_another_set_say_nothing() -> None:
    assert gaps(full(2, 3), full(0, base="web")) == []
