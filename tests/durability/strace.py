"""strace, attached to a serving pod: records its system calls, or makes one of them fail or kill it."""

import re
import signal
import subprocess
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Self

from tests.support.pod import Pod

# Calls that wait for another thread of ours: they are no part of what a commit asks of the kernel.
WAITING = {"futex", "restart_syscall", "sched_yield", "getpid"}
# Nor are these: which thread gives memory back is a matter of chance.
MEMORY = {"brk", "madvise", "mmap", "mprotect", "munmap"}
RECEIVES = {"read", "recvfrom"}
SENDS = {"write", "writev", "sendto", "sendmsg"}
COMMIT_AND_ANSWER = "trace=openat,fsync,close,pwrite64,renameat,unlinkat," + ",".join(SENDS)
_LINE = re.compile(r"(?P<tid>\d+) +(?:<\.\.\. (?P<resumed>\w+) resumed>|(?P<name>\w+)\()(?P<rest>.*)")


@dataclass(frozen=True)
class Call:
    """One system call; `began` and `ended` are places in the order of all that was recorded."""

    tid: int
    name: str
    arguments: str
    result: str
    began: int
    ended: int

    @property
    def ok(self) -> bool:
        """Whether the kernel did it."""
        return bool(self.result) and not self.result.startswith(("-1", "?"))

    @property
    def file(self) -> int:
        """The number of the file that it is about, or that it opened."""
        return int(re.findall(r"^\d+", self.result if self.name == "openat" else self.arguments)[0])

    @property
    def strings(self) -> list[str]:
        """Its quoted arguments."""
        quoted = re.findall(r'"((?:[^"\\]|\\.)*)"', self.arguments)
        return [each.encode().decode("unicode_escape") for each in quoted]

    def is_answer(self, status: int) -> bool:
        """Whether it sends an HTTP answer of that status."""
        return self.name in SENDS and f'"HTTP/1.1 {status} ' in self.arguments


class Strace:
    """strace on a process and its threads, or on the one thread `tid`, from entry to exit."""

    def __init__(self, output: Path, *options: str, pod: Pod | None = None, tid: int = 0) -> None:
        whom = ["-p", str(tid)] if pod is None else ["-f", "-p", str(pod.process.pid)]
        self._output = output
        self._command = ["strace", "-o", str(output), *options, *whom]
        self._process: subprocess.Popen[str]

    def __enter__(self) -> Self:
        self._output.unlink(missing_ok=True)  # of a former attempt, whose numbers of threads may come again
        self._process = subprocess.Popen(self._command, stderr=subprocess.PIPE, text=True)
        assert self._process.stderr is not None
        said = self._process.stderr.readline()
        assert "attached" in said, said
        return self

    def __exit__(self, *_: object) -> None:
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGINT)  # it detaches; whom it traced goes on
        try:
            self._process.communicate(timeout=10)
        except subprocess.TimeoutExpired:
            self._kill()

    def until_killed(self, pod: Pod) -> None:
        """Waits for the end of a pod that it killed.

        strace 6.1 may wait for ever for a thread that was killed as it began, and the pod's end for strace.
        """
        try:
            pod.process.wait(10)
        except subprocess.TimeoutExpired:
            self._kill()
            pod.process.wait(10)

    def _kill(self) -> None:
        self._process.kill()
        self._process.communicate(timeout=10)


def writer_of(pod: Pod) -> int:
    """The thread that writes, by its name."""
    threads = Path(f"/proc/{pod.process.pid}/task").iterdir()
    (writer,) = (each for each in threads if (each / "comm").read_text().strip() == "store-write")
    return int(writer.name)


def parsed(lines: Iterable[str]) -> list[Call]:
    """The calls of strace's output, in the order in which they began; the killed call has no result."""
    calls: list[Call] = []
    unfinished: dict[str, tuple[str, str, int]] = {}
    for place, line in enumerate(lines):
        match = _LINE.match(line)
        if match is None:
            continue  # a signal, or the end of a thread
        tid, rest = match["tid"], match["rest"]
        if match["resumed"]:
            name, begun, began = unfinished.pop(tid, (match["resumed"], "", -1))
        else:
            name, begun, began = match["name"], "", place
        if rest.endswith((" <unfinished ...>", " <detached ...>")):
            unfinished[tid] = name, rest.rpartition("<")[0].rstrip(), began
            continue
        arguments, _, result = (begun + rest).rpartition(" = ")
        calls.append(Call(int(tid), name, arguments.rstrip().removesuffix(")"), result, began, place))
    end = 1 << 60
    calls += [
        Call(int(tid), name, begun, "?", began, end) for tid, (name, begun, began) in unfinished.items()
    ]
    return sorted(calls, key=lambda call: call.began)


class Point(NamedTuple):
    """A place in a commit: before the `number`th call of this name that its thread makes."""

    name: str
    number: int


def points_of_a_commit(
    writer: int, trace: Path, commit: Callable[[], object], *, of_ledger: bool | None = None
) -> list[Point]:
    """Every call that the thread `writer` makes for one real commit, as it was seen: only those that are, or
    are not, for the ledger's sake, where that is asked for.

    Those on the pipes are left out, though they count: they tell the event loop and are told by it.
    """
    with Strace(trace, "-y", tid=writer):
        commit()
    seen: Counter[str] = Counter()
    points = []
    for call in parsed(f"{writer} {line}" for line in trace.read_text().splitlines()):
        if call.name not in WAITING | MEMORY:
            seen[call.name] += 1
            is_ledgers = "/.kubia-pet" in call.arguments or call.name == "fsetxattr"
            if "<pipe:" not in call.arguments and of_ledger in (None, is_ledgers):
                points.append(Point(call.name, seen[call.name]))
    return points
