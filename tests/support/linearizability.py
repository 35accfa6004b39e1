"""Whether a recorded history of one register could have happened one operation at a time.

The algorithm of Wing and Gong (1993) with Lowe's memoization ("Testing for linearizability", 2017).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import Enum

UNKNOWN = math.inf  # when an operation returned of which nobody knows whether it took effect


class Anything(Enum):
    """What an operation expects that has no condition."""

    ANY = "any"


ANY = Anything.ANY
Value = str | None


@dataclass(frozen=True)
class Operation:
    """A write or a read of `value`, from `called` to `returned` (seconds on one clock).

    A write that `expected` a value is a compare-and-set that was done; a read that did is one that was
    refused, and told that `value` stands instead.
    """

    is_write: bool
    value: Value
    called: float
    returned: float
    expected: Value | Anything = ANY

    def may_come(self, value: Value) -> bool:
        """Whether it could have happened where the register had this value."""
        if self.is_write:
            return self.expected in (ANY, value)
        return self.value == value != self.expected


def is_linearizable(history: Sequence[Operation], initial: Value = None) -> bool:
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
            if each.may_come(value):
                state = done | 1 << index, each.value
                if state not in seen:
                    seen.add(state)
                    todo.append(state)
    return False


def _decided(history: Sequence[Operation]) -> list[Operation]:
    """The history without writes of unknown outcome: seen by nobody they need not have happened, else they
    took effect before the first operation that saw their value returned."""
    known = [each for each in history if each.returned != UNKNOWN]
    unknown = [each for each in history if each.returned == UNKNOWN]
    while True:
        first_seen: dict[Value | Anything, float] = {}
        for each in known:
            saw = each.expected if each.is_write else each.value
            first_seen[saw] = min(each.returned, first_seen.get(saw, UNKNOWN))
        found = [each for each in unknown if each.value in first_seen]
        if not found:
            return known
        # A compare-and-set among them has itself seen what it expected.
        known += [replace(each, returned=first_seen[each.value]) for each in found]
        unknown = [each for each in unknown if each not in found]


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
