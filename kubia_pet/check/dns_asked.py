"""The DNS checks where the name servers can be asked from here: from inside, or by --nameserver."""

import asyncio
import re

from kubia_pet.aio.parallel import in_parallel
from kubia_pet.check.name_servers import NameServers, Reply, Server, shown
from kubia_pet.check.ordinals import gaps
from kubia_pet.check.result import Finding, failed, passed, unknown, warning
from kubia_pet.check.scene import Scene
from kubia_pet.check.view import short
from kubia_pet.reach.target import host_name


def servers(scene: Scene) -> NameServers:
    """Those that are asked here."""
    return NameServers(scene.target.service or "", scene.target.nameserver)


async def headless(scene: Scene) -> Finding:
    """Whether the service's name leads to pods, not to an address of its own."""
    names = servers(scene)
    if not names.servers:
        return unknown("No name server is known here.")
    replies = {server: await _patiently(names, server) for server in names.servers}
    evidence = [f"{shown(server)}: SRV {names.service}: {reply.summary}" for server, reply in replies.items()]
    wrong = {reply.error or reply.code for reply in replies.values()} - {"NOERROR", "NXDOMAIN"}
    if any(names.service.lower() in dict(reply.targets) for reply in replies.values()):
        addresses = await names.addresses(names.servers[0], names.service)
        evidence.append(f"{names.service} is {', '.join(sorted(addresses or ()))}")
        return failed("not-headless", f"{names.service} has an address of its own.", *evidence)
    if wrong:
        return failed("dns-failed", f"A name server does not answer: {wrong.pop()}.", *evidence)
    if not any(reply.targets for reply in replies.values()):
        return failed("nobody", f"DNS names nobody behind {names.service}.", *evidence)
    return passed(f"{names.service} is headless.", *evidence)


async def _patiently(names: NameServers, server: Server) -> Reply:
    """The first good answer of three, else the last: what comes and goes is for dns.steady to tell."""
    for _ in range(3):
        reply = await names.ask(server, names.service, "SRV")
        if reply.targets:
            break
    return reply


async def srv(scene: Scene) -> Finding:
    """Whether A and SRV records name exactly the pods."""
    names, views = servers(scene), await scene.views()
    server = names.servers[0]
    bare, named, addresses = await asyncio.gather(
        names.ask(server, names.service, "SRV"),
        names.ask(server, f"_http._tcp.{names.service}", "SRV"),
        names.addresses(server, names.service),
    )
    targets = sorted({target for target, _ in (named if named.targets else bare).targets})
    asked = await in_parallel(targets, lambda each: names.addresses(server, each), limit=8)
    found = {target: own for target, own in zip(targets, asked, strict=True) if own is not None}
    if addresses is None or len(found) < len(targets):
        silent = next((target for target in targets if target not in found), names.service)
        return unknown(f"{shown(server)} does not say where {silent} is.")
    hashed = [target for target, own in found.items() if host_name(target) in map(_dashed, own)]
    evidence = [f"{target} is {', '.join(sorted(own)) or 'nowhere'}" for target, own in found.items()]
    if hashed:
        return failed(
            "no-host-names", f"DNS has no host names for the pods behind {names.service}.", *evidence
        )
    strangers = [view.pod.name for view in views if view.stranger]
    if strangers:
        return failed(
            "wrong-selector", f"{short(strangers)} behind {names.service} is no kubia-pet.", *evidence
        )
    if nowhere := [target for target, own in found.items() if not own]:
        return failed("stale-record", f"DNS names {short(nowhere)}, but says no address.", *evidence)
    if frozenset().union(*found.values()) != addresses:
        evidence.append(f"{names.service} is {', '.join(sorted(addresses))}")
        return failed("addresses-differ", "A and SRV records name different pods.", *evidence)
    missing = {view.full_name.lower() for view in views if view.peers and not view.unready} - set(targets)
    if missing:
        return failed("missing-in-dns", f"DNS does not name {short(missing)}, which is ready.", *evidence)
    if between := gaps(targets, (name for view in views for name in view.remembered)):
        return warning("gap", f"DNS does not name {short(between)}, but pods after it.", *evidence)
    if not named.targets:
        return warning("unnamed-port", f"{names.service} has no port called http.", *evidence)
    return passed(f"A and SRV records name {short(targets)}.", *evidence)


def _dashed(address: str) -> str:
    """The name that CoreDNS makes of an address without a host name."""
    return re.sub("[.:]", "-", address)
