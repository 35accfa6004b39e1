"""Every setting of `kubia-pet serve`: one line here is an option, an environment variable and a default."""

import ipaddress
import os
import re
from collections.abc import Callable
from dataclasses import Field, dataclass, field, fields
from pathlib import Path
from typing import Any, cast

import click

from kubia_pet.limits import LOCK_WAIT

# Not KUBIA_ or PET_: Kubernetes injects KUBIA_PORT, PET_PORT and the like for Services of such names.
ENV_PREFIX = "KUBIAPET"

_SIZES: dict[str, float] = {
    "": 1,
    "B": 1,
    "KB": 10**3,
    "MB": 10**6,
    "GB": 10**9,
    "KIB": 2**10,
    "MIB": 2**20,
    "GIB": 2**30,
}
_TIMES = {"": 1.0, "S": 1.0, "MS": 0.001, "M": 60.0}


class Size(click.ParamType[int]):
    """A number of bytes: 4096, 64KiB, 1MiB."""

    name = "size"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Bytes; fails on anything that is not at least one."""
        number = _scaled(value, _SIZES)
        if number is None or number < 1:
            self.fail(
                f"{value!r} is not a size: write bytes or a unit, as in 65536, 64KiB or 1MiB.", param, ctx
            )
        return int(number)

    @staticmethod
    def shown(size: int) -> str:
        """As a person would write it."""
        unit, factor = next(each for each in (("MiB", 2**20), ("KiB", 2**10), ("", 1)) if size % each[1] == 0)
        return f"{size // factor}{unit}"


class Duration(click.ParamType[float]):
    """A time: 500ms, 2s, 1m, or seconds without a unit."""

    name = "time"

    def __init__(self, *, zero: bool = False) -> None:
        self._zero = zero

    @staticmethod
    def parsed(text: str) -> float | None:
        """Seconds; None where it is no time."""
        return _scaled(text, _TIMES)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Seconds; fails on anything that is not a positive time (or zero, where that is allowed)."""
        number = _scaled(value, _TIMES)
        if number is None or (number == 0 and not self._zero):
            self.fail(f"{value!r} is not a time: write seconds or a unit, as in 2, 500ms or 1m.", param, ctx)
        return number

    @staticmethod
    def shown(seconds: float) -> str:
        """As a person would write it."""
        return f"{seconds:g}s" if seconds >= 1 or not seconds else f"{seconds * 1000:g}ms"


class Address(click.ParamType[tuple[str, int]]):
    """ADDRESS:PORT, an IPv6 address in brackets."""

    name = "address:port"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, int]:
        """(address, port); the port is 53 where none is given."""
        if isinstance(value, tuple):
            return value
        host, port = _split(str(value))
        try:
            address = str(ipaddress.ip_address(host))
        except ValueError:
            address = ""
        if not address or port not in range(1, 65536):
            self.fail(f"{value!r} is not ADDRESS:PORT, as in 10.96.0.10:53 or [::1]:5353.", param, ctx)
        return address, port


class Host(click.ParamType[str]):
    """A host without a port, or *.DOMAIN: pet.example, [::1], *.example. In a variable several, by commas."""

    name = "host"
    envvar_list_splitter = ","

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The host in lower case."""
        host = str(value).strip().lower().removesuffix(".")
        if not re.fullmatch(r"(\*\.)?[a-z0-9_-]+(\.[a-z0-9_-]+)*|\[[0-9a-f:.]+\]", host):
            self.fail(
                f"{value!r} is not a host: write it without scheme and port, as in pet.example.", param, ctx
            )
        return host


def _split(text: str) -> tuple[str, int]:
    """Host and port, 53 where there is none."""
    match = re.fullmatch(r"\[(.+)\](?::(\d{1,5}))?|([^:]+)(?::(\d{1,5}))?", text)
    if not match:
        return text, 53  # a bare IPv6 address
    return match[1] or match[3], int(match[2] or match[4] or 53)


def _scaled(value: Any, units: dict[str, float]) -> float | None:
    """The number that the text and its unit say, None where it is no such text."""
    match = re.fullmatch(r"(\d{1,12}(?:\.\d{1,6})?)\s*([A-Za-z]*)", str(value).strip())
    if not match or match[2].upper() not in units:
        return None
    return float(match[1]) * units[match[2].upper()]


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
    """An option whose environment variable may be set to nothing, and that is then given as nothing."""

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
