"""The order of the system calls of a commit, as strace saw them."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path

import pytest

from tests.durability.asking import STORED, ask, post
from tests.durability.machine import needs_strace
from tests.durability.strace import COMMIT_AND_ANSWER, RECEIVES, Call, Strace, parsed
from tests.support.pod import Pod

TEMPORARY = "/.kubia.txt.tmp>"
LEDGER = "/.kubia-pet/"
TRACED = ("-y", "-s", "200", "-e", f"{COMMIT_AND_ANSWER},{','.join(RECEIVES)}")


@pytest.fixture
def pod(tmp_path: Path) -> Iterator[Pod]:
    needs_strace()
    with Pod(tmp_path / "data") as pod:
        yield pod


def step(call: Call) -> str | None:
    """What a call means for a commit; None where it is another's."""
    if call.is_answer(STORED):
        return "answer"
    match call.name:
        case "renameat":
            return "rename"
        case "fsync" if LEDGER in call.arguments:
            return "fsync of the number"
        case "write" | "pwrite64" if LEDGER in call.arguments:
            return "number"
        case "fsync":
            return "fsync of the file" if TEMPORARY in call.arguments else "fsync of the directory"
        case "write" if TEMPORARY in call.arguments:
            return "write"
        case "unlinkat" if call.ok:
            return "unlink"
        case _:
            return None


def steps(calls: list[Call]) -> list[tuple[str, Call]]:
    return [(meaning, call) for call in calls if (meaning := step(call))]


@pytest.mark.parametrize("size", [1, 4096, 1 << 20])
def test_a_post_is_answered_after_write_fsync_rename_and_fsync_of_the_directory(
    pod: Pod, tmp_path: Path, size: int
) -> None:
    trace = tmp_path / "trace"
    with Strace(trace, *TRACED, pod=pod):
        assert post(pod, b"v" * size).status == STORED

    seen = steps(parsed(trace.read_text().splitlines()))

    assert [meaning for meaning, _ in seen] == [
        "write",
        "fsync of the file",
        "rename",
        "fsync of the directory",
        "answer",
    ]
    # The answer came; strace may have let go of the pod before that call returned.
    assert all(call.ok for meaning, call in seen if meaning != "answer")
    assert all(one.ended < next_.began for (_, one), (_, next_) in pairwise(seen))


def test_an_empty_post_is_fsynced_too(pod: Pod, tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    with Strace(trace, *TRACED, pod=pod):
        assert post(pod, b"").status == STORED

    seen = [meaning for meaning, _ in steps(parsed(trace.read_text().splitlines()))]

    assert seen == ["fsync of the file", "rename", "fsync of the directory", "answer"]


def test_a_delete_is_answered_after_its_number_and_the_unlink_by_one_fsync_more_than_it_needs(
    pod: Pod, tmp_path: Path
) -> None:
    post(pod, b"to be removed")
    trace = tmp_path / "trace"
    with Strace(trace, *TRACED, pod=pod):
        assert ask(pod, "DELETE", "/").status == STORED

    seen = [meaning for meaning, _ in steps(parsed(trace.read_text().splitlines()))]

    assert seen == ["number", "fsync of the number", "unlink", "fsync of the directory", "answer"]


def test_each_of_many_posts_at_once_is_answered_after_a_whole_commit_that_began_after_it_came(
    pod: Pod, tmp_path: Path
) -> None:
    trace = tmp_path / "trace"
    values = [f"value {number}".encode() for number in range(40)]
    with Strace(trace, *TRACED, pod=pod), ThreadPoolExecutor(8) as clients:
        replies = list(clients.map(lambda value: post(pod, value), values))
    assert {reply.status for reply in replies} == {STORED}

    calls = parsed(trace.read_text().splitlines())
    seen = steps(calls)
    writes = [call for meaning, call in seen if meaning == "write"]
    confirmed = [call for meaning, call in seen if meaning == "fsync of the directory"]
    assert len(writes) == len(confirmed) < len(values)  # some were shared
    came: dict[int, Call] = {}
    answered = 0
    for call in calls:
        if call.name in RECEIVES and "POST / HTTP" in call.arguments:
            came[call.file] = call
        elif step(call) == "answer":
            answered += 1
            assert any(
                came[call.file].ended < write.began and fsync.ended < call.began
                for write, fsync in zip(writes, confirmed, strict=True)
            ), call
    assert answered == len(values)
