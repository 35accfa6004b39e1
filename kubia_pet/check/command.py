"""The command `kubia-pet check`."""

import sys
from typing import Any

import click

from kubia_pet.reach.options import target_options, way


@click.command()
@target_options
@click.option(
    "--output",
    type=click.Choice(["table", "json", "junit"]),
    default="table",
    show_default=True,
    help="A table for people, or a document on standard output.",
)
def check(output: str, **given: Any) -> None:
    """Check whether this cluster keeps what a StatefulSet promises.

    The set is the one behind URL, the one that kubectl reaches in --namespace, or, inside the cluster,
    the one to which this pod belongs. Everything is left as it was. The exit status is 0 where all passed
    (warnings and skipped checks included), 1 where any failed, 2 for a wrong use, 3 where it cannot be told.
    """
    import asyncio

    from kubia_pet.check.run import run_checks

    sys.exit(asyncio.run(run_checks(way(given), output)))
