"""SRV look-ups: blocking, so that parsing hundreds of records never holds the event loop."""

import re
import socket
import time
from concurrent.futures import ThreadPoolExecutor

import dns.exception
import dns.flags
import dns.name
import dns.rdatatype
import dns.resolver
from dns.rdtypes.IN.SRV import SRV

from kubia_pet.discovery.peers import MOST_PEERS, Record

_ADDRESS_TYPES = (dns.rdatatype.A, dns.rdatatype.AAAA)
_AT_ONCE = 16  # address look-ups, where an answer has no additional section


class LookupFailedError(Exception):
    """DNS gave no usable answer: a time-out, a server's failure or refusal. The text is a sentence."""


class Lookup:
    """SRV look-ups of one service at one name server, or at those of resolv.conf."""

    def __init__(self, service: str, *, nameserver: tuple[str, int] | None, timeout: float) -> None:
        self.service = service
        self._timeout = timeout
        if nameserver is None:
            self._resolver = dns.resolver.Resolver()
        else:
            self._resolver = dns.resolver.Resolver(configure=False)
            self._resolver.nameservers = [nameserver[0]]
            self._resolver.port = nameserver[1]
        # One datagram of a size that passes everywhere (DNS flag day 2020), more over TCP.
        self._resolver.use_edns(0, 0, 1232)
        self._resolver.timeout = timeout / 3  # a lost datagram leaves time for two more

    def run(self) -> tuple[str, list[Record], float]:
        """The service's full name, its records, and the seconds (TTL) they are good for.

        Asks for `_http._tcp.<service>`, which the Kubernetes DNS specification defines for a port named
        http, and where there is none for the bare name, which CoreDNS answers with every port. No such
        name, or no record, is an answer: nobody (yet). Raises LookupFailedError.
        """
        deadline = time.monotonic() + self._timeout
        named = self._ask(f"_http._tcp.{self.service}", dns.rdatatype.SRV, deadline)
        answer = named if named is not None else self._ask(self.service, dns.rdatatype.SRV, deadline)
        if answer is None:
            return self.service.rstrip("."), [], float("inf")
        service = _text(answer.qname if named is None else dns.name.Name(answer.qname.labels[2:]))
        return service, self._records(answer, deadline), answer.rrset.ttl  # type: ignore[union-attr]

    def _ask(
        self, name: str | dns.name.Name, kind: dns.rdatatype.RdataType, deadline: float
    ) -> dns.resolver.Answer | None:
        """The answer; None where the name or the record does not exist."""
        left = deadline - time.monotonic()
        try:
            answer = self._resolver.resolve(
                name, kind, raise_on_no_answer=False, lifetime=max(left, 0.0), search=True
            )
        except dns.resolver.NXDOMAIN:
            return None
        except dns.exception.Timeout as error:
            raise LookupFailedError(f"DNS gave no answer within {self._timeout:g} s.") from error
        except dns.resolver.NoNameservers as error:
            raise LookupFailedError(f"DNS failed: {_outcome(error)}.") from error
        except (dns.exception.DNSException, OSError) as error:
            raise LookupFailedError(f"DNS failed: {error}.") from error
        return answer if answer.rrset is not None else None

    def _records(self, answer: dns.resolver.Answer, deadline: float) -> list[Record]:
        known: dict[dns.name.Name, list[str]] = {}
        for rrset in answer.response.additional:
            if rrset.rdtype in _ADDRESS_TYPES:
                known.setdefault(rrset.name, []).extend(rdata.address for rdata in rrset)
        found = [
            (rdata.target, rdata.port) for rdata in list(answer)[: 2 * MOST_PEERS] if isinstance(rdata, SRV)
        ]
        missing = {target for target, _ in found if target not in known}
        if missing:
            with ThreadPoolExecutor(_AT_ONCE) as threads:
                known |= zip(
                    missing, threads.map(lambda name: self._addresses(name, deadline), missing), strict=True
                )
        return [Record(_text(target), port, tuple(known[target])) for target, port in found]

    def _addresses(self, name: dns.name.Name, deadline: float) -> list[str]:
        """A target's addresses; none where they cannot be found, which costs this peer alone."""
        addresses = []
        for kind in _ADDRESS_TYPES:
            try:
                answer = self._ask(name, kind, deadline)
            except LookupFailedError:
                continue
            addresses += [rdata.address for rdata in answer or ()]
        return addresses


def service_of(pod: str) -> str | None:
    """The headless service that this host's own name tells, as a full name with its final dot.

    In a pod of a StatefulSet /etc/hosts has `kubia-0.kubia.default.svc.cluster.local kubia-0` (Kubernetes
    DNS specification: <hostname>.<service>.<namespace>.svc.<zone>). None where the name has no such form.
    """
    try:
        found = socket.getaddrinfo(pod, None, type=socket.SOCK_STREAM, flags=socket.AI_CANONNAME)
    except OSError:
        return None
    match = re.fullmatch(rf"{re.escape(pod)}\.([^.]+\.[^.]+\.svc\..+?)\.?", found[0][3], re.IGNORECASE)
    return f"{match[1]}." if match else None


def _text(name: dns.name.Name) -> str:
    return name.to_text(omit_final_dot=True)


def _outcome(error: dns.resolver.NoNameservers) -> str:
    """What the last server asked said, for example SERVFAIL."""
    errors = error.kwargs.get("errors") or [()]
    reason = errors[-1][3] if len(errors[-1]) > 3 else error  # noqa: PLR2004 - (nameserver, tcp, port, error, response)
    return str(reason).rstrip(".")
