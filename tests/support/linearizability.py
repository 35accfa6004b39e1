"""Whether a recorded history of one register could have happened one operation at a time.

The algorithm of Wing and Gong (1993) with Lowe's memoization ("Testing for linearizability", 2017).
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from enum import Enum, auto

UNKNOWN = math.inf  # when an operation returned of which nobody knows whether it took effect


class Any(Enum):
    """What a write without a condition replaces."""

    VALUE = auto()


@dataclass(frozen=True)
class Operation:
    """A write or a read of `value`, from `called` to `returned` (seconds on one clock).

    With `expected` it is a compare-and-set that was made, if it was: it took effect where that was the value.
    One that was refused is a read of the value that stood against it.
    """

    is_write: bool
    value: str | None
    called: float
    returned: float
    expected: str | Any | None = Any.VALUE


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
            if each.expected in {Any.VALUE, value} if each.is_write else each.value == value:
                state = done | 1 << index, each.value
                if state not in seen:
                    seen.add(state)
                    todo.append(state)
    return False


def _decided(history: Sequence[Operation]) -> Iterator[Operation]:
    """The history without writes of unknown outcome: read by nobody they need not have happened, else they
    took effect before the first read of their value returned. A compare-and-set reads what it replaces."""
    first_read: dict[str | None, float] = {}
    for each in history:
        seen = each.expected if each.is_write else each.value
        if not isinstance(seen, Any):
            first_read[seen] = min(each.returned, first_read.get(seen, UNKNOWN))
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
