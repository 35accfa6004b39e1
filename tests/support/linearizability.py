"""Whether a recorded history of one register could have happened one operation at a time.

The algorithm of Wing and Gong (1993) with Lowe's memoization ("Testing for linearizability", 2017).
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

UNKNOWN = math.inf  # when an operation returned of which nobody knows whether it took effect


@dataclass(frozen=True)
class Operation:
    """A write or a read of `value`, from `called` to `returned` (seconds on one clock)."""

    is_write: bool
    value: str | None
    called: float
    returned: float


def is_linearizable(history: Sequence[Operation], initial: str | None = None) -> bool:
    """Whether the history has an order that respects real time and in which each read gets the last write.

    Each value is written once. A write that returned at UNKNOWN may take effect at any time after its
    call, or never.
    """
    operations = sorted(_decided(history), key=lambda each: each.called)
    must = (1 << len(operations)) - 1
    seen = {(0, initial)}
    todo = [(0, initial)]
    while todo:
        done, value = todo.pop()
        if done == must:
            return True
        for index in _next(operations, done):
            each = operations[index]
            if each.is_write or each.value == value:
                state = done | 1 << index, each.value
                if state not in seen:
                    seen.add(state)
                    todo.append(state)
    return False


def _decided(history: Sequence[Operation]) -> Iterator[Operation]:
    """The history without writes of unknown outcome: read by nobody they need not have happened, else they
    took effect before the first read of their value returned."""
    first_read: dict[str | None, float] = {}
    for each in history:
        if not each.is_write:
            first_read[each.value] = min(each.returned, first_read.get(each.value, UNKNOWN))
    for each in history:
        if each.returned != UNKNOWN:
            yield each
        elif each.value in first_read:
            yield replace(each, returned=first_read[each.value])


def _next(operations: Sequence[Operation], done: int) -> list[int]:
    """The operations that may come next: those called before any other one that is not done returned."""
    found = []
    first_return = UNKNOWN
    for index, each in enumerate(operations):
        if each.called > first_return:
            break
        if not done >> index & 1:
            found.append(index)
            first_return = min(first_return, each.returned)
    return [index for index in found if operations[index].called <= first_return]
