"""Where names lead, and whether that stays: `dns.roundtrip` and `dns.steady`, asked of the name servers."""

import asyncio
from collections.abc import Iterable
from itertools import pairwise

import aiohttp

from kubia_pet.aio.parallel import in_parallel
from kubia_pet.check.dns_asked import servers
from kubia_pet.check.name_servers import Reply, Server, shown
from kubia_pet.check.result import Finding, failed, passed
from kubia_pet.check.scene import Scene
from kubia_pet.client.errors import AskError, NotReachedError, RefusedError
from kubia_pet.client.pod import PodClient
from kubia_pet.client.sessions import session
from kubia_pet.limits import ASK_CONCURRENCY, STEADY_PAUSE, STEADY_ROUNDS
from kubia_pet.reach.target import host_name


async def roundtrip(scene: Scene) -> Finding:
    """Whether each name leads to an address where a pod says that it is that one."""
    names = servers(scene)
    asked = [(server, await names.ask(server, names.service, "SRV")) for server in names.servers]
    pairs = {(server, *target) for server, reply in asked for target in reply.targets}
    async with session() as opened:

        async def trip(pair: tuple[Server, str, int]) -> Finding | None:
            server, target, port = pair
            for address in await names.addresses(server, target):
                if found := await _answer_at(opened, address, (port, scene.target.port), target):
                    return found
            return None

        found = [each for each in await in_parallel(sorted(pairs), trip, limit=ASK_CONCURRENCY) if each]
    if found:
        return failed(
            found[0].cause or "", found[0].message, *(line for each in found for line in each.evidence)
        )
    return passed("Each name leads to the pod of that name.")


async def _answer_at(
    opened: aiohttp.ClientSession, address: str, ports: tuple[int, int], target: str
) -> Finding | None:
    """What is wrong with who answers for this name at this address."""
    place = f"[{address}]" if ":" in address else address
    wrong: Finding | None = None
    for each in dict.fromkeys(filter(None, ports)):  # the book's service names a wrong one first
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
    """Whether each name server gives the same answer each time.

    One that changes once is a cache that has let go of an old answer: what came before does not count.
    """
    names = servers(scene)

    async def rounds(server: Server) -> list[Reply]:
        replies = []
        for _ in range(STEADY_ROUNDS):
            replies.append(await names.ask(server, names.service, "SRV"))
            await asyncio.sleep(STEADY_PAUSE)
        return _since_the_only_change(replies)

    answers = dict(zip(names.servers, await asyncio.gather(*map(rounds, names.servers)), strict=True))
    kinds = {server: {_kind(reply) for reply in got} for server, got in answers.items()}
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


def _kind(reply: Reply) -> object:
    return reply.error or reply.targets or reply.code


def _since_the_only_change(replies: list[Reply]) -> list[Reply]:
    changes = [at for at, (one, other) in enumerate(pairwise(replies), 1) if _kind(one) != _kind(other)]
    return replies[changes[0] :] if len(changes) == 1 else replies


def _coming_and_going(answers: Iterable[list[Reply]]) -> list[str]:
    replies = [reply for got in answers for reply in got]
    seen = [target for reply in replies for target, _ in reply.targets]
    return [f"{target} in {seen.count(target)} of {len(replies)} answers" for target in sorted(set(seen))]
