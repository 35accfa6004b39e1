"""What the changes that share a commit come to: judged one by one, in the order of their arrival."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

from kubia_pet.model.value import Value
from kubia_pet.store.errors import PreconditionFailedError, StoreError

Condition = Callable[[Value | None], bool]  # whether a change may be made where this is the value


@dataclass(eq=False)
class Change:
    """A write of `data`, or a removal where it is None, made only where `condition` holds, if there is one.

    `refusal` says, once its commit has ended, why it was not made.
    """

    data: bytes | None
    condition: Condition | None = None
    refusal: PreconditionFailedError | StoreError | None = None

    @cached_property
    def value(self) -> Value | None:
        """What it leaves."""
        return None if self.data is None else Value(self.data)


def judge(changes: Sequence[Change], read: Callable[[], Value | None]) -> Change | None:
    """The last change that may be made; None where there is none. Gives those that may not their refusal.

    Each condition sees what the changes before it leave, or what `read` returns where none was made. Where
    that raises a StoreError, it is the refusal of all who needed to know.
    """
    last: Change | None = None
    found: Value | StoreError | None = None
    looked = False  # once for all: nobody else changes the value meanwhile
    for change in changes:
        if change.condition is not None:
            if last is None and not looked:
                looked = True
                try:
                    found = read()
                except StoreError as error:
                    found = error
            current = found if last is None else last.value
            if isinstance(current, StoreError):
                change.refusal = current
                continue
            if not change.condition(current):
                change.refusal = PreconditionFailedError(current)
                continue
        last = change
    return last
