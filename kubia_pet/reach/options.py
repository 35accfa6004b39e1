"""How a command is told which set it is about."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from kubia_pet.config import ENV_PREFIX, Settings
from kubia_pet.parameters import Address, Url
from kubia_pet.reach.way import Way
from kubia_pet.token_file import TokenUnusableError, read_token

_OPTIONS = (
    click.argument("url", required=False, type=Url()),
    click.option("--namespace", "-n", help="Reach the pods by kubectl, in this namespace."),
    click.option(
        "--selector",
        "-l",
        default="app=kubia",
        show_default=True,
        help="With --namespace: the label that the set's pods have.",
    ),
    click.option(
        "--service",
        envvar=f"{ENV_PREFIX}_SERVICE",
        show_envvar=True,
        help="From inside: the headless service. Unset: from this pod's full name.",
    ),
    click.option(
        "--public", help="The public service: a name, or a URL. Unset: the one that is found to be it."
    ),
    click.option(
        "--nameserver",
        type=Address(),
        envvar=f"{ENV_PREFIX}_NAMESERVER",
        show_envvar=True,
        help="Name server to ask, ADDRESS:PORT. Unset: those of resolv.conf.",
    ),
    click.option(
        "--token-file",
        type=click.Path(path_type=Path, exists=True, dir_okay=False),
        envvar=f"{ENV_PREFIX}_TOKEN_FILE",
        show_envvar=True,
        help="Holds the token that the pods want for a change.",
    ),
)
NAMES = ("url", "namespace", "selector", "service", "public", "nameserver", "token_file")


def target_options(command: Callable[..., None]) -> Callable[..., None]:
    """Gives a click command the argument and the options that `way` reads."""
    for each in reversed(_OPTIONS):
        command = each(command)
    return command


def way(given: dict[str, Any]) -> Way:
    """The way that the options say; takes them out of `given`. Raises click.UsageError."""
    url, namespace, token_file = given["url"], given["namespace"], given["token_file"]
    if url and namespace:
        raise click.UsageError("Give a URL or --namespace, not both.")
    try:
        token = read_token(token_file) if token_file else None
    except TokenUnusableError as error:
        raise click.UsageError(str(error)) from error
    port = os.environ.get(f"{ENV_PREFIX}_PORT", "")
    chosen = Way(
        url=url,
        namespace=namespace,
        selector=given["selector"],
        service=given["service"] or None,
        public=given["public"],
        nameserver=given["nameserver"],
        port=int(port) if port.isdigit() else Settings.port,
        token=token,
    )
    for name in NAMES:
        del given[name]
    return chosen
