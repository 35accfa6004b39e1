"""A volume without room."""

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from kubia_pet.limits import TRIAL_INTERVAL
from tests.durability.asking import FULL, NOT_FOUND, STORED, ask, get, is_ready, ledger, post
from tests.durability.volumes import tmpfs
from tests.support.pod import Pod, files_on, until

OLD = b"o" * 1000
NEW = b"n" * 10_000


@pytest.fixture
def pod(tmp_path: Path) -> Iterator[Pod]:
    """A pod with a value, on a volume of 64 KiB."""
    with tmpfs(tmp_path / "data", "64k"), Pod(tmp_path / "data", "--log-level=debug") as pod:
        post(pod, OLD)
        yield pod


def filled(path: Path) -> Path:
    """Takes all room there is; the file that takes it."""
    filler = path / "filler"
    with filler.open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(bytes(4096))
    found = os.statvfs(path)
    assert found.f_bavail == 0
    return filler


def test_a_post_that_finds_no_room_is_answered_507_and_the_pod_is_alive_but_not_ready(pod: Pod) -> None:
    filled(pod.data_dir)

    refused = post(pod, NEW)

    assert refused.status == FULL
    assert b"No space left on device" in refused.body
    assert get(pod) == (STORED, OLD)
    assert not is_ready(pod)
    assert ask(pod, "GET", "/healthz").status == STORED
    assert files_on(pod.data_dir) == ["filler", "kubia.txt"]
    assert "No space left on device" in pod.log.read_text()


def test_the_first_post_after_room_was_made_succeeds(pod: Pod) -> None:
    filler = filled(pod.data_dir)
    assert post(pod, NEW).status == FULL
    filler.unlink()
    assert post(pod, NEW).status == STORED
    assert get(pod) == (STORED, NEW)
    assert is_ready(pod)


def test_a_pod_is_ready_without_a_post_once_there_is_room_for_a_small_value(pod: Pod) -> None:
    filler = filled(pod.data_dir)
    assert post(pod, NEW).status == FULL
    until("an attempt to mend", lambda: pod.log.read_text().count("A trial write") > 1)
    assert not is_ready(pod)
    with filler.open("r+b") as file:
        file.truncate(filler.stat().st_size - 4096)  # not for what was refused
    until("the pod to be ready", lambda: is_ready(pod), 5)
    assert get(pod) == (STORED, OLD)
    assert post(pod, b"small").status == STORED


def test_a_post_that_finds_no_room_leaves_a_pod_ready_that_can_take_a_small_value(pod: Pod) -> None:
    for _ in range(3):
        assert post(pod, b"n" * 100_000).status == FULL  # written short at first
        assert is_ready(pod)
    assert get(pod) == (STORED, OLD)
    assert post(pod, NEW).status == STORED
    assert get(pod) == (STORED, NEW)
    assert is_ready(pod)


def test_an_exhausted_device_makes_a_pod_not_ready_before_the_first_post(pod: Pod) -> None:
    assert is_ready(pod)
    filler = filled(pod.data_dir)
    until("the pod to find out", lambda: not is_ready(pod), TRIAL_INTERVAL + 5)
    refused = ask(pod, "GET", "/readyz")
    assert b"No space left on device" in refused.body
    assert get(pod) == (STORED, OLD)
    filler.unlink()
    until("the pod to be ready", lambda: is_ready(pod), 5)


def test_a_pod_starts_on_a_full_volume_with_its_value_and_is_ready_when_there_is_room(pod: Pod) -> None:
    filler = filled(pod.data_dir)
    pod.kill()
    with Pod(pod.data_dir) as again:
        assert get(again) == (STORED, OLD)
        assert not is_ready(again)
        filler.unlink()
        until("the pod to be ready", lambda: is_ready(again), 5)
        assert post(again, NEW).status == STORED


def test_a_full_volume_keeps_its_ledger_from_being_written_and_no_value_from_being_served(
    tmp_path: Path,
) -> None:
    with tmpfs(tmp_path / "data", "64k") as volume:
        filler = filled(volume)
        for _ in range(2):
            with Pod(volume) as pod:
                assert get(pod).status == NOT_FOUND
                said = ledger(pod)
                assert said["verdict"]["verdict"] == "unknown"
                assert "No space left on device" in said["fault"]
        filler.unlink()
        with Pod(volume) as pod:
            assert ledger(pod)["verdict"]["verdict"] == "good"
            assert ledger(pod)["fault"] is None
            post(pod, OLD)
            filler = filled(volume)
            pod.kill()
        with Pod(volume) as pod:  # which numbers its commits, though its ledger does not know of it
            assert get(pod) == (STORED, OLD)
            assert "No space left on device" in ledger(pod)["fault"]
            filler.unlink()
            post(pod, NEW)
            pod.kill()
        with Pod(volume) as pod:
            assert get(pod) == (STORED, NEW)
            assert ledger(pod)["fault"] is None
            assert ledger(pod)["verdict"]["verdict"] == "good"
