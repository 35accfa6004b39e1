"""A figure: what was measured in each round, and its ratio to a baseline measured in the same round."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from operator import attrgetter
from statistics import median

from bench.load import Samples

_OF_SAMPLE = {"requests/s": "rate", "p50 ms": "p50", "p99 ms": "p99", "CPU µs": "cpu"}


@dataclass(frozen=True)
class Figure:
    """One row of the table.

    `ours` and each of `bases` have one value a round; `peers` is N where the figure is part of a curve.
    """

    name: str
    unit: str
    goal: str
    ours: Sequence[float]
    bases: Mapping[str, Sequence[float]] = field(default_factory=dict)
    peers: int | None = None

    def ratios(self, base: str) -> list[float]:
        """Ours divided by the baseline, round by round; none where a round's baseline is zero."""
        pairs = list(zip(self.ours, self.bases[base], strict=True))
        return [ours / theirs for ours, theirs in pairs] if all(theirs for _, theirs in pairs) else []


def compare(
    name: str, unit: str, goal: str, samples: Samples, ours: str, *bases: str, peers: int | None = None
) -> Iterator[Figure]:
    """What the samples named `ours` and `bases` saw in this unit; without those that did not see it."""
    value = attrgetter(_OF_SAMPLE[unit])
    seen = {who: [value(each) for each in samples[who]] for who in (ours, *bases) if who in samples}
    known = {who: values for who, values in seen.items() if None not in values}
    if ours in known:
        mine = known.pop(ours)
        yield Figure(name, unit, goal, mine, known, peers)


def table(figures: Iterable[Figure]) -> str:
    """The figures for a reader: medians, and the least and most of all rounds."""
    rows = [("", "unit", "ours", "baseline", "ratio", "goal")]
    for figure in figures:
        compared = [
            (f"{name}: {_number(median(values))}", _spread(figure.ratios(name)))
            for name, values in figure.bases.items()
        ]
        (base, ratio), *more = compared or [("", "")]
        rows.append((figure.name, figure.unit, _spread(figure.ours), base, ratio, figure.goal))
        rows += [("", "", "", base, ratio, "") for base, ratio in more]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows)
    return "\n".join(line.rstrip() for line in lines)


def _spread(values: Sequence[float]) -> str:
    if not values:
        return "-"
    return f"{_number(median(values))} ({_number(min(values))} to {_number(max(values))})"


def _number(value: float) -> str:
    """Three digits that matter, without an exponent."""
    return f"{value:,.0f}" if abs(value) >= 100 or not value else f"{value:.3g}"  # noqa: PLR2004 - three digits
