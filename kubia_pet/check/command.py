"""The command `kubia-pet check`."""

import sys
from contextlib import suppress
from dataclasses import replace
from typing import Any

import click
from click.shell_completion import CompletionItem

from kubia_pet.reach.options import target_options, way

# What is done, for whoever is asked.
DISRUPTIONS = {
    "delete": "delete the last pod",
    "scale": "scale the set down by one, and up again",
    "rollout": "restart every pod, one after the other",
    "move": "cordon the node of a pod, delete the pod, uncordon the node",
}


class Disruptions(click.ParamType[tuple[str, ...]]):
    """Some of DISRUPTIONS, with commas between them."""

    name = ",".join(DISRUPTIONS)

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, ...]:
        """The kinds in the order given; fails on an unknown one."""
        kinds = value if isinstance(value, tuple) else tuple(str(value).split(","))
        for kind in kinds:
            if kind not in DISRUPTIONS:
                self.fail(f"{kind!r} is none of {', '.join(DISRUPTIONS)}.", param, ctx)
        return tuple(dict.fromkeys(kinds))

    def shell_complete(
        self,
        ctx: click.Context,  # noqa: ARG002 - click's signature
        param: click.Parameter,  # noqa: ARG002 - click's signature
        incomplete: str,
    ) -> list[CompletionItem]:
        """The kinds that the last of those typed may become."""
        before, comma, last = incomplete.rpartition(",")
        return [CompletionItem(before + comma + kind) for kind in DISRUPTIONS if kind.startswith(last)]


@click.command()
@target_options
@click.option(
    "--replicas",
    type=click.IntRange(min=0),
    help="How many pods there must be. Unset: as many as kubectl shows, else as many as DNS names, which are "
    "those that are ready.",
)
@click.option(
    "--disrupt",
    "disruptions",
    type=Disruptions(),
    help="Then disrupt the set, by kubectl: delete a pod, scale down and up again, roll out, move a pod to "
    "another node. Needs --namespace.",
)
@click.option("--yes", is_flag=True, help="Do not ask before disrupting.")
@click.option(
    "--watch",
    "watching",
    is_flag=True,
    help="Do nothing: say what to type, and judge what is then seen. With --disrupt: which ones.",
)
@click.option(
    "--output",
    type=click.Choice(["table", "json", "junit"]),
    default="table",
    show_default=True,
    help="A table for people, or a document on standard output.",
)
def check(
    output: str,
    disruptions: tuple[str, ...] | None,
    *,
    replicas: int | None,
    yes: bool,
    watching: bool,
    **given: Any,
) -> None:
    """Check whether this cluster keeps what a StatefulSet promises.

    The set is the one behind URL, the one that kubectl reaches in --namespace, or, inside the cluster,
    the one to which this pod belongs. Everything is left as it was. The exit status is 0 where all passed
    (warnings and skipped checks included), 1 where any failed, 2 for a wrong use, 3 where it cannot be told.
    """
    from kubia_pet.check.run import Wanted, run_checks
    from kubia_pet.reach.ending import conclude

    chosen = replace(way(given), replicas=replicas)
    if disruptions and not watching:
        if chosen.namespace is None:
            raise click.UsageError("--disrupt works by kubectl: it needs --namespace.")
        acts = "; ".join(DISRUPTIONS[kind] for kind in disruptions)
        _ask(f"In namespace {chosen.namespace}: {acts}?", yes=yes)
    wanted = Wanted(output, disruptions or (("delete",) if watching else ()), watching)
    conclude(run_checks(chosen, wanted))


def _ask(question: str, *, yes: bool) -> None:
    """Returns where the answer is yes; raises click.UsageError."""
    if yes:
        return
    if not sys.stdin.isatty():
        raise click.UsageError("Nobody can be asked here: say --yes to disrupt.")
    with suppress(click.Abort):  # Ctrl-C or Ctrl-D
        if click.confirm(question, err=True):
            return
    click.echo("Nothing was done.", err=True)
    raise click.exceptions.Exit(2)
