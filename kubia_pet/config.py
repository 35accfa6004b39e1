"""Every setting of `kubia-pet serve`: one line here is an option, an environment variable and a default."""

import os
from collections.abc import Callable
from dataclasses import Field, dataclass, field, fields
from pathlib import Path
from typing import Any, cast

import click

from kubia_pet.limits import LOCK_WAIT
from kubia_pet.parameters import Address, Duration, Host, Size

# Not KUBIA_ or PET_: Kubernetes injects KUBIA_PORT, PET_PORT and the like for Services of such names.
ENV_PREFIX = "KUBIAPET"


def _setting(default: Any, kind: Any, text: str) -> Any:
    return field(default=default, metadata={"type": kind, "help": text})


_PORT = click.IntRange(0, 65535)


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What one pod is told. Times are seconds, sizes bytes."""

    host: str | None = _setting(None, str, "Address to listen on. Unset: all, IPv4 and IPv6.")
    port: int = _setting(8080, _PORT, "Port to listen on.")
    data_dir: Path = _setting(
        Path("/var/data"),
        click.Path(path_type=Path, readable=False),
        "Directory of the volume that holds the value.",
    )
    pod: str | None = _setting(None, str, "This pod's name. Unset: the host name.")
    pod_uid: str | None = _setting(None, str, "This pod's UID, by the Downward API, for the ledger.")
    node: str | None = _setting(None, str, "This pod's node, likewise.")
    service: str | None = _setting(
        None, str, "The headless service, short or full. Unset: from the pod's full name. Empty: no peers."
    )
    nameserver: tuple[str, int] | None = _setting(
        None, Address(), "Name server to ask, ADDRESS:PORT. Unset: those of resolv.conf."
    )
    allowed_host: tuple[str, ...] = _setting(
        (), Host(), "A host to answer for besides its own, as in pet.example or *.example. Unset: for any."
    )
    token_file: Path | None = _setting(
        None,
        click.Path(path_type=Path),
        "File with the token that who changes something must show. Unset: none is asked for.",
    )
    max_value: int = _setting(2**20, Size(), "Largest new value, and most bytes taken from one peer.")
    max_gathered: int = _setting(16 * 2**20, Size(), "Most bytes taken from all peers for one answer.")
    max_connections: int = _setting(
        512, click.IntRange(1), "Most requests at a time, probes and peers aside."
    )
    max_watchers: int = _setting(
        256, click.IntRange(0), "Most clients that watch at a time, beside those requests."
    )
    peer_timeout: float = _setting(1.0, Duration(), "For one peer to answer.")
    connect_timeout: float = _setting(0.5, Duration(), "For a connection to one peer.")
    gather_timeout: float = _setting(3.0, Duration(), "For all peers together.")
    dns_timeout: float = _setting(1.0, Duration(), "For one discovery, all its look-ups together.")
    dns_max_age: float = _setting(1.0, Duration(zero=True), "A DNS answer is used for its TTL, this at most.")
    volume_timeout: float = _setting(1.5, Duration(), "For the volume to read or to commit the value.")
    lock_wait: float | None = _setting(
        None,
        Duration(zero=True),
        "At the start, for another process to leave the volume. Unset: for ever, not ready, where the pod "
        f"has a full name, as in a cluster; else {Duration.shown(LOCK_WAIT)}.",
    )
    adopt: bool = _setting(
        default=False,
        kind=click.BOOL,
        text="Take the volume as it is, at each start: no verdict rests on what was before.",
    )
    refuse_foreign_volume: bool = _setting(
        default=False,
        kind=click.BOOL,
        text="Be not ready where there is evidence that the volume is another pod's, or another pod's too.",
    )
    body_timeout: float = _setting(30.0, Duration(), "For a client to send its value.")
    client_timeout: float = _setting(
        15.0,
        Duration(),
        "For a client to send a header or to take an answer; idle connections are kept as long.",
    )
    drain: float | None = _setting(
        None,
        Duration(zero=True),
        "Serve on after SIGTERM, not ready, until endpoints are gone. Unset: 5s, or 2s without a client.",
    )
    finish: float = _setting(10.0, Duration(), "Afterwards, for requests in flight to end.")
    faults: bool = _setting(
        default=False,
        kind=click.BOOL,
        text="Lets anybody who may change the value set faults, at /faults.",
    )
    log_format: str = _setting("text", click.Choice(["text", "json"]), "How a line of the log looks.")
    log_level: str = _setting(
        "info",
        click.Choice(["debug", "info", "warning", "error"]),
        "Least severity logged; debug shows requests.",
    )


class _Option(click.Option):
    """An option; that of --service may be set to nothing in the environment, and is then given as nothing."""

    def resolve_envvar_value(self, ctx: click.Context) -> str | None:
        value = super().resolve_envvar_value(ctx)
        if value is None and self.name == "service" and isinstance(self.envvar, str):
            return os.environ.get(self.envvar)
        return value


def default_shown(setting: Field[Any]) -> str | bool:
    """The default as a person would write it; False where there is none."""
    kind, default = setting.metadata["type"], cast("Any", setting.default)
    if default in (None, (), False):
        return False
    return kind.shown(default) if isinstance(kind, Size | Duration) else str(default)


def settings_options(command: Callable[..., None]) -> Callable[..., None]:
    """Gives a click command one option for each setting."""
    for each in reversed(fields(Settings)):
        command = click.option(
            f"--{each.name.replace('_', '-')}",
            cls=_Option,
            type=each.metadata["type"],
            default=each.default,
            is_flag=isinstance(each.default, bool),
            multiple=isinstance(each.default, tuple),
            envvar=f"{ENV_PREFIX}_{each.name.upper()}",
            show_envvar=True,
            show_default=False,
            help=each.metadata["help"] + (f" Default: {default_shown(each)}." if default_shown(each) else ""),
        )(command)
    return command
