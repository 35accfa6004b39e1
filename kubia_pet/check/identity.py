"""`identity`: host name, full name, ordinal, and what each pod answers to."""

import re
from collections.abc import Sequence

from kubia_pet.check.refusal import stateful_set
from kubia_pet.check.result import Finding, failed, passed, unknown
from kubia_pet.check.scene import Scene
from kubia_pet.check.view import PodView, short
from kubia_pet.reach.target import Objects, Target, host_name

_ORDINAL = re.compile(r".+-(0|[1-9]\d{0,8})")


async def identity(scene: Scene) -> Finding:
    """Whether the pods have the names that a StatefulSet gives.

    Who answers at a name is told apart by dns.roundtrip, but where the API server leads to the pod itself.
    """
    views, objects = await scene.views(), scene.target.objects
    telling = [view for view in views if view.peers]
    if not telling:
        return unknown(
            scene.target.unseen.get("pods", "No pod answers."), *(view.error or "" for view in views)
        )
    return (
        _not_a_stateful_set(telling, objects)
        or _no_service(telling)
        or _other_service(telling, scene.target.service)
        or (_other_name(telling) if objects else None)
        or (_of_each(scene.target, views) if scene.target.apart else None)
        or passed(
            f"{short([view.name for view in telling])}: each has its name, its ordinal and its full name."
        )
    )


def _of_each(target: Target, views: Sequence[PodView]) -> Finding | None:
    """What can be told where each pod can be asked by itself: a Service lets another one answer each time."""
    return _other_ledger([view for view in views if view.peers]) or _missing(target) or _silent(views)


def _not_a_stateful_set(views: Sequence[PodView], objects: Objects | None) -> Finding | None:
    owners = {
        f"{pod['metadata']['name']} is run by a {owner['kind']}"
        for pod in (objects.pods if objects else ())
        for owner in pod["metadata"].get("ownerReferences") or [{"kind": "bare Pod"}]
        if owner["kind"] != "StatefulSet"
    }
    odd = [view.name for view in views if not _ORDINAL.fullmatch(view.name)]
    if owners:
        return failed("not-a-statefulset", "The pods are not a StatefulSet's.", *sorted(owners))
    if odd and len(views) > 1:
        return failed("not-a-statefulset", f"No ordinal in the name: {short(odd)}.")
    return None


def _no_service(views: Sequence[PodView]) -> Finding | None:
    nameless = [view.name for view in views if view.service is None]
    return (
        failed(
            "no-service-name",
            f"{short(nameless)} has no full name: its StatefulSet has no serviceName.",
            f"{nameless[0]} says that it knows no headless service",
        )
        if nameless
        else None
    )


def _other_service(views: Sequence[PodView], service: str | None) -> Finding | None:
    wanted = service.rstrip(".").lower() if service else None
    others = {
        view.full_name
        for view in views
        if wanted and view.service and view.service.lower() != wanted and host_name(view.service) != wanted
    }
    several = {view.service for view in views}
    if not others and len(several) == 1:
        return None
    return failed(
        "wrong-service-name",
        f"The pods belong to another service than {service}."
        if others
        else "The pods belong to several services.",
        *sorted(others or {view.full_name for view in views}),
    )


def _other_name(views: Sequence[PodView]) -> Finding | None:
    names = [view.name for view in views]
    twice = {name for name in names if names.count(name) > 1}
    told = [f"{view.pod.name} calls itself {view.name}" for view in views if view.name != view.pod.name]
    if twice:
        return failed("other-name", f"Several pods call themselves {short(twice)}.", *told)
    return failed("other-name", "A pod calls itself by another name than its own.", *told) if told else None


def _missing(target: Target) -> Finding | None:
    """What the StatefulSet has no running pod for; pods that are fewer than there must be."""
    there = {pod.name for pod in target.pods}
    if target.replicas is not None and len(there) < target.replicas:
        return failed(
            "missing-pod", f"There are {len(there)} pods, not {target.replicas}: the others are not ready."
        )
    found = stateful_set(target)
    if found is None:
        return None
    name, spec = found["metadata"]["name"], found["spec"]
    first = spec.get("ordinals", {}).get("start", 0)
    wanted = (f"{name}-{number}" for number in range(first, first + spec.get("replicas", 1)))
    missing = [pod for pod in wanted if pod not in there]
    return failed("missing-pod", f"{short(missing)} does not run.") if missing else None


def _silent(views: Sequence[PodView]) -> Finding | None:
    silent = [view for view in views if view.error]
    names = short(view.name for view in silent)
    return (
        unknown(f"Whether {names} has its name is not known.", *(view.error or "" for view in silent))
        if silent
        else None
    )


def _other_ledger(views: Sequence[PodView]) -> Finding | None:
    told = [
        f"{view.full_name} is {view.ledger['name']} to its ledger"
        for view in views
        if view.ledger and view.ledger.get("name") and view.ledger["name"] != view.full_name
    ]
    return failed("other-name", "A pod has another name in its ledger.", *told) if told else None
