"""Every state that a crash of the machine may leave, at each system call that a real pod was seen to make."""

import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from kubia_pet.store import Volume
from kubia_pet.store.value_file import FILE
from tests.durability.asking import STORED, UNAVAILABLE, ask, get, is_ready, post
from tests.durability.crash_model import BLOCK, Directory
from tests.durability.machine import needs_strace
from tests.durability.strace import COMMIT_AND_ANSWER, Call, Strace, parsed
from tests.support.pod import Pod, files_on, until

OLD = b"o" * (BLOCK + 10)
NEW = b"n" * (2 * BLOCK + 10)  # three blocks
LEDGER = ".kubia-pet"
TRACED = ("-y", "-s", str(4 * BLOCK), "-e", COMMIT_AND_ANSWER)


@dataclass(frozen=True)
class Crash:
    """Files that a crash may leave, and the values of which a pod that starts then must find one."""

    files: frozenset[tuple[str, bytes]]
    allowed: frozenset[bytes | None]

    def found(self, scratch: Path) -> bytes | None:
        """What it finds, by the rule with which the store starts."""
        scratch.mkdir(exist_ok=True)
        shutil.rmtree(scratch)
        scratch.mkdir()
        for name, data in self.files:
            (scratch / name).write_bytes(data)
        volume = Volume(scratch, 1 << 20)
        volume.open(0)
        try:
            assert {*files_on(scratch)} <= {FILE}
            content = volume.read()
            return content and content.data
        finally:
            volume.close()


@dataclass(frozen=True)
class Recorded:
    """Calls of real pods, of which the first that was answered with 200 changed `before` to `after`."""

    calls: list[Call]
    before: bytes | None
    after: bytes | None

    def crashes(self, omitted: Callable[[Call], bool]) -> set[Crash]:
        """All that may come of a crash before, between and after the calls, but for those omitted."""
        directory = Directory.holding({} if self.before is None else {FILE: self.before})
        inode_of: dict[int, int] = {}
        allowed = frozenset({self.before, self.after})
        found = set()
        for call in self.calls:
            if omitted(call):
                continue
            if call.is_answer(STORED):
                allowed = frozenset({self.after})
            elif self._is_ours(call):
                _replay(call, directory, inode_of)
            found |= {Crash(frozenset(files.items()), allowed) for files in directory.after_a_crash()}
        return found

    def wrong(self, omitted: Callable[[Call], bool], scratch: Path) -> list[Crash]:
        """The crashes after which a pod finds what it must not."""
        return [crash for crash in self.crashes(omitted) if crash.found(scratch) not in crash.allowed]

    @staticmethod
    def _is_ours(call: Call) -> bool:
        return ("/data>" in call.arguments or "/data/" in call.arguments) and LEDGER not in call.arguments


def _replay(call: Call, directory: Directory, inode_of: dict[int, int]) -> None:
    """Does to the model what the kernel was asked to do."""
    match call.name, call.strings:
        case "openat", [name] if call.ok and "O_CREAT" in call.arguments:
            inode_of[call.file] = directory.create(name)
        case "openat", [name] if call.ok:
            inode_of[call.file] = directory.seen[name]
        case "write", [data]:
            assert len(data) == int(call.result)
            directory.write(inode_of[call.file], data.encode())
        case "unlinkat", [name] if call.ok:
            directory.unlink(name)
        case "renameat", [old, new] if call.ok:
            directory.rename(old, new)
        case "fsync", _:
            directory.fsync(None if "/data>" in call.arguments else inode_of[call.file], ok=call.ok)


def nothing(_: Call) -> bool:
    return False


def fsync_of_the_file(call: Call) -> bool:
    return call.name == "fsync" and "/data/" in call.arguments


def fsync_of_the_directory(call: Call) -> bool:
    return call.name == "fsync" and "/data>" in call.arguments


def first_value(pod: Pod, trace: Path) -> Recorded:
    with Strace(trace, *TRACED, pod=pod):
        assert post(pod, NEW).status == STORED
    return Recorded(_calls(trace), None, NEW)


def replaced(pod: Pod, trace: Path) -> Recorded:
    post(pod, OLD)
    with Strace(trace, *TRACED, pod=pod):
        assert post(pod, NEW).status == STORED
    return Recorded(_calls(trace), OLD, NEW)


