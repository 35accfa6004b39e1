"""Errors at every system call of a commit, injected by strace; short writes by a limit and a FUSE volume."""

import errno
import json
import os
import resource
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.durability.asking import FULL, NOT_FOUND, STORED, UNAVAILABLE, ask, get, is_ready, post
from tests.durability.machine import needs_strace
from tests.durability.strace import Point, Strace, points_of_a_commit, writer_of
from tests.durability.volumes import SHORT, fuse
from tests.support.pod import Pod, files_on, until

OLD = b"the old value"


class Traced:
    """A pod, and strace for the thread of it that writes."""

    def __init__(self, pod: Pod) -> None:
        self.pod = pod
        self._writer = writer_of(pod)
        self.trace = pod.data_dir.parent / "trace"
        post(pod, OLD)
        self.posting = self._points(lambda: post(pod, OLD), of_ledger=False)
        self.posting_ledger = self._points(lambda: post(pod, OLD), of_ledger=True)
        self.removing_ledger = self._points(lambda: ask(pod, "DELETE", "/"), of_ledger=True)
        post(pod, OLD)
        self.removing = self._points(lambda: ask(pod, "DELETE", "/"), of_ledger=False)
        post(pod, OLD)

    def _points(self, commit: Callable[[], object], *, of_ledger: bool) -> list[Point]:
        return points_of_a_commit(self._writer, self.trace, commit, of_ledger=of_ledger)

    def failing(self, call: str, error: str, when: str) -> Strace:
        """For its time the pod's `when`th such call fails."""
        return Strace(self.trace, "-e", f"inject={call}:error={error}:when={when}", tid=self._writer)


@pytest.fixture
def traced(tmp_path: Path) -> Iterator[Traced]:
    needs_strace()
    with Pod(tmp_path / "data") as pod:
        yield Traced(pod)


@pytest.mark.timeout(120)
@pytest.mark.parametrize("error", ["EIO", "ENOSPC", "EROFS", "EDQUOT"])
def test_an_error_at_any_call_of_a_post_is_told_and_leaves_the_old_value_and_a_pod_that_works(
    traced: Traced, error: str
) -> None:
    pod = traced.pod
    assert len(traced.posting) > 5
    for point in traced.posting:
        with traced.failing(point.name, error, str(point.number)):
            failed = post(pod, b"refused")
        renamed = point == ("fsync", 2)
        full = error in ("ENOSPC", "EDQUOT") and point.name != "newfstatat" and not renamed
        assert failed.status == (FULL if full else UNAVAILABLE), (point, failed)
        assert os.strerror(getattr(errno, error)).encode() in failed.body or (point.name == "newfstatat"), (
            point,
            failed,
        )
        assert is_ready(pod) is full, point  # what failed once leaves room for a small value
        if renamed:
            assert get(pod).status == UNAVAILABLE, point
        else:
            assert get(pod) == (STORED, OLD), point
        assert post(pod, OLD).status == STORED, point
        assert get(pod) == (STORED, OLD), point
        assert is_ready(pod), point
        assert files_on(pod.data_dir) == ["kubia.txt"], point


@pytest.mark.parametrize("error", ["EIO", "EROFS"])
def test_an_error_at_any_call_of_a_delete_is_told_and_leaves_the_old_value_and_a_pod_that_works(
    traced: Traced, error: str
) -> None:
    pod = traced.pod
    for point in traced.removing:
        with traced.failing(point.name, error, str(point.number)):
            assert ask(pod, "DELETE", "/").status == UNAVAILABLE, point
        if point.name == "fsync":
            assert get(pod).status == UNAVAILABLE, point
        else:
            assert get(pod) == (STORED, OLD), point
        assert post(pod, OLD).status == STORED, point
        assert is_ready(pod), point


@pytest.mark.parametrize("error", ["EIO", "ENOSPC", "EROFS", "EOPNOTSUPP"])
def test_an_error_at_any_call_for_the_ledgers_sake_keeps_no_value_from_being_stored_removed_or_served(
    traced: Traced, error: str
) -> None:
    pod = traced.pod
    assert {point.name for point in traced.posting_ledger} == {"fsetxattr"}
    assert {"openat", "pwrite64", "fsync", "close"} <= {point.name for point in traced.removing_ledger}
    for point in traced.posting_ledger:
        with traced.failing(point.name, error, str(point.number)):
            assert post(pod, b"new").status == STORED, point
        assert get(pod) == (STORED, b"new"), point
    for point in traced.removing_ledger:
        with traced.failing(point.name, error, str(point.number)):
            assert ask(pod, "DELETE", "/").status == STORED, point
        assert get(pod).status == NOT_FOUND, point
        fault = json.loads(ask(pod, "GET", "/ledger").body)["fault"]
        assert os.strerror(getattr(errno, error)) in fault, point
        assert is_ready(pod), point
        assert post(pod, OLD).status == STORED, point
        assert ask(pod, "DELETE", "/").status == STORED
        assert json.loads(ask(pod, "GET", "/ledger").body)["fault"] is None, point
    assert "Traceback" not in pod.log.read_text()


def test_a_pod_whose_fsync_keeps_failing_stays_unready_and_mends_itself_without_a_post(
    traced: Traced,
) -> None:
    pod = traced.pod
    with traced.failing("fsync", "EIO", "1+"):
        assert post(pod, b"refused").status == UNAVAILABLE
        until("an attempt to mend", lambda: traced.trace.read_text().count("INJECTED") > 1, 5)
        assert not is_ready(pod)
        assert get(pod) == (STORED, OLD)
        assert ask(pod, "GET", "/healthz").status == STORED
    until("the pod to be ready again", lambda: is_ready(pod), 5)
    assert get(pod) == (STORED, OLD)


def test_a_change_that_the_directory_did_not_confirm_is_not_served_until_it_is_durable(
    traced: Traced,
) -> None:
    pod = traced.pod
    with traced.failing("fsync", "EIO", "2+"):
        assert post(pod, b"neither confirmed nor refused").status == UNAVAILABLE
        assert get(pod).status == UNAVAILABLE
        assert not is_ready(pod)
    until("the pod to be ready again", lambda: is_ready(pod), 5)
    assert get(pod) == (STORED, b"neither confirmed nor refused")


@pytest.mark.skipif(not hasattr(resource, "prlimit"), reason="only Linux limits another process")
def test_a_write_cut_short_by_a_limit_is_refused_and_leaves_the_old_value(tmp_path: Path) -> None:
    with Pod(tmp_path / "data") as pod:
        post(pod, OLD)
        resource.prlimit(pod.process.pid, resource.RLIMIT_FSIZE, (4096, resource.RLIM_INFINITY))
        assert post(pod, b"v" * 10_000).status == FULL
        assert get(pod) == (STORED, OLD)
        assert is_ready(pod)  # for a small value there is room
        resource.prlimit(pod.process.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY,) * 2)
        assert post(pod, b"v" * 10_000).status == STORED
        assert get(pod) == (STORED, b"v" * 10_000)
        assert is_ready(pod)


def test_a_value_is_whole_on_a_volume_that_takes_it_in_many_short_writes(tmp_path: Path) -> None:
    value = b"".join(b"%8d" % number for number in range(SHORT))  # eight writes, no two of them equal
    with fuse(tmp_path / "data"), Pod(tmp_path / "data") as pod:
        assert post(pod, value).status == STORED
        assert get(pod) == (STORED, value)
