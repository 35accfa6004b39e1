"""Which pods of a set are missing between those that are there."""

from collections.abc import Iterable

from kubia_pet.reach.target import host_name


def gaps(listed: Iterable[str], known: Iterable[str]) -> list[str]:
    """Names below the last ordinal that DNS lists which it does not list itself.

    They begin at the first ordinal of all, those of `known` included: pods that were seen at any time. Those
    above the last one may have been scaled down.
    """
    names = {host_name(each) for each in listed}
    base = next(iter(sorted(names)), "").rpartition("-")[0]
    there = _ordinals(names, base)
    first = min(there | _ordinals(map(host_name, known), base), default=0)
    return [f"{base}-{number}" for number in range(first, max(there, default=-1)) if number not in there]


def _ordinals(names: Iterable[str], base: str) -> set[int]:
    split = [name.rpartition("-") for name in names]
    return {int(number) for of, _, number in split if of == base and number.isdigit()}
