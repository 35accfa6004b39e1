"""`GET /` over the number of peers, as a picture."""

from collections.abc import Sequence
from pathlib import Path
from statistics import median

from bench.figures import Figure


def plot(figures: Sequence[Figure], path: Path) -> None:
    """Writes a PNG of the curve's figures: each unit has its own axes, both scales logarithmic."""
    import matplotlib as mpl  # noqa: PLC0415 - only here, and it takes its time

    mpl.use("Agg")
    from matplotlib import pyplot as plt  # noqa: PLC0415

    units = list(dict.fromkeys(figure.unit for figure in figures))
    drawing, all_axes = plt.subplots(1, len(units), figsize=(5.5 * len(units), 4.2), squeeze=False)
    for unit, axes in zip(units, all_axes[0], strict=True):
        curve = [figure for figure in figures if figure.unit == unit]
        peers = [figure.peers for figure in curve]
        for name in ("ours", "bare"):
            series = [figure.ours if name == "ours" else figure.bases[name] for figure in curve]
            middles = [median(values) for values in series]
            below = [middle - min(values) for middle, values in zip(middles, series, strict=True)]
            above = [max(values) - middle for middle, values in zip(middles, series, strict=True)]
            label = "kubia-pet" if name == "ours" else "bare protocol, constant answer"
            axes.errorbar(peers, middles, yerr=[below, above], marker="o", capsize=3, label=label)
        first = median(curve[0].ours)
        power = -1 if unit == "requests/s" else 1
        proportional = [first * ((figure.peers or 1) / (curve[0].peers or 1)) ** power for figure in curve]
        axes.plot(peers, proportional, linestyle=":", color="grey", label="N times the first")
        axes.set(xscale="log", yscale="log", xlabel="peers", ylabel=unit)
        axes.set_title(curve[0].name.partition(", ")[2])
        axes.set_xticks(peers, labels=map(str, peers), minor=False)
        axes.minorticks_off()
        axes.grid(visible=True, alpha=0.3)
        axes.legend()
    drawing.suptitle("GET /: median of the rounds, least and most")
    drawing.tight_layout()
    drawing.savefig(path, dpi=120)
    plt.close(drawing)
