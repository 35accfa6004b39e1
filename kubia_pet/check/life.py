"""One life of a pod, from a start to its end, and whether the next one keeps what the last one had."""

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from kubia_pet.aio.parallel import in_parallel
from kubia_pet.check.result import Finding, failed, passed, unknown
from kubia_pet.check.trial import Written
from kubia_pet.client.errors import AskError
from kubia_pet.client.pod import PodClient
from kubia_pet.limits import ASK_CONCURRENCY
from kubia_pet.reach.target import Target, is_ready
from kubia_pet.reach.way import UnreachableError

_PAUSE = 0.25  # seconds between two looks


@dataclass(frozen=True)
class Life:
    """What a pod has while it is ready. `id` is another one in each life; None: not known."""

    id: str | None
    node: str | None
    volume: str | None
    value: bytes | None


Lives = Mapping[str, Life]


async def lives(target: Target) -> dict[str, Life]:
    """The lives of the pods that are ready, by name."""

    async def look(pod: PodClient) -> Life | None:
        try:
            return await _life(target, pod)
        except AskError:
            return None

    found = await in_parallel(target.pods, look, limit=ASK_CONCURRENCY)
    return {pod.name: life for pod, life in zip(target.pods, found, strict=True) if life}


async def _life(target: Target, pod: PodClient) -> Life | None:
    """The pod's present life; None where it has none, or is not ready."""
    known: Mapping[str, Any] = {}
    if target.api is not None:
        answer = await target.api.ask("GET", f"api/v1/namespaces/{target.namespace}/pods/{pod.name}")
        if answer.status == HTTPStatus.FORBIDDEN:
            raise UnreachableError(f"You may not get pods in namespace {target.namespace}: lives need it.")
        known = json.loads(answer.body) if answer.status == HTTPStatus.OK else {}
        if "deletionTimestamp" in known.get("metadata", {"deletionTimestamp": ""}) or not is_ready(known):
            return None
    await pod.ready()
    try:
        ledger = await pod.ledger()
    except AskError:
        ledger = {}
    start, volume = ledger.get("start") or {}, ledger.get("volume") or {}
    stored = await pod.data()
    return Life(
        id=known["metadata"]["uid"] if known else start.get("id"),
        node=known["spec"].get("nodeName") if known else start.get("node"),
        volume=volume.get("id"),
        value=stored.data if stored else None,
    )


async def back(
    target: Target, before: Lives, pods: Sequence[str], patience: float
) -> tuple[dict[str, Life], float]:
    """The next lives of these pods, of those that have one within `patience` seconds.

    And the seconds since the first look in which they were not all as before. Where lives have no id a pod
    counts as back when it was away in between.
    """
    clock = asyncio.get_running_loop().time
    began = clock()
    deadline = began + patience
    found: dict[str, Life] = {}
    away: set[str] = set()
    while clock() < deadline and len(found) < len(pods):
        now = await lives(target)
        away |= {pod for pod in pods if pod not in now}
        for pod in pods:
            if pod in now and (pod in away if now[pod].id is None else now[pod].id != before[pod].id):
                found[pod] = now[pod]
        await asyncio.sleep(_PAUSE)
        if not found and all(pod in now for pod in pods):
            began = clock()
    return found, clock() - began


def kept(
    before: Lives, after: Lives, pods: Sequence[str], seconds: float, written: Sequence[Written] = ()
) -> Finding:
    """Whether these pods came back within `seconds` with the volume and the value that they had.

    Where it is `written` what that value was, another one may be somebody else's, which proves nothing.
    """
    lines = [_line(pod, before[pod], after[pod]) for pod in pods if pod in after]
    missing = [pod for pod in pods if pod not in after]
    if missing:
        return failed(
            "not-back", f"{', '.join(missing)} is not back and ready after {seconds:.0f} s.", *lines
        )
    for cause, what in (("other-volume", "volume"), ("not-durable", "value")):
        others = [
            pod for pod in pods if _differs(getattr(before[pod], what), getattr(after[pod], what), what)
        ]
        if what == "value" and (foreign := _foreign(after, others, written)):
            return unknown(f"{', '.join(foreign)} was written to by somebody else meanwhile.", *lines)
        if others:
            return failed(cause, f"{', '.join(others)} came back with another {what}.", *lines)
    return passed(f"{', '.join(pods)} {_came_back(before, after, pods, seconds)}.", *lines)


def _came_back(before: Lives, after: Lives, pods: Sequence[str], seconds: float) -> str:
    """Where, when, and with what of all that they had: a volume may not be known, a value not be there."""
    first = pods[0]
    place = f" on {after[first].node}" if len(pods) == 1 and before[first].node != after[first].node else ""
    what = ["name"]
    if all(before[pod].volume and after[pod].volume for pod in pods):
        what.append("volume")
    if any(before[pod].value is not None for pod in pods):
        what.append("value")
    *others, last = what
    named = f"{', '.join(others)} and {last}" if others else f"its {last}"
    return f"came back{place} after {seconds:.1f} s with {named}"


def _foreign(after: Lives, others: Sequence[str], written: Sequence[Written]) -> list[str]:
    """Those of the others that have somebody else's value, where that is true of all of them."""
    parts = {part.pod.name: part for part in written}
    foreign = [pod for pod in others if pod in parts and not parts[pod].has_lost(after[pod].value)]
    return foreign if len(foreign) == len(others) else []


def _differs(before: object, after: object, what: str) -> bool:
    unknown = what == "volume" and (before is None or after is None)  # pods without a ledger
    return not unknown and before != after


def _line(pod: str, before: Life, after: Life) -> str:
    node = f"{before.node} -> {after.node}" if before.node != after.node else f"{after.node or 'unknown'}"
    volume = "the same" if before.volume == after.volume else f"{before.volume} -> {after.volume}"
    value = (
        "none"
        if before.value is after.value is None
        else "the same"
        if before.value == after.value
        else "another"
    )
    return f"{pod}: node {node}, volume {volume if after.volume else 'unknown'}, value {value}"
