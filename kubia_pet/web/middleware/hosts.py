"""Which hosts this pod answers for: what the Host of a request may say."""

import re

from aiohttp import web

from kubia_pet.web.problem import ProblemError

_LOOPBACK = {"localhost", "127.0.0.1", "[::1]"}
_PORT = re.compile(r":\d*$")


class Hosts:
    """Refuses requests that are meant for somebody else (RFC 9110 §15.5.20).

    Always those for another pod of the same service: a peer's address may be old, and meanwhile this pod's.
    Where `allowed` is not empty, also all that are neither for it nor for one of these hosts, a name or
    `*.DOMAIN`: a page whose own name was pointed at this address (DNS rebinding) gets nothing. Its own are
    localhost, the address that the client connected to, and its names in the cluster.
    """

    def __init__(self, pod: str, service: str | None, allowed: tuple[str, ...]) -> None:
        service = (service or "").lower().rstrip(".")
        pod = pod.lower().partition(".")[0]
        self._pod = pod
        self._own = {*_LOOPBACK, *_short_forms(pod, service), *_short_forms(*service.split(".", 1))}
        self._others = _other_pods(pod, service)
        self._names = {name for name in allowed if not name.startswith("*")}
        self._domains = tuple(name.removeprefix("*") for name in allowed if name.startswith("*"))
        self._any = not allowed

    def require_own(self, request: web.Request) -> None:
        """Raises ProblemError 421 where the request is for another host."""
        given = request.headers.get("Host")
        if given is None:  # no browser's: HTTP/1.0
            return
        host = _PORT.sub("", given).lower().removesuffix(".")
        if self._others is not None and self._others.fullmatch(host):
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


def _other_pods(pod: str, service: str) -> re.Pattern[str] | None:
    """What the other pods' names look like; None where this pod has no ordinal or no service."""
    found = re.fullmatch(r"(.+)-\d+", pod)
    if not found or not service:
        return None
    name, *domain = service.split(".")
    given = "".join(rf"(\.{re.escape(label)}" for label in domain) + ")?" * len(domain)
    rest = given if domain else r"(\.[^.]+(\.svc(\..+)?)?)?"  # a short name: the namespace is not known
    return re.compile(rf"(?!{re.escape(pod)}\.){re.escape(found[1])}-\d+\.{re.escape(name)}{rest}")