def removed(pod: Pod, trace: Path) -> Recorded:
    post(pod, OLD)
    with Strace(trace, *TRACED, pod=pod):
        assert ask(pod, "DELETE", "/").status == STORED
    return Recorded(_calls(trace), OLD, None)


def refused_by_the_file_and_posted_again(pod: Pod, trace: Path) -> Recorded:
    post(pod, OLD)
    with Strace(trace, *TRACED, "-e", "inject=fsync:error=EIO:when=1", pod=pod):
        assert post(pod, NEW).status == UNAVAILABLE
        assert post(pod, NEW).status == STORED
    return Recorded(_calls(trace), OLD, NEW)


def not_confirmed_by_the_directory_and_mended(pod: Pod, trace: Path) -> Recorded:
    post(pod, OLD)
    with Strace(trace, *TRACED, "-e", "inject=fsync:error=EIO:when=2", pod=pod):
        assert post(pod, NEW).status == UNAVAILABLE
        until("the pod to be ready again", lambda: is_ready(pod), 5)
        assert get(pod) == (STORED, NEW)
    return Recorded(_calls(trace), OLD, NEW)


def killed_before_the_directory_was_fsynced_and_started_again(pod: Pod, trace: Path) -> Recorded:
    post(pod, OLD)
    with Strace(trace, *TRACED, "-e", "inject=fsync:signal=KILL:when=2", pod=pod) as strace:
        with pytest.raises(ConnectionError):
            post(pod, NEW)
        strace.until_killed(pod)
    until_killed = _calls(trace)
    trace.unlink()
    # -D: the process that we start is the pod, not strace.
    with Pod(pod.data_dir, prefix=["strace", "-D", "-f", "-o", str(trace), *TRACED]) as again:
        assert get(again) == (STORED, NEW)
    until("strace to end", lambda: re.search(rf"(?m)^{again.process.pid} +\+\+\+ killed", trace.read_text()))
    return Recorded(until_killed + _calls(trace), OLD, NEW)


def _calls(trace: Path) -> list[Call]:
    return parsed(trace.read_text().splitlines())


@pytest.fixture(
    scope="module",
    params=[
        first_value,
        replaced,
        removed,
        refused_by_the_file_and_posted_again,
        not_confirmed_by_the_directory_and_mended,
        killed_before_the_directory_was_fsynced_and_started_again,
    ],
    ids=lambda record: record.__name__,
)
def recorded(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Recorded:
    needs_strace()
    path = tmp_path_factory.mktemp("recorded")
    record: Callable[[Pod, Path], Recorded] = request.param
    with Pod(path / "data") as pod:
        return record(pod, path / "trace")


def test_no_crash_of_the_machine_tears_a_value_or_takes_one_that_was_acknowledged(
    recorded: Recorded, tmp_path: Path
) -> None:
    assert len(recorded.crashes(nothing)) >= 3
    assert not recorded.wrong(nothing, tmp_path / "crashed")


def test_without_the_fsync_of_the_directory_a_crash_could_take_an_acknowledged_value(
    recorded: Recorded, tmp_path: Path
) -> None:
    wrong = recorded.wrong(fsync_of_the_directory, tmp_path / "crashed")
    assert any(crash.found(tmp_path / "crashed") == recorded.before for crash in wrong)


def test_without_the_fsync_of_the_file_a_crash_could_tear_the_value(
    recorded: Recorded, tmp_path: Path
) -> None:
    wrong = recorded.wrong(fsync_of_the_file, tmp_path / "crashed")
    torn = [
        crash for crash in wrong if crash.found(tmp_path / "crashed") not in {recorded.before, recorded.after}
    ]
    assert bool(torn) == (recorded.after is not None)  # a removal writes no file


def test_in_the_model_an_fsync_after_one_that_failed_promises_nothing() -> None:
    directory = Directory.holding({})
    file = directory.create(FILE)
    directory.write(file, b"value")
    for ok in (False, True):
        directory.fsync(file, ok=ok)
        directory.fsync(None, ok=ok)
    assert {} in list(directory.after_a_crash())
    directory.create("another")
    directory.fsync(None)
    assert {} not in list(directory.after_a_crash())
    assert {FILE: b"", "another": b""} in list(directory.after_a_crash())
