"""SIGKILL at every system call of a commit, and the pod's next start."""

from pathlib import Path

import pytest

from tests.durability.asking import NOT_FOUND, STORED, Reply, ask, get, post
from tests.durability.machine import needs_strace
from tests.durability.strace import Strace, points_of_a_commit, writer_of
from tests.support.pod import Pod, files_on

MAXIMUM = 1 << 20
OLD = b"the value before"


def commit(pod: Pod, new: bytes | None) -> Reply:
    """The request that stores `new`, or removes the value where that is None."""
    return ask(pod, "DELETE", "/") if new is None else post(pod, new)


@pytest.mark.timeout(120)
@pytest.mark.parametrize(
    "new",
    [b"", b"1", b"4" * 4096, b"m" * MAXIMUM, None],
    ids=["empty", "one byte", "4 KiB", "maximum", "removal"],
)
def test_killed_at_any_call_of_a_commit_a_pod_comes_back_with_the_old_or_the_new_value(
    tmp_path: Path, new: bytes | None
) -> None:
    needs_strace()
    data_dir = tmp_path / "data"
    before, after = Reply(STORED, OLD), Reply(STORED, new or b"")
    if new is None:
        after = Reply(NOT_FOUND, b"No data posted yet\n")
    with Pod(data_dir) as pod:
        writer = writer_of(pod)
        post(pod, OLD)
        points = points_of_a_commit(writer, tmp_path / "trace", lambda: commit(pod, new))

    found: list[Reply] = []
    for point in [*points, None]:
        with Pod(data_dir) as pod:
            writer = writer_of(pod)
            if point != points[0]:  # it was killed before
                found.append(get(pod))
                assert found[-1] in (before, after), points[len(found) - 1]
                assert {*files_on(data_dir)} <= {"kubia.txt"}, points[len(found) - 1]
            if point is not None:
                post(pod, OLD)
                killing = f"inject={point.name}:signal=KILL:when={point.number}"
                with Strace(tmp_path / "trace", "-e", killing, tid=writer) as strace:
                    with pytest.raises(ConnectionError):
                        commit(pod, new)
                    strace.until_killed(pod)

    # Both outcomes were seen, the new one from some call on: the one after the rename or the unlink.
    first_new = found.index(after)
    assert 0 < first_new < len(found)
    assert set(found[first_new:]) == {after}
    assert points[first_new].name == "fsync"
