"""Answers SRV queries for the pods in PODS that Docker's own DNS knows; runs in a container of the image."""

import os
import socket

import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset

SERVICE = os.environ["SERVICE"]  # with its final dot


def address(pod: str) -> str | None:
    try:
        return socket.gethostbyname(pod)
    except OSError:
        return None


def response(wire: bytes) -> bytes:
    answer = dns.message.make_response(query := dns.message.from_wire(wire))
    name = query.question[0].name.to_text()
    known = {pod: found for pod in os.environ["PODS"].split() if (found := address(pod))}
    if name not in (SERVICE, f"_http._tcp.{SERVICE}") or not known:
        answer.set_rcode(dns.rcode.NXDOMAIN)
    elif query.question[0].rdtype == dns.rdatatype.SRV:
        records = [f"0 33 8080 {pod}.{SERVICE}" for pod in known]
        answer.answer = [dns.rrset.from_text(name, 1, "IN", "SRV", *records)]
        answer.additional = [
            dns.rrset.from_text(f"{pod}.{SERVICE}", 1, "IN", "A", found) for pod, found in known.items()
        ]
    return answer.to_wire()


with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as listener:
    listener.bind(("0.0.0.0", 5353))
    print("ready", flush=True)  # noqa: T201 - the test waits for it
    while True:
        datagram, client = listener.recvfrom(65535)
        listener.sendto(response(datagram), client)
