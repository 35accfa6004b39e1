"""`python -m bench`: measures, shows a table, writes JSON and a plot."""

import dataclasses
import json
import signal
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from bench import living, reading, scaling, writing
from bench.effort import QUICK, Bench, Effort
from bench.figures import Figure, table
from bench.load import LoadError, Server
from bench.machine import description
from bench.plot import plot

MEASUREMENTS = {
    "data": reading.data,
    "clients": reading.clients,
    "overview": reading.overview,
    "curve": scaling.curve,
    "crowd": scaling.crowd,
    "post": writing.post,
    "writers": writing.writers,
    "start": living.start,
    "memory": living.memory,
}
_RESULTS = Path(__file__).with_name("results")


@click.command(context_settings={"max_content_width": 110})
@click.option("--quick", is_flag=True, help="Few and short rounds: to see that it works, not how fast it is.")
@click.option(
    "--only", type=click.Choice(list(MEASUREMENTS)), multiple=True, help="Measure this; repeatable."
)
@click.option(
    "--against",
    metavar="URL",
    help="Another server, with a value or without, measured in turns with ours by data and overview.",
)
@click.option("--against-pid", type=int, help="Its process, where that is on this machine: for its CPU time.")
@click.option(
    "--ours", metavar="URL", help="A pod, as it is, in the place of those that data and overview start."
)
@click.option("--ours-pid", type=int, help="Its process, likewise.")
@click.option(
    "--results",
    type=click.Path(path_type=Path, file_okay=False),
    default=_RESULTS,
    help="Where figures and plot are written, and volumes lie meanwhile: on the kind of disk to be measured.",
)
def main(*, quick: bool, only: tuple[str, ...], results: Path, **given: Any) -> None:
    """Measure the pet, each figure against a baseline from the same run."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that what was started is ended
    effort = QUICK if quick else Effort()
    about = {"when": datetime.now(UTC).isoformat(timespec="seconds")} | description()
    results.mkdir(parents=True, exist_ok=True)
    click.echo("\n".join(f"{name}: {value}" for name, value in about.items()))
    figures: dict[str, list[Figure]] = {}
    with tempfile.TemporaryDirectory(prefix="volumes-", dir=results) as directory:
        bench = Bench(effort, Path(directory), _server(given, "ours"), _server(given, "against"))
        for name in only or MEASUREMENTS:
            began = time.monotonic()
            try:
                figures[name] = list(MEASUREMENTS[name](bench))
            except LoadError as error:
                raise click.ClickException(str(error)) from error
            click.echo(f"\n{name}, in {time.monotonic() - began:.0f} s\n{table(figures[name])}")
    result = {
        "machine": about,
        "effort": dataclasses.asdict(effort),
        "figures": {
            name: [dataclasses.asdict(figure) for figure in found] for name, found in figures.items()
        },
    }
    (results / "latest.json").write_text(json.dumps(result, indent=2) + "\n")
    if "curve" in figures:
        plot(figures["curve"], results / "overview-by-peers.png")
    click.echo(f"\nAll of it is in {results}")


def _server(given: dict[str, Any], name: str) -> Server | None:
    return Server(given[name].rstrip("/"), given[f"{name}_pid"]) if given[name] else None


if __name__ == "__main__":
    main()
