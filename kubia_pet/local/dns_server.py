"""A name server for one headless service, which answers as CoreDNS does; for clusters without a cluster."""

import asyncio
import contextlib
import ipaddress
import struct
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.opcode
import dns.rcode
import dns.rdatatype
import dns.rrset

_CLIENT_TIMEOUT = 5.0  # seconds for a TCP client's next question
_MOST_CLIENTS = 256  # TCP connections at a time: so many pods may ask at once
_MOST_KEPT = 1024  # rendered answers
Answering = Callable[[dns.message.Message], dns.message.Message]


@dataclass(frozen=True)
class Zone:
    """What is known of one headless service.

    `pods` maps the host name of each ready pod to its (address, port); the caller changes it at will.
    """

    service: str
    pods: Mapping[str, tuple[str, int]]
    ttl: int = 1  # seconds

    def answer(self, query: dns.message.Message) -> dns.message.Message:
        """The response to a query, with the targets' addresses in the additional section."""
        response = dns.message.make_response(query)
        response.flags |= dns.flags.AA
        if query.opcode() != dns.opcode.QUERY or len(query.question) != 1:
            response.set_rcode(dns.rcode.NOTIMP)
            return response
        question = query.question[0]
        service = dns.name.from_text(self.service)
        cluster = dns.name.Name(service.labels[-3:])  # cluster.local.
        if not question.name.is_subdomain(cluster):
            response.flags &= ~dns.flags.AA
            response.set_rcode(dns.rcode.REFUSED)
            return response
        names = {dns.name.from_text(pod, service): pod for pod in self.pods}
        if question.name in {service, dns.name.from_text("_http._tcp", service)} and names:
            found = self._service(question, names)
        elif question.name in names:
            found = _addresses(question.name, self.ttl, [self.pods[names[question.name]][0]])
        else:
            response.set_rcode(dns.rcode.NXDOMAIN)
            found = []
        response.answer = [rrset for rrset in found if rrset.rdtype == question.rdtype]
        if question.rdtype == dns.rdatatype.SRV and response.answer:
            for name, pod in names.items():
                response.additional += _addresses(name, self.ttl, [self.pods[pod][0]])
        if not response.answer:
            soa = f"ns.dns.{cluster} hostmaster.{cluster} 1 7200 1800 86400 {self.ttl}"
            response.authority = [dns.rrset.from_text(cluster, self.ttl, "IN", "SOA", soa)]
        return response

    def _service(
        self, question: dns.rrset.RRset, names: Mapping[dns.name.Name, str]
    ) -> list[dns.rrset.RRset]:
        weight = max(1, 100 // len(names))
        records = [f"0 {weight} {self.pods[pod][1]} {name}" for name, pod in names.items()]
        found = [dns.rrset.from_text(question.name, self.ttl, "IN", "SRV", *records)]
        if not question.name.labels[0].startswith(b"_"):
            found += _addresses(question.name, self.ttl, [address for address, _ in self.pods.values()])
        return found


class Cache:
    """Answers as CoreDNS does with `cache SECONDS`: from memory, for as long as the TTL says or `seconds`.

    There is an entry for each question by name, type and the bits DO and CD, also where there is no such name
    or no record; what is left of its time is the TTL of what it answers (CoreDNS, plugin/cache). The clock's
    are seconds.
    """

    def __init__(
        self, answer: Answering, seconds: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._answer = answer
        self._seconds = seconds
        self._clock = clock
        self._entries: dict[tuple[object, ...], tuple[float, dns.message.Message]] = {}

    def answer(self, query: dns.message.Message) -> dns.message.Message:
        """The response to a query, as old as it may be."""
        if len(query.question) != 1:
            return self._answer(query)
        question, now = query.question[0], self._clock()
        key = question.name, question.rdtype, query.ednsflags & dns.flags.DO, query.flags & dns.flags.CD
        ends, kept = self._entries.get(key, (now, None))
        if kept is None or now >= ends:
            kept = self._answer(query)
            ttls = [rrset.ttl for rrset in (*kept.answer, *kept.authority, *kept.additional)]
            ends = now + min([self._seconds, *ttls])
            if ttls and kept.rcode() in (dns.rcode.NOERROR, dns.rcode.NXDOMAIN):
                self._entries = {each: entry for each, entry in self._entries.items() if entry[0] > now}
                self._entries[key] = ends, kept
        response = dns.message.make_response(query)
        response.set_rcode(kept.rcode())
        response.flags |= kept.flags & dns.flags.AA
        for section in ("answer", "authority", "additional"):
            getattr(response, section).extend(_with_ttl(getattr(kept, section), int(ends - now)))
        return response


def _with_ttl(rrsets: Iterable[dns.rrset.RRset], most: int) -> Iterable[dns.rrset.RRset]:
    for rrset in rrsets:
        yield dns.rrset.from_rdata_list(rrset.name, min(rrset.ttl, most), list(rrset))


class NameServer:
    """Serves a zone, or a cache, over UDP and TCP on one port. Use it as an async context manager."""

    def __init__(self, zone: Zone | Cache, host: str, port: int) -> None:
        self._zone = zone
        self._address = host, port
        self._clients = asyncio.Semaphore(_MOST_CLIENTS)
        self._pods: dict[str, tuple[str, int]] = {}
        self._kept: dict[tuple[bytes, int | None], bytes | None] = {}

    async def __aenter__(self) -> tuple[str, int]:
        """Starts; gives the (address, port). Raises OSError where the port is taken."""
        # TCP first: where the port is 0 it is the one of both that others are likely to have.
        self._tcp = await asyncio.start_server(self._connection, *self._address, backlog=_MOST_CLIENTS)
        host, port = self._tcp.sockets[0].getsockname()[:2]
        try:
            self._udp, _ = await asyncio.get_running_loop().create_datagram_endpoint(
                lambda: _Datagrams(self._wire), local_addr=(host, port)
            )
        except OSError:
            self._tcp.close()
            raise
        return host, port

    async def __aexit__(self, *_: object) -> None:
        self._udp.close()
        self._tcp.close()

    def _wire(self, question: bytes, most: int | None) -> bytes | None:
        """The answer to a message, rendered once for all who ask the same of the same pods."""
        if not isinstance(self._zone, Zone):  # a cache's answers grow old
            return self._rendered(question, most)
        if self._pods != self._zone.pods or len(self._kept) >= _MOST_KEPT:
            self._pods, self._kept = dict(self._zone.pods), {}
        key = question[2:], most  # all but its id
        if key not in self._kept:
            self._kept[key] = self._rendered(question, most)
        kept = self._kept[key]
        return kept and question[:2] + kept[2:]

    def _rendered(self, question: bytes, most: int | None) -> bytes | None:
        """The answer to a message; None where it cannot even be told whom to answer."""
        try:
            query = dns.message.from_wire(question)
        except (dns.exception.DNSException, ValueError):
            if len(question) < 12:  # noqa: PLR2004 - a DNS header
                return None
            return question[:2] + struct.pack("!HHHHH", dns.flags.QR | dns.rcode.FORMERR, 0, 0, 0, 0)
        if query.flags & dns.flags.QR:
            return None
        response = self._zone.answer(query)
        try:
            return response.to_wire(max_size=most or max(query.payload, 512))
        except dns.exception.TooBig:
            cut = dns.message.make_response(query)
            cut.flags |= dns.flags.TC | dns.flags.AA
            return cut.to_wire()

    async def _connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # Cancelled where the program ends: asyncio's callback of Python 3.11 would complain of that.
        with contextlib.suppress(OSError, EOFError, TimeoutError, asyncio.CancelledError):
            async with self._clients:
                while True:
                    async with asyncio.timeout(_CLIENT_TIMEOUT):
                        (size,) = struct.unpack("!H", await reader.readexactly(2))
                        wire = self._wire(await reader.readexactly(size), 65535)
                        if wire is None:
                            break
                        writer.write(struct.pack("!H", len(wire)) + wire)
                        await writer.drain()
        writer.close()


class _Datagrams(asyncio.DatagramProtocol):
    def __init__(self, answer: Callable[[bytes, int | None], bytes | None]) -> None:
        self._answer = answer

    def connection_made(self, transport: asyncio.DatagramTransport) -> None:  # type: ignore[override] # as documented
        self._transport = transport

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        if wire := self._answer(data, None):
            self._transport.sendto(wire, addr)


def _addresses(name: dns.name.Name, ttl: int, addresses: Iterable[str]) -> list[dns.rrset.RRset]:
    kinds: dict[str, list[str]] = {}
    for address in addresses:
        kind = "A" if ipaddress.ip_address(address).version == 4 else "AAAA"  # noqa: PLR2004
        kinds.setdefault(kind, []).append(address)
    return [dns.rrset.from_text(name, ttl, "IN", kind, *found) for kind, found in kinds.items()]
