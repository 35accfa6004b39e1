"""What holds for every test here: nothing that strangers send is an exception in the log."""

from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True)
def _no_exception_in_the_log(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    yield
    odd = [record for record in caplog.get_records("call") if record.exc_info or record.levelname == "ERROR"]
    assert not odd
