"""What a value says of its bytes."""

import pytest

from kubia_pet.model.value import Value

AT_A_SLICES_END = b"x" * (2**16 - 1)


@pytest.mark.parametrize("data", [b"", "né\U0001f43e".encode(), AT_A_SLICES_END + "é".encode()])
def test_what_is_utf_8_is_text(data: bytes) -> None:
    assert Value(data).is_text


@pytest.mark.parametrize("data", [b"\xff", "né".encode()[:-1], AT_A_SLICES_END + b"\xc3", b"\xed\xa0\x80"])
def test_what_is_not_is_none(data: bytes) -> None:
    assert not Value(data).is_text
