"""What a probe's writes and reads prove: pure bookkeeping, told of each as it begins and ends.

The rule is linearizability, for registers with one writer each. A pod's value is such a register. Numbers
grow over the whole run, and a write is conditional on the value that was there before it, so that one
whose answer never came cannot take effect after a later one. Hence the *floor* of a register: the newest
number that was acknowledged, or was seen by a read that has ended. A read that begins now must see the
floor or more.

- A read that sees less is **stale**: counted, each time.
- Before each write the pod itself is asked. Where it has less than the floor, the acknowledged numbers
  above what it has are **lost**. So they are where it has none, or what was there before the probe began.
- Where it has somebody else's value instead, that one was **overwritten**: no loss, and no floor any more.
- A value that was made for another pod is **misdirected**, and so is a write that another pod acknowledged.
- A value with our mark that is not byte for byte what was written is **torn**.
- A write whose answer never came is **unknown**: neither acknowledged nor lost, and welcome to appear.
"""

import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import replace

from kubia_pet.limits import MAX_REMEMBERED
from kubia_pet.probe.counts import Counts, Silence, Snapshot
from kubia_pet.probe.numbered import Kind, Sighting


class Register:
    """The account of the pod called `pod`."""

    def __init__(self, pod: str, clock: Callable[[], float] = time.monotonic) -> None:
        self.pod = pod
        self._counts = Counts()
        self._clock = clock
        self._silence = Silence(clock())
        self._floor = 0
        self._acknowledged: deque[int] = deque(maxlen=MAX_REMEMBERED)
        self._odd: dict[str, Sighting] = {}

    def counts(self) -> Counts:
        """A copy, as of now."""
        return replace(self._counts, longest_without_answer=self._silence.longest(self._clock()))

    @property
    def floor(self) -> int:
        """What a read that begins now must see, or a later number: hand it to `read`."""
        return self._floor

    def end(self) -> None:
        """Its next answer is the last."""
        self._silence.end()

    def answered(self) -> None:
        """The pod answered something useful."""
        self._silence.broken(self._clock())

    def acknowledged(self, number: int, *, meant_for: str) -> None:
        """The pod said that it has stored this number."""
        self.answered()
        self._counts.acknowledged += 1
        self._counts.misdirected += meant_for not in {"", self.pod}
        self._acknowledged.append(number)
        self._floor = max(self._floor, number)

    def unknown(self) -> None:
        """A write was sent and its answer never came."""
        self._counts.unknown += 1

    def refused(self) -> None:
        """A request was answered with an error, or could not be sent."""
        self._counts.refused += 1

    def read(self, seen: Sighting, *, floor: int, by: str) -> None:
        """A read `by` somebody, begun at that floor, has ended.

        Somebody else's value is the writer's to judge.
        """
        self._counts.reads += 1
        if self._noted(seen, by) or seen.kind is Kind.FOREIGN:
            return
        if seen.number < floor:
            self._counts.stale += 1
        else:
            self._floor = max(self._floor, seen.number)

    def looked(self, seen: Sighting, *, as_before: bool) -> None:
        """The pod itself was asked while no write was under way.

        `as_before` says that its value is the one from before the probe began.
        """
        self.answered()
        if self._noted(seen, self.pod):
            return
        if seen.kind is Kind.FOREIGN and not as_before:
            self._counts.overwritten += 1
            self._acknowledged.clear()
            self._floor = 0
        elif seen.number < self._floor:
            while self._acknowledged and self._acknowledged[-1] > seen.number:
                self._acknowledged.pop()
                self._counts.lost += 1
            self._floor = seen.number
        else:
            self._floor = seen.number

    def _noted(self, seen: Sighting, by: str) -> bool:
        """Whether it is torn or another pod's: counted when it is news to who saw it."""
        misdirected = seen.kind is Kind.OURS and seen.pod not in {"", self.pod}
        news = self._odd.get(by) != seen
        self._odd[by] = seen
        self._counts.torn += news and seen.kind is Kind.TORN
        self._counts.misdirected += news and misdirected
        return misdirected or seen.kind is Kind.TORN


class Account:
    """All registers, those of pods that turn up later included."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._registers: dict[str, Register] = {}
        self._silence = Silence(clock())
        self._nobodys = Counts()  # writes through a Service of which no pod is known

    @property
    def pods(self) -> Sequence[str]:
        """Those that have a register."""
        return list(self._registers)

    @property
    def has_acknowledged(self) -> bool:
        """Whether any pod has said that it has stored something."""
        return any(register.counts().acknowledged for register in self._registers.values())

    def register(self, pod: str) -> Register:
        """That pod's."""
        if pod not in self._registers:
            self._registers[pod] = Register(pod, self._clock)
        return self._registers[pod]

    def answered(self) -> None:
        """Anybody answered something useful."""
        self._silence.broken(self._clock())

    def unknown(self) -> None:
        """A write through a Service was sent and its answer never came."""
        self._nobodys.unknown += 1

    def refused(self) -> None:
        """A request to a Service was answered with an error, or could not be sent."""
        self._nobodys.refused += 1

    def end(self) -> None:
        """Each pod is asked once more, and not as long as another one is waited for."""
        self._silence.end()
        for register in self._registers.values():
            register.end()

    def snapshot(self) -> "Snapshot":
        """A copy that another thread may keep."""
        pods = {pod: register.counts() for pod, register in self._registers.items()}
        total = sum(pods.values(), self._nobodys)
        silence = self._silence.longest(self._clock())
        return Snapshot(pods, replace(self._nobodys), replace(total, longest_without_answer=silence))
