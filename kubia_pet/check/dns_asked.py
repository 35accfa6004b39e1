"""The DNS checks where the name servers can be asked from here: from inside, or by --nameserver."""

import asyncio
import re
from collections.abc import Iterable

import aiohttp

from kubia_pet.aio.parallel import in_parallel
from kubia_pet.check.name_servers import NameServers, Reply, Server, shown
from kubia_pet.check.result import Finding, failed, passed, skipped, unknown, warning
from kubia_pet.check.scene import Scene
from kubia_pet.check.view import short
from kubia_pet.client.pod import AskError, NotReachedError, PodClient, RefusedError, session
from kubia_pet.limits import ASK_CONCURRENCY, STEADY_PAUSE, STEADY_ROUNDS
from kubia_pet.reach.target import host_name


def _servers(scene: Scene) -> NameServers:
    return NameServers(scene.target.service or "", scene.target.nameserver)


async def headless(scene: Scene) -> Finding:
    """Whether the service's name leads to pods, not to an address of its own."""
    names = _servers(scene)
    if not names.servers:
        return unknown("No name server is known here.")
    replies = {server: await _patiently(names, server) for server in names.servers}
    evidence = [f"{shown(server)}: SRV {names.service}: {reply.summary}" for server, reply in replies.items()]
    wrong = {reply.error or reply.code for reply in replies.values()} - {"NOERROR", "NXDOMAIN"}
    if any(names.service.lower() in dict(reply.targets) for reply in replies.values()):
        addresses = await names.addresses(names.servers[0], names.service)
        evidence.append(f"{names.service} is {', '.join(sorted(addresses))}")
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
    names, views = _servers(scene), await scene.views()
    server = names.servers[0]
    bare, named, addresses = await asyncio.gather(
        names.ask(server, names.service, "SRV"),
        names.ask(server, f"_http._tcp.{names.service}", "SRV"),
        names.addresses(server, names.service),
    )
    targets = sorted({target for target, _ in (named if named.targets else bare).targets})
    found = dict(
        zip(
            targets,
            await in_parallel(targets, lambda each: names.addresses(server, each), limit=8),
            strict=True,
        )
    )
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
    if frozenset().union(*found.values()) != addresses:
        evidence.append(f"{names.service} is {', '.join(sorted(addresses))}")
        return failed("addresses-differ", "A and SRV records name different pods.", *evidence)
    missing = {view.full_name.lower() for view in views if view.peers and not view.unready} - set(targets)
    if missing:
        return failed("missing-in-dns", f"DNS does not name {short(missing)}, which is ready.", *evidence)
    gaps = _gaps(targets)
    if gaps:
        return warning("gap", f"DNS names pods on both sides of {short(gaps)}, but not that one.", *evidence)
    if not named.targets:
        return warning("unnamed-port", f"{names.service} has no port called http.", *evidence)
    return passed(f"A and SRV records name {short(targets)}.", *evidence)


async def roundtrip(scene: Scene) -> Finding:
    """Whether each name leads to an address where a pod says that it is that one."""
    names = _servers(scene)
    asked = [(server, await names.ask(server, names.service, "SRV")) for server in names.servers]
    pairs = {(server, *target) for server, reply in asked for target in reply.targets}
    async with session() as opened:

        async def trip(pair: tuple[Server, str, int]) -> Finding | None:
            server, target, port = pair
            for address in await names.addresses(server, target):
                if found := await _answer_at(opened, address, port, target):
                    return found
            return None

        found = [each for each in await in_parallel(sorted(pairs), trip, limit=ASK_CONCURRENCY) if each]
    if found:
        return failed(
            found[0].cause or "", found[0].message, *(line for each in found for line in each.evidence)
        )
    return passed("Each name leads to the pod of that name.")


async def _answer_at(opened: aiohttp.ClientSession, address: str, port: int, target: str) -> Finding | None:
    """What is wrong with who answers for this name at this address."""
    place = f"[{address}]" if ":" in address else address
    ports = dict.fromkeys((port, 8080)) if port else {8080: None}  # the book's service names a wrong one
    wrong: Finding | None = None
    for each in ports:
        pod = PodClient(opened, f"http://{place}:{each}/", name=host_name(target), host=f"{target}:{each}")
        line = f"{target} is {address}"
        try:
            name = (await pod.peers()).get("pod")
        except NotReachedError as error:
            wrong = failed(
                "stale-record", f"Nobody is where DNS says {pod.name} is.", f"{line}, which {error}"
            )
            continue
        except RefusedError as error:
            if error.status == 421:  # noqa: PLR2004 - Misdirected Request
                return failed(
                    "other-pod", f"Another pod is where DNS says {pod.name} is.", f"{line}: {error}"
                )
            return failed(
                "not-a-pet", f"No kubia-pet is where DNS says {pod.name} is.", f"{line}, which {error}"
            )
        except AskError as error:
            return failed(
                "stale-record", f"{pod.name} gives no answer where DNS says it is.", f"{line}, which {error}"
            )
        if name != pod.name:
            return failed(
                "other-pod", f"Where DNS says {pod.name} is, {name} answers.", f"{line}: {name} answers"
            )
        return None
    return wrong


async def steady(scene: Scene) -> Finding:
    """Whether each name server gives the same answer each time."""
    names = _servers(scene)

    async def rounds(server: Server) -> list[Reply]:
        replies = []
        for _ in range(STEADY_ROUNDS):
            replies.append(await names.ask(server, names.service, "SRV"))
            await asyncio.sleep(STEADY_PAUSE)
        return replies

    answers = dict(zip(names.servers, await asyncio.gather(*map(rounds, names.servers)), strict=True))
    kinds = {
        server: {reply.error or reply.targets or reply.code for reply in got}
        for server, got in answers.items()
    }
    evidence = [
        f"{shown(server)}: {' / '.join(sorted({reply.summary for reply in got}))}, of {len(got)} answers"
        for server, got in answers.items()
    ]
    if any(len(each) > 1 for each in kinds.values()):
        return failed(
            "flaps", "A name server's answers come and go.", *evidence, *_coming_and_going(answers.values())
        )
    if len({next(iter(each)) for each in kinds.values()}) > 1:
        return failed("name-servers-differ", "The name servers give different answers.", *evidence)
    return passed(f"{STEADY_ROUNDS} answers of each of {len(answers)} name servers are the same.")


def _coming_and_going(answers: Iterable[list[Reply]]) -> list[str]:
    replies = [reply for got in answers for reply in got]
    seen = [target for reply in replies for target, _ in reply.targets]
    return [f"{target} in {seen.count(target)} of {len(replies)} answers" for target in sorted(set(seen))]


def _dashed(address: str) -> str:
    """The name that CoreDNS makes of an address without a host name."""
    return re.sub("[.:]", "-", address)


def _gaps(targets: Iterable[str]) -> list[str]:
    """Names between the first and the last ordinal that are not there."""
    split = [host_name(target).rpartition("-") for target in targets]
    ordinals = {int(number) for _, _, number in split if number.isdigit()}
    base = split[0][0] if split else ""
    return [
        f"{base}-{n}" for n in range(min(ordinals, default=0), max(ordinals, default=-1)) if n not in ordinals
    ]


async def not_known(_: Scene) -> Finding:
    """Where DNS can be asked, but not whom for."""
    return skipped("The headless service is not known here.")
