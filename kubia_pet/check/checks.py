"""The checks in the order in which their failures explain each other: the first that fails is the cause."""

from kubia_pet.check import cluster, dns_asked, dns_told, dns_trips, volume
from kubia_pet.check.durable import durable
from kubia_pet.check.identity import identity
from kubia_pet.check.public import public
from kubia_pet.check.runner import Check
from kubia_pet.check.writable import writable
from kubia_pet.reach.target import Target


def checks(target: Target) -> list[Check]:
    """All of them; those of DNS ask the name servers where that can be done from here, else the pods."""
    asked = target.asks_dns and target.service
    dns, trips = (dns_asked, dns_trips) if asked else (dns_told, dns_told)
    return [
        Check("identity", identity),
        Check("dns.headless", dns.headless, ("identity",)),
        Check("dns.srv", dns.srv, ("dns.headless",)),
        Check("dns.roundtrip", trips.roundtrip, ("dns.srv",)),
        Check("dns.steady", trips.steady, ("dns.headless",), after=("dns.roundtrip", "volume.writable")),
        Check("volume.mounted", volume.mounted),
        Check("volume.own", volume.own),
        Check("volume.writable", writable, ("volume.own",)),
        Check("volume.fsync", volume.fsync, ("volume.mounted", "volume.writable")),
        Check("volume.history", volume.history, ("volume.mounted", "volume.own")),
        Check(
            "cluster.view",
            cluster.view,
            ("identity", "dns.headless", "dns.srv", "dns.roundtrip"),
            after=("dns.steady",),
        ),
        Check("public", public, ("volume.writable",), after=("cluster.view",)),
        Check("durable", durable, ("volume.own", "volume.writable"), after=("public",)),
    ]
