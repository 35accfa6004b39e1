"""Volumes that become read-only, go away or hang under a serving pod."""

import fcntl
import os
import shutil
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import pytest

from tests.durability.asking import NOT_FOUND, STORED, UNAVAILABLE, Reply, ask, get, is_ready, post
from tests.durability.volumes import ext4, frozen, fuse, run, tmpfs, unmount
from tests.hostile.clients.raw_http import address_of
from tests.support.pod import Pod, until

OLD = b"the old value"
DEADLINE = 2.0  # seconds, from the issue


@contextmanager
def always_alive(pod: Pod) -> Iterator[None]:
    """Asks for liveness and metrics all the time; fails where either does not answer within a second."""
    over = threading.Event()

    def ask_on() -> int:
        asked = 0
        while not over.is_set():
            for path in ("/healthz", "/metrics"):
                assert ask(pod, "GET", path, timeout=1).status == STORED
                asked += 1
        return asked

    with ThreadPoolExecutor(1) as thread:
        asked = thread.submit(ask_on)
        try:
            yield
        finally:
            over.set()
        assert asked.result() > 0


def timed(request: Callable[[], Reply]) -> tuple[int, float]:
    """The answer's status, and the seconds that it took."""
    began = time.monotonic()
    return request().status, time.monotonic() - began


def assert_unavailable_in_time(*requests: Callable[[], Reply]) -> None:
    """Each is answered 503 within the deadline, all of them asked at once."""
    with ThreadPoolExecutor(len(requests)) as threads:
        for status, seconds in threads.map(timed, requests):
            assert status == UNAVAILABLE
            assert seconds < DEADLINE


def ready(pod: Pod) -> Reply:
    return ask(pod, "GET", "/readyz")


def test_a_volume_turned_read_only_makes_the_pod_unready_and_refuses_posts_until_it_is_writable(
    tmp_path: Path,
) -> None:
    with tmpfs(tmp_path / "data") as volume, Pod(volume) as pod:
        post(pod, OLD)
        with always_alive(pod):
            run("mount", "-o", "remount,ro", volume)
            assert_unavailable_in_time(lambda: ready(pod))  # no POST needed to find it
            refused = post(pod, b"new")
            assert refused.status == UNAVAILABLE
            assert b"Read-only file system" in refused.body
            assert get(pod) == (STORED, OLD)
            run("mount", "-o", "remount,rw", volume)
            until("the pod to be ready", lambda: is_ready(pod), 5)
        assert get(pod) == (STORED, OLD)
        assert post(pod, b"new").status == STORED


def test_a_directory_that_is_removed_is_an_error_and_no_old_copy_until_one_is_there_again(
    tmp_path: Path,
) -> None:
    with Pod(tmp_path / "data") as pod:
        post(pod, OLD)
        with always_alive(pod):
            shutil.rmtree(pod.data_dir)
            assert_unavailable_in_time(
                lambda: get(pod), lambda: ready(pod), lambda: post(pod, b"new"), lambda: ask(pod, "GET", "/")
            )
            pod.data_dir.mkdir()
            until("the pod to be ready", lambda: is_ready(pod), 5)
        assert get(pod).status == NOT_FOUND
        assert post(pod, b"new").status == STORED
        assert get(pod) == (STORED, b"new")
        second = Pod(pod.data_dir, name="kubia-1").launch()
        assert second.process.wait(10) == 1  # the new directory is locked too


def test_what_lies_under_an_unmounted_volume_is_not_taken_for_it_but_another_one_is(tmp_path: Path) -> None:
    path = tmp_path / "data"
    path.mkdir()
    (path / "kubia.txt").write_text("on the node's own disk")
    with tmpfs(path), Pod(path, "--log-level=debug") as pod:
        post(pod, OLD)
        unmount(path)
        try:
            with always_alive(pod):
                assert_unavailable_in_time(lambda: get(pod), lambda: ready(pod), lambda: post(pod, b"new"))
                tried = "Nothing is mounted"
                until("an attempt to mend", lambda: pod.log.read_text().count(tried) > 1)
                assert_unavailable_in_time(lambda: get(pod), lambda: ready(pod))
        finally:
            run("mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", path)
        until("the pod to be ready", lambda: is_ready(pod), 5)
        assert get(pod).status == NOT_FOUND
        assert post(pod, b"new").status == STORED
        assert (path / "kubia.txt").read_bytes() == b"new"
    assert (path / "kubia.txt").read_text() == "on the node's own disk"


