"""The command `kubia-pet probe`."""

from typing import Any

import click

from kubia_pet.parameters import Duration
from kubia_pet.reach.options import target_options, way


@click.command(short_help="Write and read all the time, and count what is lost.")
@target_options
@click.option(
    "--through",
    type=click.Choice(["pods", "public"]),
    default="pods",
    show_default=True,
    help="Write through each pod, or through the public service.",
)
@click.option("--for", "seconds", type=Duration(), help="How long. Unset: until Ctrl-C.")
@click.option(
    "--output",
    type=click.Choice(["table", "json"]),
    default="table",
    show_default=True,
    help="A table for people, or a document on standard output.",
)
@click.option(
    "--metrics-port", "port", type=click.IntRange(1, 65535), help="Port that shows the account to Prometheus."
)
def probe(through: str, seconds: float | None, output: str, port: int | None, **given: Any) -> None:
    """Write and read all the time, and count what is lost while you drain, upgrade or break things.

    The set is the one behind URL, the one that kubectl reaches in --namespace, or, inside the cluster,
    the one to which this pod belongs. The old values are put back at the end. The exit status is 0 where
    nothing acknowledged was lost, 1 where anything was, 2 for a wrong use, 3 where it cannot be told.
    """
    from kubia_pet.probe.run import run_probe
    from kubia_pet.reach.ending import conclude

    conclude(run_probe(way(given), through=through, seconds=seconds, output=output, port=port))
