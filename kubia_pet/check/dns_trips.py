"""Where names lead, and whether that stays: `dns.roundtrip` and `dns.steady`, asked of the name servers."""

import asyncio
from collections.abc import Hashable, Iterable
from http import HTTPStatus

import aiohttp

from kubia_pet.aio.parallel import in_parallel
from kubia_pet.check.dns_asked import servers
from kubia_pet.check.name_servers import Reply, Server, shown
from kubia_pet.check.result import Finding, failed, passed, unknown
from kubia_pet.check.scene import Scene
from kubia_pet.check.steady import since_the_only_change
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
    if not pairs:
        return unknown("No name is known that could lead anywhere.", *(reply.summary for _, reply in asked))
    unreached: list[str] = []  # names that lead to nobody
    async with session() as opened:

        async def trip(pair: tuple[Server, str, int]) -> Finding | None:
            server, target, port = pair
            addresses = await names.addresses(server, target)
            if addresses is None:
                return unknown(f"{shown(server)} does not say where {target} is.")
            if not addresses:
                line = f"{target} has no address, says {shown(server)}"
                return failed("stale-record", f"{host_name(target)} is nowhere.", line)
            for address in addresses:
                try:
                    found = await _answer_at(opened, address, (port, scene.target.port), target)
                except NotReachedError as error:
                    unreached.append(line := f"{target} is {address}, which {error}")
                    found = failed("stale-record", f"Nobody is where DNS says {host_name(target)} is.", line)
                if found:
                    return found
            return None

        found = [each for each in await in_parallel(sorted(pairs), trip, limit=ASK_CONCURRENCY) if each]
    if len(unreached) == len(pairs):
        return unknown("No pod can be reached from here: see network policies.", *unreached)
    if wrong := [each for each in found if each.cause]:
        lines = [line for each in wrong for line in each.evidence]
        return failed(wrong[0].cause or "", wrong[0].message, *lines)
    return found[0] if found else passed("Each name leads to the pod of that name.")


async def _answer_at(
    opened: aiohttp.ClientSession, address: str, ports: tuple[int, int], target: str
) -> Finding | None:
    """What is wrong with who answers for this name at this address. Raises NotReachedError."""
    place = f"[{address}]" if ":" in address else address
    nobody = NotReachedError("has no port")
    for each in dict.fromkeys(filter(None, ports)):  # the book's service names a wrong one first
        pod = PodClient(opened, f"http://{place}:{each}/", name=host_name(target), host=f"{target}:{each}")
        line = f"{target} is {address}"
        try:
            name = (await pod.peers()).get("pod")
        except NotReachedError as error:
            nobody = error
            continue
        except RefusedError as error:
            line = f"{line}, which {error}"
            if error.status == HTTPStatus.MISDIRECTED_REQUEST:
                return failed("other-pod", f"Another pod is where DNS says {pod.name} is.", line)
            if error.status >= 500:  # noqa: PLR2004 - 5xx: it may be one, and busy
                return unknown(f"Who is where DNS says {pod.name} is cannot be told.", line)
            return failed("not-a-pet", f"No kubia-pet is where DNS says {pod.name} is.", line)
        except AskError as error:
            return failed(
                "stale-record", f"{pod.name} gives no answer where DNS says it is.", f"{line}, which {error}"
            )
        if name != pod.name:
            return failed(
                "other-pod", f"Where DNS says {pod.name} is, {name} answers.", f"{line}: {name} answers"
            )
        return None
    raise nobody


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
        kinds = [_kind(reply) for reply in replies]
        return replies[-len(since_the_only_change(kinds)) :]

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
    who = "the name server" if len(answers) == 1 else f"each of {len(answers)} name servers"
    return passed(f"{STEADY_ROUNDS} answers of {who} are the same.")


def _kind(reply: Reply) -> Hashable:
    return reply.error or reply.targets or reply.code


def _coming_and_going(answers: Iterable[list[Reply]]) -> list[str]:
    replies = [reply for got in answers for reply in got]
    seen = [target for reply in replies for target, _ in reply.targets]
    return [f"{target} in {seen.count(target)} of {len(replies)} answers" for target in sorted(set(seen))]
