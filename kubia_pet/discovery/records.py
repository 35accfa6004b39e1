"""What the SRV records of a headless service say about its pods."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import ip_address

from kubia_pet.limits import MAX_PEERS
from kubia_pet.model.diagnostic import Diagnostic, ErrorCode
from kubia_pet.model.peer import Peer


@dataclass(frozen=True)
class Record:
    """One SRV record (RFC 2782): a target's host name without the final dot, the port, its addresses.

    `line` is the record as dig prints it.
    """

    target: str
    port: int
    addresses: tuple[str, ...]
    line: str = ""


def peers_in(
    records: Iterable[Record], *, service: str, pod: str, port: int
) -> tuple[list[Peer], list[Diagnostic]]:
    """The peers in the order of their ordinals, this pod always among them, and what is wrong.

    `pod` is this pod's host name, `port` the one it listens on.
    """
    own_name = f"{pod}.{service}".lower()
    by_target = {
        record.target.lower(): record for record in records
    }  # one each: named and bare ports repeat them
    diagnostics = []
    if by_target.pop(service.lower(), None):
        diagnostics.append(
            Diagnostic(
                ErrorCode.NOT_HEADLESS,
                f"{service} is not a headless service: its SRV record names the service itself. "
                "Delete it and create it again with clusterIP: None.",
            )
        )
    if any(map(_is_dashed_address, by_target.values())):
        diagnostics.append(
            Diagnostic(
                ErrorCode.NO_HOST_NAMES,
                f"The pods behind {service} have no host names of their own: the StatefulSet's serviceName "
                f"must be the name of this headless service, {service.partition('.')[0]}.",
            )
        )
    own = by_target.pop(own_name, None)
    own_port = own.port if own else None
    others = [
        Peer(name, is_self=False, endpoints=_endpoints(record, own_port=own_port, listening_on=port))
        for name, record in by_target.items()
    ]
    others.sort(key=lambda peer: peer.rank)
    if len(others) >= MAX_PEERS:
        number = len(others) + 1
        diagnostics.append(
            Diagnostic(ErrorCode.TOO_MANY, f"{service} has {number} pods, only {MAX_PEERS} are asked.")
        )
    own_self = Peer(own_name, is_self=True, endpoints=())
    return sorted([own_self, *others[: MAX_PEERS - 1]], key=lambda peer: peer.rank), diagnostics


def _endpoints(record: Record, *, own_port: int | None, listening_on: int) -> tuple[tuple[str, int], ...]:
    """Where to reach a peer: the record's port, unless the service is known to name a wrong one.

    The book's headless service says `port: 80` and no targetPort while its pods listen on 8080, so the
    records say 80, or 0 from an old kube-dns. All pods of a set run one template and one service speaks
    of them all, so this pod's own record is the test: where it names the port this pod listens on, every
    record is taken at its word; where it names another, all pods are asked on this pod's port. As long as
    this pod is not in the answer, because it is not ready, the record's port is tried first, then its own;
    but not on a loopback address, where that would be this pod itself.
    """
    if own_port == listening_on:
        ports: tuple[int, ...] = (record.port,)
    elif own_port is not None:
        ports = (listening_on,)
    else:
        ports = (record.port, listening_on)
    pairs = ((address, port) for port in ports if port for address in record.addresses)
    guessed = own_port is None and record.port != listening_on
    return tuple(
        (address, port)
        for address, port in dict.fromkeys(pairs)
        if not (guessed and port == listening_on and ip_address(address).is_loopback)
    )


def _hostname(name: str) -> str:
    return name.partition(".")[0]


def _is_dashed_address(record: Record) -> bool:
    """Whether CoreDNS had no host name for an endpoint and made one of its address: 10-0-0-7, 2001-db8--7."""
    return any(_hostname(record.target) == re.sub("[.:]", "-", address) for address in record.addresses)
