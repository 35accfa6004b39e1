"""SRV look-ups: blocking, so that parsing hundreds of records never holds the event loop."""

import re
import socket
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import dns.exception
import dns.name
import dns.rdataclass
import dns.rdatatype
import dns.resolver
from dns.rdtypes.IN.SRV import SRV

from kubia_pet.discovery.records import Record
from kubia_pet.limits import ADDRESS_CONCURRENCY, MAX_PEERS

_ADDRESS_TYPES = (dns.rdatatype.A, dns.rdatatype.AAAA)


class ResolutionFailedError(Exception):
    """DNS gave no usable answer: a time-out, a server's failure or refusal. The text is a sentence."""


class Resolver:
    """SRV look-ups of one service at one name server, or at those of resolv.conf.

    `timeout`, in seconds, is for one run with all that it asks.
    """

    def __init__(
        self,
        service: str,
        *,
        nameserver: tuple[str, int] | None,
        timeout: float,
        resolv_conf: str = "/etc/resolv.conf",
    ) -> None:
        self.service = service
        self.timeout = timeout
        self._resolver = dns.resolver.Resolver(configure=False)
        with suppress(dns.resolver.NoResolverConfiguration):  # each look-up says so
            self._resolver.read_resolv_conf(resolv_conf)
        if nameserver is not None:
            self._resolver.nameservers = [nameserver[0]]
            self._resolver.port = nameserver[1]
        # One datagram of a size that passes everywhere (DNS flag day 2020), more over TCP.
        self._resolver.use_edns(0, 0, 1232)
        self._resolver.timeout = timeout / 3  # a lost datagram leaves time for one more

    def run(self) -> tuple[str, list[Record], float]:
        """The service's full name, its records, and the seconds (TTL) they are good for.

        Asks for `_http._tcp.<service>`, which the Kubernetes DNS specification defines for a port named
        http, and where there is none for the bare name, which CoreDNS answers with every port. No such
        name, or no record, is an answer: nobody (yet). Raises ResolutionFailedError.
        """
        # The rest is for parsing, and for the pause of up to 0.2 s that dnspython makes before it gives up.
        deadline = time.monotonic() + 0.75 * self.timeout
        named = self._ask(f"_http._tcp.{self.service}", dns.rdatatype.SRV, deadline)
        answer = named if named is not None else self._ask(self.service, dns.rdatatype.SRV, deadline)
        if answer is None:
            return self.service.rstrip("."), [], float("inf")
        chain = answer.chaining_result  # the service's own name, where an alias (CNAME) was asked for
        labels = chain.canonical_name.canonicalize().labels
        service = dns.name.Name(labels[2:] if labels[:2] == (b"_http", b"_tcp") else labels)
        return _text(service), self._records(answer, deadline), chain.minimum_ttl

    def _ask(
        self, name: str | dns.name.Name, kind: dns.rdatatype.RdataType, deadline: float
    ) -> dns.resolver.Answer | None:
        """The answer; None where the name or the record does not exist."""
        left = deadline - time.monotonic()
        if left <= 0:
            raise ResolutionFailedError(no_answer_within(self.timeout))
        try:
            answer = self._resolver.resolve(name, kind, raise_on_no_answer=False, lifetime=left, search=True)
        except dns.resolver.NXDOMAIN:
            return None
        except dns.exception.Timeout as error:
            raise ResolutionFailedError(no_answer_within(self.timeout)) from error
        except dns.resolver.NoNameservers as error:
            # What the last server asked said; the tuples are (server, tcp, port, error, response).
            errors = [each[3] for each in error.kwargs.get("errors") or ()]
            raise ResolutionFailedError(f"DNS failed: {_reason(errors)}.") from error
        except Exception as error:
            # A stranger's bytes were read, and dnspython does not promise what that may raise.
            raise ResolutionFailedError(f"DNS failed: {_reason([error])}.") from error
        return answer if answer.rrset is not None else None

    def _records(self, answer: dns.resolver.Answer, deadline: float) -> list[Record]:
        known: dict[dns.name.Name, list[str]] = {}
        for rrset in answer.response.additional:
            if rrset.rdclass == dns.rdataclass.IN and rrset.rdtype in _ADDRESS_TYPES:
                known.setdefault(rrset.name, []).extend(rdata.address for rdata in rrset)
        found = [
            (rdata.target, rdata.port)
            for rdata in list(answer)[: 2 * MAX_PEERS]
            if isinstance(rdata, SRV) and rdata.target != dns.name.root  # RFC 2782: the root means nobody
        ]
        missing = {target for target, _ in found if target not in known}
        if missing:
            with ThreadPoolExecutor(ADDRESS_CONCURRENCY) as threads:
                known |= zip(
                    missing, threads.map(lambda name: self._addresses(name, deadline), missing), strict=True
                )
        return [Record(_text(target), port, tuple(known[target])) for target, port in found]

    def _addresses(self, name: dns.name.Name, deadline: float) -> list[str]:
        """A target's addresses; none where they cannot be found, which costs this peer alone."""
        for kind in _ADDRESS_TYPES:
            with suppress(ResolutionFailedError):
                if answer := self._ask(name, kind, deadline):
                    return [rdata.address for rdata in answer]
        return []


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


def full_name_of(pod: str, service: str | None) -> str | None:
    """The pod's full name, in lower case, as its peers know it; None where it has none.

    That is so without a headless service: in plain Docker each container has a new name.
    """
    if service is None:
        return None
    full = service if ".svc." in service else service_of(pod)
    return f"{pod}.{full}".rstrip(".").lower() if full else None


def _text(name: dns.name.Name) -> str:
    return name.to_text(omit_final_dot=True)


def no_answer_within(seconds: float) -> str:
    """The sentence for a time-out."""
    return f"DNS gave no answer within {seconds:g} s."


def _reason(errors: Sequence[Exception | str]) -> str:
    """In words of ours, or of the system: an exception's text may hold what a stranger sent."""
    match errors:
        case []:
            return "no name server is known"
        case [*_, str() as response_code]:
            return response_code
        case [*_, OSError() as error]:
            return error.strerror or "the connection failed"
        case _:
            return f"the answer makes no sense ({type(errors[-1]).__name__})"
