"""Questions to each name server by itself: what a resolver would hide is what the checks look for."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import dns.asyncquery
import dns.exception
import dns.message
import dns.rcode
import dns.rdatatype
import dns.resolver
from dns.rdtypes.IN.SRV import SRV

from kubia_pet.limits import DNS_TIMEOUT

Server = tuple[str, int]


@dataclass(frozen=True)
class Reply:
    """One answer: records as text, without final dots; for SRV the (target, port) pairs.

    `code` is the response code, None where there was no answer; then `error` says why.
    """

    texts: frozenset[str] = frozenset()
    targets: frozenset[tuple[str, int]] = frozenset()
    code: str | None = None
    error: str | None = None

    @property
    def summary(self) -> str:
        """In a few words."""
        return self.error or (f"{len(self.texts)} records" if self.texts else f"{self.code}, no record")


class NameServers:
    """Those that this machine asks, or the one given, and the service in question."""

    def __init__(self, service: str, nameserver: Server | None, resolv_conf: Path | None = None) -> None:
        found = dns.resolver.Resolver(configure=False)
        with suppress(dns.resolver.NoResolverConfiguration):
            found.read_resolv_conf(str(resolv_conf or "/etc/resolv.conf"))
        self.servers: Sequence[Server] = (
            [nameserver] if nameserver else [(str(each), found.port) for each in found.nameservers]
        )
        short = ".svc." not in service and found.search
        self.service = f"{service}.{found.search[0].to_text(omit_final_dot=True)}" if short else service

    async def ask(self, server: Server, name: str, kind: str) -> Reply:
        """One answer, asked anew; never raises."""
        address, port = server
        query = dns.message.make_query(name, kind, use_edns=0, payload=1232)
        try:
            response, _ = await dns.asyncquery.udp_with_fallback(query, address, DNS_TIMEOUT, port)
        except dns.exception.Timeout:
            return Reply(error=f"no answer within {DNS_TIMEOUT:g} s")
        except (OSError, EOFError, ValueError, dns.exception.DNSException) as error:
            return Reply(error=f"no usable answer ({type(error).__name__})")
        records = [
            record
            for rrset in response.answer
            if rrset.rdtype == dns.rdatatype.from_text(kind)
            for record in rrset
        ]
        return Reply(
            frozenset(record.to_text().rstrip(".").lower() for record in records),
            frozenset(
                (record.target.to_text(omit_final_dot=True).lower(), record.port)
                for record in records
                if isinstance(record, SRV)
            ),
            dns.rcode.to_text(response.rcode()),
        )

    async def addresses(self, server: Server, name: str) -> frozenset[str] | None:
        """IPv4 and IPv6 addresses of the name; None where the name server does not say."""
        four, six = [await self.ask(server, name, kind) for kind in ("A", "AAAA")]
        found = four.texts | six.texts
        return found if found or not (four.error or six.error) else None


def shown(server: Server) -> str:
    """As dig would be told."""
    return f"{server[0]} port {server[1]}"
