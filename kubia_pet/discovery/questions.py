"""Questions to name servers, by dnspython."""

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import dns.exception
import dns.flags
import dns.name
import dns.rdataclass
import dns.rdatatype
import dns.resolver
from dns.rdtypes.IN.SRV import SRV

from kubia_pet.discovery.answer import (
    Answer,
    ResolutionFailedError,
    ResolutionTimeoutError,
    no_answer_within,
)
from kubia_pet.discovery.records import Record
from kubia_pet.discovery.rotation import Way
from kubia_pet.limits import ADDRESS_CONCURRENCY, MAX_PEERS

_ADDRESS_TYPES = (dns.rdatatype.A, dns.rdatatype.AAAA)


class Questions:
    """Asks one name server, or those of resolv.conf; where that has none each question fails, and says so."""

    def __init__(self, nameserver: tuple[str, int] | None, resolv_conf: str, timeout: float) -> None:
        self._timeout = timeout
        self._resolver = dns.resolver.Resolver(configure=False)
        with suppress(dns.resolver.NoResolverConfiguration):
            self._resolver.read_resolv_conf(resolv_conf)
        if nameserver is not None:
            self._resolver.nameservers = [nameserver[0]]
            self._resolver.port = nameserver[1]
        self._resolver.timeout = timeout / 3  # a lost datagram leaves time for one more

    def answer(self, name: str, service: str, way: Way, *, answered_by: float, deadline: float) -> Answer:
        """The SRV records under this name of the service, asked for in this way.

        The answer must be there at `answered_by`, the addresses that it lacks at `deadline`, both of
        time.monotonic. Raises ResolutionFailedError.
        """
        self._resolver.flags = dns.flags.RD | (dns.flags.CD if way.checking_disabled else 0)
        # One datagram of a size that passes everywhere (DNS flag day 2020), more over TCP. What DO may bring
        # beside the records is not looked at.
        self._resolver.use_edns(0, dns.flags.DO if way.dnssec_ok else 0, 1232)
        answer, ttl = self._ask(name, dns.rdatatype.SRV, answered_by)
        if answer is None:
            return Answer(way, service.rstrip("."), (), ttl)
        chain = answer.chaining_result  # the service's own name, where an alias (CNAME) was asked for
        labels = chain.canonical_name.canonicalize().labels
        found = dns.name.Name(labels[2:] if labels[:2] == (b"_http", b"_tcp") else labels)
        return Answer(way, _text(found), tuple(self._records(answer, deadline)), ttl)

    def _ask(
        self, name: str | dns.name.Name, kind: dns.rdatatype.RdataType, deadline: float
    ) -> tuple[dns.resolver.Answer | None, float]:
        """The answer, None where the name or the record does not exist, and its TTL."""
        left = deadline - time.monotonic()
        if left <= 0:
            raise ResolutionTimeoutError(no_answer_within(self._timeout))
        try:
            answer = self._resolver.resolve(name, kind, raise_on_no_answer=False, lifetime=left, search=True)
        except dns.resolver.NXDOMAIN as error:
            return None, _negative_ttl(error)
        except dns.exception.Timeout as error:
            raise ResolutionTimeoutError(no_answer_within(self._timeout)) from error
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


def _negative_ttl(error: dns.resolver.NXDOMAIN) -> float:
    """How long "no such name" holds (RFC 2308), of the name asked last; 0 where that is not said."""
    with suppress(Exception):  # a stranger's bytes, again
        responses: dict[dns.name.Name, dns.message.QueryMessage] = error.kwargs["responses"]
        return min(each.resolve_chaining().minimum_ttl for each in responses.values())
    return 0.0


def _text(name: dns.name.Name) -> str:
    return name.to_text(omit_final_dot=True)


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
