"""The commands."""

import gc
import logging
import os
import socket
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from kubia_pet import __version__
from kubia_pet.check.command import check
from kubia_pet.config import Settings, settings_options
from kubia_pet.parameters import Duration, Host
from kubia_pet.probe.command import probe

_HELP = """The stateful pet of the Kubernetes world: one durable value, its peers by DNS, over HTTP.

\b
A set of three on this machine, and a look at it:
  kubia-pet local
  curl localhost:8080
Whether it, or a set in a cluster, keeps its promises; and under load:
  kubia-pet check http://localhost:8080
  kubia-pet check --namespace default
  kubia-pet probe http://localhost:8080 --for 1m
One pod, as the image runs it:
  kubia-pet serve --data-dir ./data --service ""
Words completed by the Tab key, in bash (zsh and fish likewise):
  eval "$(_KUBIA_PET_COMPLETE=bash_source kubia-pet)"
"""
_EPILOG = "Exit status: 0 done, 1 it failed and says why, 2 a wrong use, 3 check and probe cannot tell."


@click.group(context_settings={"max_content_width": 110}, help=_HELP, epilog=_EPILOG)
@click.version_option(__version__)
def main() -> None:
    """The stateful pet of the Kubernetes world."""


@main.command()
@click.option("--end-with-stdin", is_flag=True, hidden=True)  # how `local` takes its pods with it
@settings_options
def serve(*, end_with_stdin: bool, **given: Any) -> None:
    """Serve one pod's value and show its peers'."""
    # A pod speaks no TLS. aiohttp reads all certification authorities when it is imported, which would take
    # an eighth of the time to start, and 2 MiB for ever.
    os.environ["SSL_CERT_FILE"] = os.devnull
    # What makes aiohttp's few frozen lists faster needs all of C++'s library: another MiB.
    os.environ["FROZENLIST_NO_EXTENSIONS"] = "1"
    gc.disable()  # to look for garbage among what is imported would take a tenth of the time to start
    from kubia_pet import logs
    from kubia_pet.aio import signals
    from kubia_pet.discovery import full_name_of, service_of
    from kubia_pet.limits import DRAIN_TIME, LOCK_WAIT
    from kubia_pet.store import VolumeUnusableError
    from kubia_pet.token_file import TokenUnusableError
    from kubia_pet.web.server import serve as serve_pod

    gc.freeze()  # nor is it looked at later, for 12 ms each time
    gc.enable()
    settings = Settings(**given)
    if end_with_stdin:
        signals.end_with_stdin(
            settings.finish + (DRAIN_TIME if settings.drain is None else settings.drain) + 1
        )
    logs.configure(settings.log_format, settings.log_level)
    pod = settings.pod or socket.gethostname()
    full = service_of(pod) if settings.service is None or settings.lock_wait is None else None
    service = (full if settings.service is None else settings.service) or None
    if settings.lock_wait is None and full is None:
        settings = replace(settings, lock_wait=LOCK_WAIT)
    try:
        _run(serve_pod(settings, pod=pod, service=service, name=full_name_of(pod, service)))
    except (VolumeUnusableError, TokenUnusableError, OSError) as error:
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
    "--dns-cache",
    type=Duration(zero=True),
    default="0s",
    show_default=True,
    help="The name server caches its answers for so long, as most clusters' do for 30s.",
)
@click.option(
    "--data-dir",
    type=click.Path(path_type=Path, file_okay=False),
    default="kubia-pet-data",
    show_default=True,
    help="Holds a directory for each pod's volume; they stay until you remove them.",
)
@click.option(
    "--allowed-host",
    type=Host(),
    multiple=True,
    help="A host to answer for besides the set's own, as in 8080-me.shell.example or *.shell.example: the "
    "one that your browser shows, where that is not localhost. May be given several times.",
)
@click.option("--faults", is_flag=True, help="Let faults be set, at /faults of each pod and on its page.")
def local(**given: Any) -> None:
    """Run a whole StatefulSet on this machine."""
    from kubia_pet import logs
    from kubia_pet.local import CannotRunError, LocalStatefulSet

    logs.configure("text", "info")
    try:
        _run(LocalStatefulSet(**given).run())
    except (CannotRunError, OSError) as error:
        logs.flush()
        raise click.ClickException(str(error)) from error
    _exit(0)


_HOST = click.option("--host", help="Unset: where this container's pod was told to listen, else 127.0.0.1.")
_PORT = click.option(
    "--port", type=click.IntRange(1, 65535), help="Unset: where this container's pod was told to listen."
)


@main.command(short_help="Ask the pod on this machine whether it lives.")
@_HOST
@_PORT
def health(host: str | None, port: int | None) -> None:
    """Ask the pod on this machine, or in this container, whether it lives."""
    from kubia_pet.client import local as client

    given = _given_to_serve()
    alive, sentence = client.health(host or given["host"] or "127.0.0.1", port or given["port"], timeout=2)
    click.echo(sentence)
    sys.exit(not alive)


@main.command(short_help="Have the pod on this machine take its volume as it is.")
@_HOST
@_PORT
@click.option(
    "--token-file",
    type=click.Path(path_type=Path),
    help="Holds the token, where the pod asks for one. Unset: the pod's own, in its container.",
)
def adopt(host: str | None, port: int | None, token_file: Path | None) -> None:
    """Have the pod on this machine, or in this container, take its volume as it is."""
    from kubia_pet.client import local as client
    from kubia_pet.token_file import TokenUnusableError, read_token

    given = _given_to_serve()
    file = token_file or given["token_file"]
    try:
        token = read_token(file) if file else None
    except TokenUnusableError as error:
        raise click.ClickException(str(error)) from error
    done, sentence = client.adopt(
        host or given["host"] or "127.0.0.1", port or given["port"], token=token, timeout=5
    )
    click.echo(sentence)
    sys.exit(not done)


main.add_command(check)
main.add_command(probe)


def _given_to_serve() -> dict[str, Any]:
    """The settings of the pod in this container, which its process 1 was told; else those by default."""
    from kubia_pet.client.local import words_of_process_1

    with serve.make_context("serve", words_of_process_1("kubia-pet", "serve")) as context:
        return context.params


def _run(coroutine: Any) -> None:
    try:
        import uvloop
    except ImportError:
        import asyncio

        asyncio.run(coroutine)
    else:
        uvloop.run(coroutine)


def _exit(status: int) -> None:
    """Ends the process without waiting for a thread that a hung volume, name server or log still holds."""
    from kubia_pet import logs

    logs.flush()
    os._exit(status)
