"""Lines of the log that say who changed the value."""

import asyncio
import hashlib
import logging

import pytest

from kubia_pet.limits import MAX_CHANGES_LOGGED
from kubia_pet.web.changes import ChangeLog
from tests.hostile.peers.loop_watch import BOUND, shortest_hold


@pytest.fixture(autouse=True)
def _info(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)


async def test_a_change_is_one_line_with_client_method_size_and_etag(
    caplog: pytest.LogCaptureFixture,
) -> None:
    changes = ChangeLog()
    changes.changed("10.0.0.7", "POST", b"Hey there!")
    changes.changed("10.0.0.8", "DELETE", None)
    etag = hashlib.sha256(b"Hey there!").hexdigest()[:32]
    assert caplog.messages == [
        f'POST by 10.0.0.7: 10 bytes, ETag "{etag}"',
        "DELETE by 10.0.0.8: the value is gone",
    ]


async def test_changes_over_ten_a_second_are_one_line_at_its_end(caplog: pytest.LogCaptureFixture) -> None:
    changes = ChangeLog()
    for number in range(MAX_CHANGES_LOGGED + 500):
        changes.changed(f"10.0.0.{number % 8}", "PUT", b"1234")
    assert len(caplog.messages) == MAX_CHANGES_LOGGED
    async with asyncio.timeout(2):
        while len(caplog.messages) == MAX_CHANGES_LOGGED:  # noqa: ASYNC110 - a log has no event to wait for
            await asyncio.sleep(0.01)
    last = (MAX_CHANGES_LOGGED + 499) % 8
    assert caplog.messages[MAX_CHANGES_LOGGED:] == [
        f"500 more changes within a second, 2000 bytes, the last by 10.0.0.{last}"
    ]
    changes.changed("10.0.0.9", "PUT", b"1")
    assert caplog.messages[-1].startswith("PUT by 10.0.0.9: 1 bytes"), "the next second has lines again"


async def test_nothing_is_left_unsaid_at_the_end(caplog: pytest.LogCaptureFixture) -> None:
    changes = ChangeLog()
    for _ in range(MAX_CHANGES_LOGGED + 1):
        changes.changed("::1", "POST", b"")
    changes.flush()
    assert caplog.messages[-1] == "1 more changes within a second, 0 bytes, the last by ::1"
    changes.flush()
    assert len(caplog.messages) == MAX_CHANGES_LOGGED + 1


async def test_the_etag_of_a_large_value_holds_up_nobody_and_is_said_before_the_end(
    caplog: pytest.LogCaptureFixture,
) -> None:
    value = bytes(64 << 20)

    async def change() -> None:
        changes = ChangeLog()
        changes.changed("::1", "POST", value)
        await changes.end(None)

    assert await shortest_hold(change) < BOUND
    assert caplog.messages[-1].startswith("POST by ::1: 67108864 bytes, ETag ")
