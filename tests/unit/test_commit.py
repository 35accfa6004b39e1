"""A commit's number as text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kubia_pet.model.commit import Commit

DIGEST = "2cf24dba5fb0a30e26e83b2ac5b9e29e"
COMMITS = st.builds(
    Commit,
    st.integers(1, 10**12 - 1),
    st.binary(min_size=8, max_size=8).map(bytes.hex),
    st.integers(0, 10**15 - 1),
    st.none() | st.binary(min_size=16, max_size=16).map(bytes.hex),
)


@given(COMMITS)
def test_a_number_is_read_as_it_was_written(commit: Commit) -> None:
    assert Commit.parse(str(commit)) == commit


def test_it_fits_in_an_inode_of_ext4_for_a_long_life() -> None:
    assert len(str(Commit(99_999, "f" * 16, 9_999_999_999, DIGEST))) <= 56


@pytest.mark.parametrize("text", ["", "1", "1 f 1 -", f"1 {'f' * 16} 1 {DIGEST}", f"1 {'f' * 16} 1 -\n", "é"])
def test_what_is_no_number_is_none(text: str) -> None:
    assert Commit.parse(text) is None
