"""`public`: the public service reaches every ready pod, and only those."""

import math
from collections import Counter
from collections.abc import Collection, Sequence
from collections.abc import Set as AbstractSet
from functools import partial

from kubia_pet.aio.parallel import in_parallel
from kubia_pet.check.result import Finding, failed, passed, skipped, unknown
from kubia_pet.check.scene import Scene
from kubia_pet.check.view import short
from kubia_pet.client.errors import AskError
from kubia_pet.limits import ASK_CONCURRENCY
from kubia_pet.reach.kubectl import API
from kubia_pet.reach.target import Connect, host_name

# With so many more connections than the coupon collector needs, a random choice misses one of n healthy
# pods in e^-10 of all runs, 1 of 20,000.
_SPARE = 10


def enough(pods: int) -> int:
    """Connections after which a pod that was never reached is not behind the service."""
    return math.ceil(pods * (math.log(pods) + _SPARE))


async def public(scene: Scene) -> Finding:
    """Asks by new connections until each ready pod has answered, or should have."""
    service, connect = scene.target.public, scene.target.connect
    if service is None or connect is None:
        return skipped(scene.target.unseen.get("public", "No public service is known."))
    if "pods" in scene.target.unseen:
        return skipped(scene.target.unseen["pods"])
    views = await scene.views()
    ready = {view.name for view in views if view.peers and not view.unready}
    unready = {view.name for view in views if view.unready}
    if not ready:
        return unknown("No pod is ready.")
    reached: Counter[str] = Counter()
    errors: list[str] = []
    url = service.url.removeprefix(API)  # of the socket to the API server: its paths are everybody's
    look = partial(_who, known=ready | unready)
    while ready - reached.keys() and reached.total() + len(errors) < enough(len(ready)):
        for name, error in await in_parallel([connect] * ASK_CONCURRENCY, look, limit=ASK_CONCURRENCY):
            if name is None:
                errors.append(error)
                continue
            reached[name] += 1
            if error:
                unready.add(name)
    asked = reached.total() + len(errors)
    evidence = [f"{name}: {count} of {asked} connections" for name, count in sorted(reached.items())]
    if errors:
        message = f"{len(errors)} connections to {url} failed: {errors[0]}."
        return failed("public-fails", message, *evidence)
    return _judged(url, ready, unready, reached.keys(), evidence)


def _judged(
    url: str,
    ready: AbstractSet[str],
    unready: AbstractSet[str],
    reached: AbstractSet[str],
    evidence: Sequence[str],
) -> Finding:
    bases = {name.rpartition("-")[0] for name in ready}
    if strangers := {name for name in reached if name.rpartition("-")[0] not in bases}:
        return failed("strangers", f"{url} leads to {short(strangers)}, too.", *evidence)
    if missed := ready - reached:
        return failed("misses-pod", f"{url} never leads to {short(missed)}, which is ready.", *evidence)
    if wrong := reached & unready:
        return failed("reaches-unready", f"{url} leads to {short(wrong)}, which is not ready.", *evidence)
    return passed(f"{url} leads to {short(ready)}.", *evidence)


async def _who(connect: Connect, known: Collection[str]) -> tuple[str | None, str]:
    """The pod that answers, and why it is not ready where that is not known; or None and the error.

    A pod that is not ready is in no list that comes from DNS.
    """
    async with connect() as service:
        try:
            name = host_name(str((await service.peers())["pod"]))
        except AskError as error:
            return None, str(error)
        except KeyError:
            return None, "it is no kubia-pet's answer"
        if name in known:
            return name, ""
        try:
            await service.ready()
        except AskError as error:
            return name, str(error)
        return name, ""
