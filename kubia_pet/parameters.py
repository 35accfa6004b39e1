"""Kinds of command line parameters: how each is written, and what it is then."""

import ipaddress
import re
from typing import Any
from urllib.parse import urlsplit

import click

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


class Url(click.ParamType[str]):
    """http(s)://HOST[:PORT], and a path if one likes; without a scheme it is http."""

    name = "url"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The URL with its scheme."""
        url = value if "://" in value else f"http://{value}"
        if not _is_http(url):
            self.fail(
                f"{value!r} is no URL of a set: give http(s)://HOST[:PORT], as in http://localhost:8080.",
                param,
                ctx,
            )
        return str(url)


def _is_http(url: str) -> bool:
    try:
        parts = urlsplit(url)
        port = parts.port  # raises ValueError over 65535
    except ValueError:
        return False
    bare = not re.search(r"[\s?#]", url) and not parts.netloc.endswith(":")
    return parts.scheme in {"http", "https"} and bool(parts.hostname) and port != 0 and bare


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
