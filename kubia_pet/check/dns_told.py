"""The DNS checks where only the pods can be asked what DNS tells them."""

import asyncio
from collections.abc import Collection, Sequence
from http import HTTPStatus

from kubia_pet.aio.parallel import in_parallel
from kubia_pet.check.ordinals import gaps
from kubia_pet.check.result import Finding, failed, passed, skipped, unknown, warning
from kubia_pet.check.scene import Scene
from kubia_pet.check.steady import since_the_only_change
from kubia_pet.check.view import MOST_LINES, PodView, rank, short
from kubia_pet.client.errors import AskError, RefusedError
from kubia_pet.client.pod import PodClient
from kubia_pet.limits import ASK_CONCURRENCY, STEADY_PAUSE, STEADY_ROUNDS, VIEW_PATIENCE
from kubia_pet.reach.target import host_name

_ROUNDS = STEADY_ROUNDS // 2  # a pod uses an answer for its TTL: more often is not asked


async def _telling(scene: Scene) -> list[PodView]:
    return [view for view in await scene.views() if view.peers]


async def headless(scene: Scene) -> Finding:
    """Whether any pod's discovery finds a service with an address of its own, fails, or finds nobody."""
    views = await _telling(scene)
    if not views:
        return unknown("No pod says what DNS tells it.")
    for cause, what in (("not-headless", "has an address of its own"), ("nobody", "leads to nobody")):
        told = [f"{view.name}: {view.diagnostics[cause]}" for view in views if cause in view.diagnostics]
        if told:
            return failed(cause, f"{views[0].service} {what}.", *told)
    errors = {view.name: f"{view.name}: {view.dns_error}" for view in views if view.dns_error}
    if lasting := await _lasting(scene, errors.keys()):
        return failed("dns-failed", "DNS gives a pod no answer.", *(errors[name] for name in sorted(lasting)))
    alone = [view.name for view in views if len(view.listed) == 1]
    if len(alone) == len(views) > 1:
        return failed("nobody", f"DNS names nobody behind {views[0].service}: each pod knows itself only.")
    return passed(f"{views[0].service} is headless, as {len(views)} pods see it.")


async def _lasting(scene: Scene, failing: Collection[str]) -> Collection[str]:
    """Which of these pods DNS fails each time; what comes and goes is for dns.steady to tell."""
    for _ in range(_ROUNDS):
        if not failing:
            break
        await asyncio.sleep(2 * STEADY_PAUSE)
        failing = {view.name for view in await scene.look() if view.dns_error and view.name in failing}
    return failing


async def srv(scene: Scene) -> Finding:
    """Whether each pod's discovery names exactly the pods that are ready."""
    deadline = asyncio.get_running_loop().time() + VIEW_PATIENCE
    views = await _telling(scene)
    if not views:
        return unknown("No pod says what DNS tells it.")
    if "pods" in scene.target.unseen:
        return _without_host_names(views) or skipped(scene.target.unseen["pods"])
    known = {pod.name for pod in scene.target.pods}
    while (found := _named(views, known)).cause and asyncio.get_running_loop().time() < deadline:
        await asyncio.sleep(0.5)  # a DNS answer is used for its TTL
        views = [view for view in await scene.look() if view.peers]
    return found


def _named(views: Sequence[PodView], pods: Collection[str]) -> Finding:
    """The finding for what these say; `pods` are all that can be seen from here, silent ones included."""
    if found := _without_host_names(views):
        return found
    ready = {view.full_name for view in views if not view.unready}
    missing = {
        name: [view.name for view in views if name not in view.listed]
        for name in sorted(ready, key=lambda name: rank(host_name(name)))
    }
    lines = [f"{host_name(name)} is not in the list of {short(by)}" for name, by in missing.items() if by]
    if lines:
        return failed("missing-in-dns", "DNS does not name a pod that is ready.", *lines[:MOST_LINES])
    others = {
        name: [view.name for view in views if name in view.listed] for view in views for name in view.listed
    }
    lines = [
        f"{host_name(name)} is in the list of {short(by)}"
        for name, by in others.items()
        if host_name(name) not in pods
    ]
    if lines:
        return warning("stale-record", "DNS names a pod that is not known here.", *lines)
    if between := gaps(others, (name for view in views for name in view.remembered)):
        return warning("gap", f"DNS does not name {short(between)}, but pods after it.")
    return passed(f"DNS names {short(ready)}, as each of them sees it.")


