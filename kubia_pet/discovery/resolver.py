"""SRV look-ups: blocking, so that parsing hundreds of records never holds the event loop."""

import re
import socket
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, replace

import dns.exception
import dns.flags
import dns.name
import dns.rdataclass
import dns.rdatatype
import dns.resolver
from dns.rdtypes.IN.SRV import SRV

from kubia_pet.discovery.records import Record
from kubia_pet.discovery.rotation import Way
from kubia_pet.limits import ADDRESS_CONCURRENCY, MAX_PEERS

_ADDRESS_TYPES = (dns.rdatatype.A, dns.rdatatype.AAAA)


class ResolutionFailedError(Exception):
    """DNS gave no usable answer: a time-out, a server's failure or refusal. The text is a sentence."""


class ResolutionTimeoutError(ResolutionFailedError):
    """Nothing came in time."""


@dataclass(frozen=True)
class Answer:
    """What the name server said when it was asked in one way.

    `service` is the service's full name, `ttl` the seconds for which all is good. `refusal` is why it was
    asked without the bits that were meant.
    """

    way: Way
    service: str
    records: tuple[Record, ...]
    ttl: float
    refusal: ResolutionFailedError | None = None


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
        self._takes_bits = False  # the name server has answered a question with CD or DO
        self._resolver.timeout = timeout / 3  # a lost datagram leaves time for one more

    def run(self, *ways: Way, timeout: float | None = None) -> list[Answer]:
        """The answers, in each way until one names somebody, within `timeout` seconds where it is given.

        `_http._tcp.<service>` is what the Kubernetes DNS specification defines for a port named http, the
        bare name what CoreDNS answers with every port. No such name, or no record, is an answer: nobody
        (yet). Where the name server does not answer a question with bits that it may not know, it is asked
        again without. Raises ResolutionFailedError.
        """
        # The rest is for parsing, and for the pause of up to 0.2 s that dnspython makes before it gives up.
        seconds = 0.75 * (timeout or self.timeout)
        deadline = time.monotonic() + seconds
        unknown = not (ways[0].is_plain or self._takes_bits)
        try:
            answers = self._run(ways, deadline, for_plain=seconds / 3 if unknown else 0)
        except ResolutionFailedError as refusal:
            if ways[0].is_plain:
                raise
            if self._takes_bits and isinstance(refusal, ResolutionTimeoutError):
                self._takes_bits = False  # the next run leaves time for the plain question
                raise
            plain = self._run([Way(way.named) for way in ways], deadline)
            return [replace(answer, refusal=refusal) for answer in plain]
        self._takes_bits = self._takes_bits or not ways[0].is_plain
        return answers

    def name(self, way: Way) -> str:
        """The name that is asked for in this way."""
        return f"_http._tcp.{self.service}" if way.named else self.service

    def _run(self, ways: Iterable[Way], deadline: float, *, for_plain: float = 0.0) -> list[Answer]:
        """`for_plain` seconds before the deadline there must be an answer; its addresses may take longer."""
        answers = []
        for way in ways:
            answers.append(self._look_up(way, deadline - for_plain, deadline))
            if answers[-1].records:
                break
        return answers

    def _look_up(self, way: Way, answered_by: float, deadline: float) -> Answer:
        self._resolver.flags = dns.flags.RD | (dns.flags.CD if way.checking_disabled else 0)
        # One datagram of a size that passes everywhere (DNS flag day 2020), more over TCP. What DO may bring
        # beside the records is not looked at.
        self._resolver.use_edns(0, dns.flags.DO if way.dnssec_ok else 0, 1232)
        answer, ttl = self._ask(self.name(way), dns.rdatatype.SRV, answered_by)
        if answer is None:
            return Answer(way, self.service.rstrip("."), (), ttl)
        chain = answer.chaining_result  # the service's own name, where an alias (CNAME) was asked for
        labels = chain.canonical_name.canonicalize().labels
        service = dns.name.Name(labels[2:] if labels[:2] == (b"_http", b"_tcp") else labels)
        return Answer(way, _text(service), tuple(self._records(answer, deadline)), ttl)

    def _ask(
        self, name: str | dns.name.Name, kind: dns.rdatatype.RdataType, deadline: float
    ) -> tuple[dns.resolver.Answer | None, float]:
        """The answer, None where the name or the record does not exist, and its TTL."""
        left = deadline - time.monotonic()
        if left <= 0:
            raise ResolutionTimeoutError(no_answer_within(self.timeout))
        try:
            answer = self._resolver.resolve(name, kind, raise_on_no_answer=False, lifetime=left, search=True)
        except dns.resolver.NXDOMAIN as error:
            return None, _negative_ttl(error)
        except dns.exception.Timeout as error:
            raise ResolutionTimeoutError(no_answer_within(self.timeout)) from error
        except dns.resolver.NoNameservers as error:
            # What the last server asked said; the tuples are (server, tcp, port, error, response).
            errors = [each[3] for each in error.kwargs.get("errors") or ()]
            raise ResolutionFailedError(f"DNS failed: {_reason(errors)}.") from error
        except Exception as error:
            # A stranger's bytes were read, and dnspython does not promise what that may raise.
            raise ResolutionFailedError(f"DNS failed: {_reason([error])}.") from error
        return (answer if answer.rrset is not None else None), answer.chaining_result.minimum_ttl

    def _records(self, answer: dns.resolver.Answer, deadline: float) -> list[Record]:
        known: dict[dns.name.Name, list[str]] = {}
        for rrset in answer.response.additional:
            if rrset.rdclass == dns.rdataclass.IN and rrset.rdtype in _ADDRESS_TYPES:
                known.setdefault(rrset.name, []).extend(rdata.address for rdata in rrset)
        found = [
            rdata
            for rdata in list(answer)[: 2 * MAX_PEERS]
            if isinstance(rdata, SRV) and rdata.target != dns.name.root  # RFC 2782: the root means nobody
        ]
        missing = {rdata.target for rdata in found} - known.keys()
        if missing:
            with ThreadPoolExecutor(ADDRESS_CONCURRENCY) as threads:
                known |= zip(
                    missing, threads.map(lambda name: self._addresses(name, deadline), missing), strict=True
                )
        owner = answer.rrset  # of the records, as an alias leads to it
        begin = f"{owner.name} {owner.ttl} IN SRV" if owner is not None else ""
        return [
            Record(_text(each.target), each.port, tuple(known[each.target]), f"{begin} {each}")
            for each in found
        ]

    def _addresses(self, name: dns.name.Name, deadline: float) -> list[str]:
        """A target's addresses; none where they cannot be found, which costs this peer alone."""
        for kind in _ADDRESS_TYPES:
            with suppress(ResolutionFailedError):
                answer, _ = self._ask(name, kind, deadline)
                if answer is not None:
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


def _negative_ttl(error: dns.resolver.NXDOMAIN) -> float:
    """How long "no such name" holds (RFC 2308), of the name asked last; 0 where that is not said."""
    with suppress(Exception):  # a stranger's bytes, again
        responses: dict[dns.name.Name, dns.message.QueryMessage] = error.kwargs["responses"]
        return min(each.resolve_chaining().minimum_ttl for each in responses.values())
    return 0.0


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
