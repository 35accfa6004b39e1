"""The commands."""

import logging
import os
import socket
import sys
from pathlib import Path
from typing import Any

import click

from kubia_pet import __version__
from kubia_pet.config import ENV_PREFIX, Settings, settings_options


@click.group(context_settings={"max_content_width": 110})
@click.version_option(__version__)
def main() -> None:
    """The stateful pet of the Kubernetes world."""


@main.command()
@settings_options
def serve(**given: Any) -> None:
    """Serve one pod's value and show its peers'."""
    from kubia_pet import logs
    from kubia_pet.discovery import service_of
    from kubia_pet.store import VolumeUnusableError
    from kubia_pet.web.server import serve as serve_pod

    settings = Settings(**given)
    logs.configure(settings.log_format, settings.log_level)
    pod = settings.pod or socket.gethostname()
    service = settings.service if settings.service is not None else service_of(pod)
    try:
        _run(serve_pod(settings, pod=pod, service=service or None))
    except (VolumeUnusableError, OSError) as error:
        logging.getLogger(__name__).error("%s", error)  # noqa: TRY400 - a sentence, no traceback
        _exit(1)
    _exit(0)


@main.command()
@click.option("--replicas", type=click.IntRange(1, 100), default=3, show_default=True, help="Number of pods.")
@click.option(
    "--port",
    type=click.IntRange(1, 65000),
    default=8080,
    show_default=True,
    help="Port that reaches any pod; the pods have those after it.",
)
@click.option(
    "--nameserver-port",
    type=click.IntRange(1, 65535),
    default=8053,
    show_default=True,
    help="Port of the name server, UDP and TCP.",
)
@click.option(
    "--data-dir",
    type=click.Path(path_type=Path, file_okay=False),
    default="kubia-pet-data",
    show_default=True,
    help="Holds a directory for each pod's volume; they stay until you remove them.",
)
def local(**given: Any) -> None:
    """Run a whole StatefulSet on this machine."""
    from kubia_pet import logs
    from kubia_pet.local import LocalStatefulSet, PortTakenError

    logs.configure("text", "info")
    try:
        _run(LocalStatefulSet(**given).run())
    except (PortTakenError, OSError) as error:
        raise click.ClickException(str(error)) from error


@main.command()
@click.option("--host", default="127.0.0.1", envvar=f"{ENV_PREFIX}_HOST", show_default=True, show_envvar=True)
@click.option(
    "--port", type=int, default=8080, envvar=f"{ENV_PREFIX}_PORT", show_default=True, show_envvar=True
)
def health(host: str, port: int) -> None:
    """Ask the pod on this machine, or in this container, whether it lives."""
    from kubia_pet.client import ask

    alive, sentence = ask(host, port, timeout=2)
    click.echo(sentence)
    sys.exit(not alive)


@main.command()
@click.option("--host", default="127.0.0.1", envvar=f"{ENV_PREFIX}_HOST", show_default=True, show_envvar=True)
@click.option(
    "--port", type=int, default=8080, envvar=f"{ENV_PREFIX}_PORT", show_default=True, show_envvar=True
)
@click.option(
    "--token-file",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    envvar=f"{ENV_PREFIX}_TOKEN_FILE",
    show_envvar=True,
    help="What the pod asks for where it has one.",
)
def adopt(host: str, port: int, token_file: Path | None) -> None:
    """Have the pod on this machine, or in this container, take its volume as it is."""
    from kubia_pet.client import adopt

    done, sentence = adopt(
        host, port, timeout=5, token=token_file.read_text().strip() if token_file else None
    )
    click.echo(sentence)
    sys.exit(not done)


def _run(coroutine: Any) -> None:
    try:
        import uvloop
    except ImportError:
        import asyncio

        asyncio.run(coroutine)
    else:
        uvloop.run(coroutine)


def _exit(status: int) -> None:
    """Ends the process without waiting for a thread that a hung volume or name server still holds."""
    logging.shutdown()
    sys.stdout.flush()
    os._exit(status)
