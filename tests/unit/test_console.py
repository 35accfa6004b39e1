"""That a document which is wrong would be seen."""

import pytest

from tests.support.console import Step, sections


def step(output: str) -> Step:
    return Step(1, "true", output, again=False, fails=False)


@pytest.mark.parametrize(
    ("shown", "printed"),
    [
        ("kubia-0   1/1     Running   0          12s\n", "kubia-0  1/1  Running  0  2m4s"),
        (
            "kubia 10.96.0.7 pvc-1c8adbd1-2f01-4b8c-9d35-2a1b1c7f9a1f",
            "kubia 10.0.0.1 pvc-" + "8" * 8 + "-1111" * 3 + "-" + "a" * 12,
        ),
        ("at revision kubia-6c6dbf89b4...", "at revision kubia-744c474bf..."),
        ("Data stored on pod kubia-<any ordinal>", "Data stored on pod kubia-1"),
        ("...\nready", "waiting\nwaiting\nready"),
        ("...\nready", "ready"),
        ("", ""),
    ],
)
def test_what_is_never_the_same_twice_is_not_compared(shown: str, printed: str) -> None:
    assert step(shown).printed_by(printed)


@pytest.mark.parametrize(
    ("shown", "printed"),
    [
        ("kubia-0 1/1 Running 0 12s", "kubia-0 0/1 Running 0 12s"),
        ("kubia-0", "kubia-1"),
        ("Data stored on pod kubia-<any ordinal>", "Data stored on pod kubia-"),
        ("one\ntwo", "one"),
        ("one", "one\ntwo"),
        ("...\nready", "ready\nwaiting"),
        ("", "an error"),
        ("an error", ""),
        ("a.c", "abc"),
    ],
)
def test_any_other_difference_is(shown: str, printed: str) -> None:
    assert not step(shown).printed_by(printed)


def test_a_document_is_read_section_by_section() -> None:
    first, second = sections(
        "# One\n```console\n$ a\n1\n2\n$ b '\n> c'\n```\n## None\n# Two\n```console again\n$ d &\n```\n"
    )
    assert first.steps == (
        Step(3, "a", "1\n2", again=False, fails=False),
        Step(6, "b '\nc'", "", again=False, fails=False),
    )
    assert second.steps == (Step(12, "d &", "", again=True, fails=False),)
    assert second.steps[0].in_background


@pytest.mark.parametrize("fence", ["shell", "console agian", ""])
def test_a_block_that_would_not_be_run_is_an_error(fence: str) -> None:
    with pytest.raises(ValueError, match="every block is `console`"):
        sections(f"```{fence}\n$ true\n```\n")
