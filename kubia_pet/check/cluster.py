"""`cluster.view`: all pods give the same list, and the matrix of who reaches whom where they do not."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from kubia_pet.aio.parallel import in_parallel
from kubia_pet.check.result import Finding, failed, passed, unknown
from kubia_pet.check.scene import Scene
from kubia_pet.check.view import short
from kubia_pet.client.errors import AskError
from kubia_pet.client.pod import PodClient
from kubia_pet.limits import ASK_CONCURRENCY, VIEW_PATIENCE
from kubia_pet.reach.target import host_name

_WIDEST = 10  # pods of which the whole matrix is shown, of more only what is wrong
_MOST_LINES = 20
Row = Mapping[str, str]  # the code of each peer's error, "ok" where there is none, by host name


async def overviews(pods: Sequence[PodClient]) -> dict[str, Mapping[str, Any]]:
    """`GET /` of each pod that answers, by its name."""

    async def ask(pod: PodClient) -> tuple[str, Mapping[str, Any]] | None:
        try:
            return pod.name, await pod.overview()
        except AskError:
            return None

    return dict(each for each in await in_parallel(pods, ask, limit=ASK_CONCURRENCY // 4) if each)


def matrix(found: Mapping[str, Mapping[str, Any]]) -> dict[str, Row]:
    """Who says what of whom."""
    return {
        pod: {
            host_name(peer["name"]): peer["error"]["code"] if "error" in peer else "ok"
            for peer in overview["peers"]
        }
        for pod, overview in found.items()
    }


async def view(scene: Scene) -> Finding:
    """Whether the pods' lists are the same and without an error; DNS and its caches get some time."""
    deadline = asyncio.get_running_loop().time() + VIEW_PATIENCE
    rows = matrix(await overviews(scene.target.pods))
    while (
        found := judged(rows, len(scene.target.pods))
    ).cause and asyncio.get_running_loop().time() < deadline:
        await asyncio.sleep(0.5)
        rows = matrix(await overviews(scene.target.pods))
    return found


def judged(rows: Mapping[str, Row], pods: int) -> Finding:
    """The finding for such a matrix of a set with so many pods."""
    if not rows:
        return unknown("No pod gives a list.")
    names = sorted({name for row in rows.values() for name in row} | rows.keys(), key=_rank)
    failing = {
        (by, name): row[name] for by, row in rows.items() for name in names if row.get(name, "ok") != "ok"
    }
    missing = {(by, name) for by, row in rows.items() for name in names if name not in row}
    silent = pods - len(rows)
    shown = _shown(rows, names)
    if failing:
        one_way = [
            f"{by} does not reach {name} ({code}), while {name} reaches {by}"
            for (by, name), code in failing.items()
            if rows.get(name, {}).get(by) == "ok"
        ]
        if one_way:
            return failed(
                "one-way", "The network lets one direction pass only.", *one_way[:_MOST_LINES], *shown
            )
        pairs = [f"{by} does not reach {name}: {code}" for (by, name), code in failing.items()]
        unreached = short({name for _, name in failing})
        return failed(
            "unreachable-peer", f"Some pods do not reach {unreached}.", *pairs[:_MOST_LINES], *shown
        )
    if missing and not silent:
        lines = [f"{by} does not list {name}" for by, name in sorted(missing)]
        return failed("views-differ", "The pods give different lists.", *lines[:_MOST_LINES], *shown)
    if silent:
        return failed("no-answer", f"{silent} of {pods} pods give no list.", *shown)
    return passed(f"{len(rows)} pods give the same list of {len(names)}.")


def _rank(name: str) -> tuple[int, str]:
    number = name.rpartition("-")[2]
    return (int(number) if number.isdigit() else -1), name


def _shown(rows: Mapping[str, Row], names: Sequence[str]) -> list[str]:
    """The matrix, a line for each who was asked."""
    if len(names) > _WIDEST:
        return []
    width = max(len(name) for name in [*names, "unreachable"]) + 2
    head = "asked".ljust(width) + "".join(name.ljust(width) for name in names)
    lines = [
        by.ljust(width)
        + "".join(("-" if by == name else row.get(name, "missing")).ljust(width) for name in names)
        for by, row in sorted(rows.items(), key=lambda each: _rank(each[0]))
    ]
    return [line.rstrip() for line in (head, *lines)]
