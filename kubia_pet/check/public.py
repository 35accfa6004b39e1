"""`public`: the public service reaches every ready pod, and only those."""

import math
from collections import Counter

from kubia_pet.aio.parallel import in_parallel
from kubia_pet.check.result import Finding, failed, passed, skipped, unknown
from kubia_pet.check.scene import Scene
from kubia_pet.check.view import short
from kubia_pet.client.errors import AskError
from kubia_pet.client.pod import PodClient
from kubia_pet.limits import ASK_CONCURRENCY
from kubia_pet.reach.target import host_name

# With so many more connections than the coupon collector needs, a random choice misses one of n healthy
# pods in e^-10 of all runs, 1 of 20,000.
_SPARE = 10
_FAILED = "\0"


def enough(pods: int) -> int:
    """Connections after which a pod that was never reached is not behind the service."""
    return math.ceil(pods * (math.log(pods) + _SPARE))


async def public(scene: Scene) -> Finding:
    """Asks by new connections until each ready pod has answered, or should have."""
    service = scene.target.public
    if service is None:
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
    while ready - reached.keys() and reached.total() < enough(len(ready)):
        for name, error in await in_parallel([service] * ASK_CONCURRENCY, _who, limit=ASK_CONCURRENCY):
            reached[name] += 1
            errors += [error] if error else []
    failures = reached.pop(_FAILED, 0)
    evidence = [
        f"{name}: {count} of {reached.total() + failures} connections"
        for name, count in sorted(reached.items())
    ]
    if failures:
        cause = "public-fails"
        return failed(cause, f"{failures} connections to {service.url} failed: {errors[0]}.", *evidence)
    if strangers := reached.keys() - ready - unready:
        return failed("strangers", f"{service.url} leads to {short(strangers)}, too.", *evidence)
    if missed := ready - reached.keys():
        return failed(
            "misses-pod", f"{service.url} never leads to {short(missed)}, which is ready.", *evidence
        )
    if wrong := reached.keys() & unready:
        return failed(
            "reaches-unready", f"{service.url} leads to {short(wrong)}, which is not ready.", *evidence
        )
    return passed(f"{service.url} leads to {short(ready)}.", *evidence)


async def _who(service: PodClient) -> tuple[str, str]:
    """The pod that answers, and no error; or the error."""
    try:
        return host_name(str((await service.peers())["pod"])), ""
    except AskError as error:
        return _FAILED, str(error)
    except KeyError:
        return _FAILED, "it is no kubia-pet's answer"
