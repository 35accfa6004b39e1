"""What `cluster.view` makes of the matrix of who reaches whom."""

import pytest

from kubia_pet.check.cluster import judged
from kubia_pet.check.result import Finding, Status
from kubia_pet.check.view import short

PODS = ("kubia-0", "kubia-1", "kubia-2")


def view(**cells: str | None) -> Finding:
    """Of three pods, all well but for these: kubia_0_1 is what kubia-0 says of kubia-1, None: nothing."""
    rows = {by: dict.fromkeys(PODS, "ok") for by in PODS}
    for cell, code in cells.items():
        _, by, of = cell.split("_")
        if code is None:
            del rows[f"kubia-{by}"][f"kubia-{of}"]
        else:
            rows[f"kubia-{by}"][f"kubia-{of}"] = code
    return judged(rows, rows.keys())


def test_the_same_lists_without_an_error_pass() -> None:
    assert view().status is Status.PASSED


def test_a_direction_that_is_dropped_is_told_from_a_pod_that_nobody_reaches() -> None:
    assert view(kubia_0_1="timeout").cause == "one-way"
    nobody = view(kubia_0_1="timeout", kubia_2_1="timeout", kubia_1_0="timeout", kubia_1_2="timeout")
    assert nobody.cause == "unreachable-peer"


@pytest.mark.parametrize(
    ("code", "cause", "status"),
    [
        ("refused", "unreachable-peer", Status.FAILED),
        ("garbled", "peer-error", Status.FAILED),
        ("too-much", "peer-error", Status.WARNING),
    ],
)
def test_an_error_that_is_no_silence_says_nothing_of_a_direction(
    code: str, cause: str, status: Status
) -> None:
    found = view(kubia_0_1=code)
    assert (found.cause, found.status) == (cause, status)


def test_a_list_that_lacks_somebody_is_another_list() -> None:
    found = view(kubia_2_0=None)
    assert found.cause == "views-differ"
    assert found.evidence[0] == "kubia-2 does not list kubia-0"


def test_the_matrix_is_shown() -> None:
    assert view(kubia_0_1="timeout").evidence == (
        "kubia-0 does not reach kubia-1 (timeout), while kubia-1 reaches kubia-0",
        "asked        kubia-0      kubia-1      kubia-2",
        "kubia-0      -            timeout      ok",
        "kubia-1      ok           -            ok",
        "kubia-2      ok           ok           -",
    )


def test_a_hundred_pods_show_what_is_wrong_only() -> None:
    names = [f"kubia-{number}" for number in range(100)]
    rows = {
        by: dict.fromkeys(names, "ok") | ({"kubia-7": "timeout"} if by != "kubia-7" else {}) for by in names
    }
    found = judged(rows, names)
    assert found.cause == "unreachable-peer", "whom nobody reaches"
    assert len(found.evidence) == 20
    rows["kubia-3"]["kubia-7"] = "ok"
    assert judged(rows, names).cause == "one-way"


def test_pods_that_give_no_list_are_not_taken_for_good() -> None:
    assert judged({"kubia-0": {"kubia-0": "ok"}}, PODS[:2]).cause == "no-answer"
    stopped = {"kubia-0": {"kubia-0": "ok", "kubia-1": "timeout"}}
    assert judged(stopped, PODS[:2]).cause == "no-answer"
    assert judged({}, PODS[:2]).status is Status.UNKNOWN


def test_pods_that_give_no_list_are_named_though_nobody_lists_them() -> None:
    found = judged({by: dict.fromkeys(PODS[:2], "ok") for by in PODS[:2]}, PODS)
    assert found.message == "1 of 3 pods give no list: kubia-2."
    assert found.evidence[-1] == "kubia-2      gives no list"


def test_names_in_a_sentence_are_in_the_order_of_their_ordinals() -> None:
    names = [f"kubia-{number}.kubia.zoo" for number in (10, 2, 1, 0)]
    assert short(names) == "kubia-0, kubia-1, kubia-2, kubia-10"