def _without_host_names(views: Sequence[PodView]) -> Finding | None:
    told = [
        f"{view.name}: {view.diagnostics['no-host-names']}"
        for view in views
        if "no-host-names" in view.diagnostics
    ]
    return failed("no-host-names", "DNS has no host names for the pods.", *told) if told else None


async def roundtrip(scene: Scene) -> Finding:
    """Whether the addresses that DNS gives the pods are theirs."""
    views, objects = await scene.views(), scene.target.objects
    if objects is not None:
        if all(view.error for view in views):
            return unknown("No pod answers.", *(view.error or "" for view in views))
        return _as_the_api_server_knows(
            views, {pod["metadata"]["name"]: _addresses(pod) for pod in objects.pods}
        )
    if "pods" in scene.target.unseen:
        return skipped(scene.target.unseen["pods"])
    wrong = [
        f"at {view.pod.url}, where DNS says {view.pod.name} is: {view.error}" for view in views if view.error
    ]
    others = [f"at {view.pod.url} {view.name} answers" for view in views if view.name != view.pod.name]
    misdirected = [view.error or "" for view in views if _is_misdirected(view.refusal)]
    if others or misdirected:
        return failed("other-pod", "Another pod is where DNS says one is.", *others, *misdirected)
    if wrong:
        return failed("stale-record", "Nobody is where DNS says a pod is.", *wrong)
    return passed("Each name leads to the pod of that name.")


def _is_misdirected(error: AskError | None) -> bool:
    return isinstance(error, RefusedError) and error.status == HTTPStatus.MISDIRECTED_REQUEST


def _addresses(pod: object) -> set[str]:
    status = pod["status"] if isinstance(pod, dict) else {}
    return {each["ip"] for each in status.get("podIPs", ())} | {status.get("podIP", "")}


def _as_the_api_server_knows(views: Sequence[PodView], known: dict[str, set[str]]) -> Finding:
    owners = {address: name for name, addresses in known.items() for address in addresses if address}
    wrong, cause = [], "stale-record"
    for view in views:
        for peer in (view.peers or {}).get("peers", ()):
            name, told = host_name(peer["name"]), {each["address"] for each in peer["endpoints"]}
            if told and name in known and not told & known[name]:
                owner = next((owners[each] for each in told if each in owners), "nobody")
                cause = cause if owner == "nobody" else "other-pod"
                wrong.append(
                    f"{view.name} is told that {name} is {', '.join(sorted(told))}, which is {owner}'s"
                )
    if wrong:
        return failed(cause, "DNS gives a pod another address than it has.", *wrong)
    return passed("The addresses in DNS are those of the pods.")


async def _told(pod: PodClient) -> tuple[str, bool] | None:
    """What DNS tells the pod, in a line, and whether that is an error; None where it does not say."""
    try:
        peers = await pod.peers()
    except AskError:
        return None
    if peers["error"]:
        return f"an error: {peers['error']['message']}", True
    return short([each["name"] for each in peers["peers"]]), False


async def steady(scene: Scene) -> Finding:
    """Whether what DNS tells each pod is the same each time."""
    pods = list(scene.target.pods)
    seen: dict[str, list[tuple[str, bool]]] = {}
    for number in range(_ROUNDS):
        if number:
            await asyncio.sleep(2 * STEADY_PAUSE)
        for pod, said in zip(pods, await in_parallel(pods, _told, limit=ASK_CONCURRENCY), strict=True):
            if said is not None:
                seen.setdefault(pod.name, []).append(said)
        pods = [pod for pod in pods if pod.name in seen]  # nobody waits for a silent one each time
    if not seen:
        return unknown("No pod says what DNS tells it.")
    lines = {
        name: f"{name} is told {' / '.join(dict.fromkeys(line for line, _ in said))}"
        for name, said in seen.items()
    }
    good = {name: [line for line, wrong in said if not wrong] for name, said in seen.items()}
    if flapping := [name for name, said in good.items() if len(set(since_the_only_change(said))) > 1]:
        return failed("flaps", "What DNS tells a pod comes and goes.", *(lines[name] for name in flapping))
    # An error that was there once, at the beginning or the end, is a change as any other.
    if failing := [name for name, said in seen.items() if len(set(since_the_only_change(said))) > 1]:
        return failed(
            "dns-failed", "DNS gives a pod no answer now and then.", *(lines[name] for name in failing)
        )
    fewest = min(map(len, seen.values()))
    return passed(f"{fewest} answers to each of {len(seen)} pods are the same.")