def test_a_volume_that_hangs_is_unavailable_in_time_and_mends_itself(tmp_path: Path) -> None:
    with fuse(tmp_path / "data") as volume, Pod(volume.path) as pod:
        post(pod, OLD)
        with always_alive(pod):
            with volume.hung():
                assert_unavailable_in_time(
                    *[lambda: get(pod)] * 10,
                    *[lambda: ready(pod)] * 3,
                    *[lambda: post(pod, b"new")] * 10,
                    lambda: ask(pod, "GET", "/"),
                )
            until("the pod to be ready", lambda: is_ready(pod), 5)
        assert get(pod) in [(STORED, OLD), (STORED, b"new")]  # what the 503 said
        assert post(pod, b"newer").status == STORED
        assert get(pod) == (STORED, b"newer")


def test_requests_that_repeat_the_one_before_meet_a_volume_that_hangs_like_others(tmp_path: Path) -> None:
    asked, alive = (f"GET /{path} HTTP/1.1\r\nHost: a\r\n\r\n".encode() for path in ("data", "healthz"))
    with fuse(tmp_path / "data") as volume, Pod(volume.path) as pod:
        post(pod, OLD)
        with socket.create_connection(address_of(pod.url)) as kept, kept.makefile("rb") as answers:
            for following in ([], [asked], [alive]):
                until("the pod to be ready", lambda: is_ready(pod), 5)
                for _ in range(3):
                    kept.sendall(asked)
                    assert status_of(answers) == STORED
                with volume.hung():
                    began = time.monotonic()
                    for each in (asked, *following):
                        kept.sendall(each)
                        time.sleep(0.02)  # two packets
                    assert status_of(answers) == UNAVAILABLE
                    assert time.monotonic() - began < DEADLINE
                    if following == [alive]:
                        assert status_of(answers) == STORED
                if following == [asked]:
                    assert status_of(answers) in {STORED, UNAVAILABLE}


def status_of(answers: IO[bytes]) -> int:
    """The next answer's status."""
    head = list(iter(answers.readline, b"\r\n"))
    (size,) = (int(line[15:]) for line in head if line.startswith(b"Content-Length:"))
    answers.read(size)
    return int(head[0][9:12])


def test_a_volume_whose_server_dies_is_unavailable_in_time_and_mends_itself_when_mounted_anew(
    tmp_path: Path,
) -> None:
    with fuse(tmp_path / "data") as volume, Pod(volume.path) as pod:
        post(pod, OLD)
        with always_alive(pod):
            volume.end()
            assert_unavailable_in_time(lambda: get(pod), lambda: ready(pod), lambda: post(pod, b"new"))
            unmount(volume.path)
            volume.mount()
            until("the pod to be ready", lambda: is_ready(pod), 5)
        assert get(pod) == (STORED, OLD)
        assert post(pod, b"new").status == STORED


def test_a_volume_where_only_writes_hang_serves_reads_and_is_unready_from_the_first_write_on(
    tmp_path: Path,
) -> None:
    with ext4(tmp_path / "data") as volume, Pod(volume) as pod:
        post(pod, OLD)
        with always_alive(pod):
            with frozen(volume):
                began = time.monotonic()
                assert_unavailable_in_time(lambda: post(pod, b"new"))
                assert get(pod) == (STORED, OLD)
                assert not is_ready(pod)
                assert time.monotonic() - began < DEADLINE
            until("the pod to be ready", lambda: is_ready(pod), 5)
        assert get(pod) == (STORED, b"new")  # the write that hung took effect, as the 503 said it may


def test_a_pod_that_ends_while_a_write_hangs_keeps_the_lock_until_the_write_is_over(tmp_path: Path) -> None:
    with ext4(tmp_path / "data") as volume:
        pod = Pod(volume).start()
        directory = os.open(volume, os.O_RDONLY)
        try:
            with frozen(volume):
                assert post(pod, b"new").status == UNAVAILABLE
                pod.process.terminate()
                until("the pod to end", lambda: "has ended" in pod.log.read_text())
                with pytest.raises(BlockingIOError):
                    fcntl.flock(directory, fcntl.LOCK_EX | fcntl.LOCK_NB)
            assert pod.process.wait(10) == 0
            fcntl.flock(directory, fcntl.LOCK_EX | fcntl.LOCK_NB)
        finally:
            os.close(directory)
