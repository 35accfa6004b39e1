"""Whether what was answered again and again stays the same."""

from collections.abc import Hashable, Sequence
from itertools import pairwise
from typing import TypeVar

T = TypeVar("T", bound=Hashable)


def since_the_only_change(answers: Sequence[T]) -> Sequence[T]:
    """Those after it: an answer that changes once is a cache that has let go of an old one.

    All of them where there was none, or more than one.
    """
    changes = [at for at, (one, other) in enumerate(pairwise(answers), 1) if one != other]
    return answers[changes[0] :] if len(changes) == 1 else answers
