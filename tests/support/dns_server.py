"""A scriptable name server on loopback, UDP and TCP on one port; it can also lie."""

import socket
import socketserver
import struct
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import dns.rrset

NAME = "kubia.default.svc.cluster.local"  # of the service that all tests speak of
SERVICE = f"{NAME}."

Reply = dns.message.Message | bytes | None  # bytes go out as they are; None is silence
Script = Callable[[dns.message.Message, str], Reply | Sequence[Reply]]  # (query, "udp" or "tcp") -> answers


@dataclass
class Zone:
    """Answers for one headless service as CoreDNS does. `pods` is target: (port, addresses)."""

    pods: dict[str, tuple[int, Sequence[str]]] = field(default_factory=dict)
    service: str = SERVICE
    named: bool = True  # whether _http._tcp.<service> exists, as for a port with that name
    bare: bool = True
    additional: bool = True
    addresses: bool = True
    ttl: int = 5

    @property
    def names(self) -> tuple[str, str]:
        """The names that are answered with all pods."""
        return f"_http._tcp.{self.service}", self.service

    def add(self, host: str, port: int, *addresses: str) -> None:
        """Adds the pod `host` of this service."""
        self.pods[f"{host}.{self.service}"] = port, addresses or ("127.0.0.1",)

    def __call__(self, query: dns.message.Message, _: str) -> dns.message.Message:
        question = query.question[0]
        name, kind = question.name.to_text().lower(), question.rdtype
        answer = dns.message.make_response(query)
        answer.flags |= dns.flags.AA
        found = False
        if (name == f"_http._tcp.{self.service}" and self.named) or (name == self.service and self.bare):
            found = bool(self.pods)
            if kind == dns.rdatatype.SRV and found:
                lines = [f"0 33 {port} {target}" for target, (port, _) in self.pods.items()]
                answer.answer.append(dns.rrset.from_text(question.name, self.ttl, "IN", "SRV", *lines))
                if self.additional:
                    answer.additional += [
                        rrset for target in self.pods for rrset in self._addresses_of(target)
                    ]
            elif found and kind in (dns.rdatatype.A, dns.rdatatype.AAAA) and name == self.service:
                answer.answer += self._all_addresses(question.name, kind)
        elif name in self.pods and self.addresses:
            found = True
            answer.answer += [rrset for rrset in self._addresses_of(name) if rrset.rdtype == kind]
        if not found:
            answer.set_rcode(dns.rcode.NXDOMAIN)
        return answer

    def _all_addresses(self, name: dns.name.Name, kind: dns.rdatatype.RdataType) -> list[dns.rrset.RRset]:
        """Those of all pods, under the service's name."""
        every = (
            rrset for target in self.pods for rrset in self._addresses_of(target) if rrset.rdtype == kind
        )
        texts = sorted({record.to_text() for rrset in every for record in rrset})
        return (
            [dns.rrset.from_text(name, self.ttl, "IN", dns.rdatatype.to_text(kind), *texts)] if texts else []
        )

    def _addresses_of(self, target: str) -> list[dns.rrset.RRset]:
        by_kind: dict[str, list[str]] = {}
        for address in self.pods[target][1]:
            by_kind.setdefault("AAAA" if ":" in address else "A", []).append(address)
        return [dns.rrset.from_text(target, self.ttl, "IN", kind, *texts) for kind, texts in by_kind.items()]


def rcode(code: dns.rcode.Rcode) -> Script:
    """Answers everything with this code."""

    def script(query: dns.message.Message, _: str) -> dns.message.Message:
        answer = dns.message.make_response(query)
        answer.set_rcode(code)
        return answer

    return script


def silence(_: dns.message.Message, __: str) -> None:
    """Answers nothing."""


def canned(message: dns.message.Message) -> Script:
    """Answers everything with this message under the query's own id: costs no encoding each time."""
    wire = message.to_wire(max_size=65535)

    def script(query: dns.message.Message, _: str) -> bytes:
        return struct.pack("!H", query.id) + wire[2:]

    return script


def wire_of(reply: dns.message.Message | bytes, query: dns.message.Message, via: str) -> bytes:
    """The reply's bytes; cut, with the flag TC, where UDP has no room."""
    if isinstance(reply, bytes):
        return reply
    if via == "tcp":
        return reply.to_wire(max_size=65535)
    room = query.payload if query.edns >= 0 else 512
    try:
        return reply.to_wire(max_size=room)
    except dns.exception.TooBig:
        cut = dns.message.make_response(query)
        cut.flags |= dns.flags.TC
        return cut.to_wire()


class NameServer:
    """A running name server; `script` may be changed meanwhile, `asked` is what was asked so far."""

    def __init__(self, script: Script, *, tcp: bool = True) -> None:
        self.script = script
        self.asked: list[tuple[str, str, str]] = []  # name, type, udp or tcp
        listener = socket.create_server(("127.0.0.1", 0))
        self.address: tuple[str, int] = listener.getsockname()
        self._udp = _UDPServer(self.address, _datagram_handler(self))
        self._tcp = _TCPServer(self.address, _stream_handler(self), bind_and_activate=False)
        self._tcp.socket.close()
        self._tcp.socket = listener
        if not tcp:
            listener.close()
        servers: list[socketserver.BaseServer] = [self._udp, *([self._tcp] if tcp else [])]
        self._servers = servers
        self._threads = [
            threading.Thread(target=each.serve_forever, args=(0.01,), daemon=True) for each in servers
        ]

    def replies(self, wire: bytes, via: str) -> list[bytes]:
        """What goes out for these bytes."""
        query = dns.message.from_wire(wire)
        question = query.question[0]
        kind = dns.rdatatype.to_text(question.rdtype)
        self.asked.append((question.name.to_text(), kind, via))
        given = self.script(query, via)
        many = [given] if isinstance(given, dns.message.Message | bytes | None) else given
        return [wire_of(each, query, via) for each in many if each is not None]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for server in self._servers:
            server.shutdown()
            server.server_close()
        for thread in self._threads:
            thread.join()


class _UDPServer(socketserver.ThreadingUDPServer):
    daemon_threads = True
    block_on_close = False
    max_packet_size = 65535


class _TCPServer(socketserver.ThreadingTCPServer):
    daemon_threads = True
    block_on_close = False


def _datagram_handler(server: NameServer) -> type[socketserver.BaseRequestHandler]:
    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            wire, sender = self.request
            for reply in server.replies(wire, "udp"):
                sender.sendto(reply, self.client_address)

    return Handler


def _stream_handler(server: NameServer) -> type[socketserver.BaseRequestHandler]:
    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            while header := self.rfile.read(2):
                for reply in server.replies(self.rfile.read(struct.unpack("!H", header)[0]), "tcp"):
                    self.wfile.write(struct.pack("!H", len(reply)) + reply)

    return Handler
