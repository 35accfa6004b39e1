"""Which hosts this pod answers for: what the Host of a request may say."""

import re
from collections.abc import Iterable

from aiohttp import web

from kubia_pet.web.problem import ProblemError

_LOOPBACK = {"localhost", "127.0.0.1", "[::1]"}
# RFC 9112 §3.2.2: it counts, not Host.
_TARGET = re.compile(r"https?://(?:[^/?#]*@)?([^/?#]*)", re.IGNORECASE)
_PORT = re.compile(r":\d*$")


class Hosts:
    """Refuses requests that are meant for somebody else (RFC 9110 §15.5.20).

    Always those for another pod behind the same service, by any of the names `services` that it has: a peer's
    address may be old, and meanwhile this pod's.
    Where `allowed` is not empty, also all that are neither for it nor for one of these hosts, a name or
    `*.DOMAIN`: a page whose own name was pointed at this address (DNS rebinding) gets nothing. Its own are
    localhost, the address that the client connected to, and its names in the cluster.
    """

    def __init__(self, pod: str, services: Iterable[str], allowed: tuple[str, ...]) -> None:
        pod = pod.lower().partition(".")[0]
        self._pod = pod
        self._own = {*_LOOPBACK, pod}
        self._others: set[re.Pattern[str]] = set()
        for service in {service.lower().rstrip(".") for service in services}:
            self._own |= _short_forms(pod, service) | _short_forms(*service.split(".", 1))
            self._others |= _other_pods(pod, service)
        self._names = {name for name in allowed if not name.startswith("*")}
        self._domains = tuple(name.removeprefix("*") for name in allowed if name.startswith("*"))
        self._any = not allowed

    def require_own(self, request: web.Request) -> None:
        """Raises ProblemError 421 where the request is for another host."""
        target = _TARGET.match(request.raw_path)
        given = target[1] if target else request.headers.get("Host")
        if given is None:  # no browser's: HTTP/1.0
            return
        host = _PORT.sub("", given).lower().removesuffix(".")
        if any(others.fullmatch(host) for others in self._others):
            raise ProblemError(
                421, f"This is {self._pod}, not {host.partition('.')[0]}, which was asked for."
            )
        if self._any or host in self._own or host in self._names or host.endswith(self._domains or ("\0",)):
            return
        reached = request.transport.get_extra_info("sockname") if request.transport is not None else None
        if not reached or host.strip("[]") != reached[0].removeprefix("::ffff:"):
            raise ProblemError(
                421, f"This pod does not answer for {host}: --allowed-host {host} would let it."
            )


def _short_forms(name: str, domain: str = "") -> set[str]:
    """The name with none, some and all labels of its domain after it, as a resolver's search list allows."""
    labels = [name, *filter(None, domain.split("."))]
    return {".".join(labels[:count]) for count in range(1, len(labels) + 1)} - {""}


def _other_pods(pod: str, service: str) -> set[re.Pattern[str]]:
    """What the other pods' names look like; nothing where this pod has no ordinal.

    Where the service's full name is known, so does any name below it. A shorter one is an ingress's as well:
    those of the same set only.
    """
    found = re.fullmatch(r"(.+)-\d+", pod)
    if not found:
        return set()
    name, *domain = map(re.escape, service.split("."))
    namespace = r"(\.[^.]+(\.svc(\..+)?)?)?"  # a short name: it is not known
    this = re.escape(pod)
    patterns = {rf"(?!{this}\.){re.escape(found[1])}-\d+\.{name}{_begin_of(domain) or namespace}"}
    if domain[1:2] == ["svc"]:
        patterns.add(rf"(?!{this}\.)[^.]+\.{name}\.{domain[0]}{_begin_of(domain[1:])}")
    return set(map(re.compile, patterns))


def _begin_of(labels: list[str]) -> str:
    """None, some or all of them."""
    return "".join(rf"(\.{label}" for label in labels) + ")?" * len(labels)
