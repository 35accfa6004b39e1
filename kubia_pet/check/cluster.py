"""`cluster.view`: all pods give the same list, and the matrix of who reaches whom where they do not."""

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, TypeVar

from kubia_pet.aio.parallel import in_parallel
from kubia_pet.check.result import Finding, failed, passed, unknown, warning
from kubia_pet.check.scene import Scene
from kubia_pet.check.view import MOST_LINES, rank, short
from kubia_pet.client.errors import AskError
from kubia_pet.client.pod import PodClient
from kubia_pet.limits import ASK_CONCURRENCY
from kubia_pet.reach.patience import patiently
from kubia_pet.reach.target import host_name

_WIDEST = 10  # pods of which the whole matrix is shown, of more only what is wrong
_DROPPED = {"timeout", "unreachable"}  # a refusal, too, would have come the other way
_UNREACHED = _DROPPED | {"refused", "closed", "no-address"}
Digest = TypeVar("Digest")
Row = Mapping[str, str]  # the code of each peer's error, "ok" where there is none, by host name


async def overviews(
    pods: Sequence[PodClient], digest: Callable[[Mapping[str, Any]], Digest]
) -> dict[str, Digest]:
    """The digest of `GET /` of each pod that answers, by its name; few of the answers are held at once."""

    async def ask(pod: PodClient) -> tuple[str, Digest] | None:
        try:
            return pod.name, digest(await pod.overview())
        except (AskError, KeyError, TypeError, ValueError):  # no answer, or a stranger's
            return None

    return dict(each for each in await in_parallel(pods, ask, limit=ASK_CONCURRENCY // 4) if each)


def row(overview: Mapping[str, Any]) -> Row:
    """What a pod says of whom."""
    return {
        host_name(peer["name"]): peer["error"]["code"] if "error" in peer else "ok"
        for peer in overview["peers"]
    }


async def view(scene: Scene) -> Finding:
    """Whether the pods' lists are the same and without an error; DNS and its caches get some time."""
    pods = [pod.name for pod in scene.target.pods]

    async def look() -> Finding:
        return judged(await overviews(scene.target.pods, row), pods)

    return await patiently(look, lambda found: not found.cause)


def judged(rows: Mapping[str, Row], pods: Collection[str]) -> Finding:
    """The finding for such a matrix of a set of these pods."""
    if not rows:
        return unknown("No pod gives a list.")
    names = sorted({name for row in rows.values() for name in row} | rows.keys() | set(pods), key=rank)
    failing = {
        (by, name): told[name] for by, told in rows.items() for name in names if told.get(name, "ok") != "ok"
    }
    missing = {(by, name) for by, told in rows.items() for name in names if name not in told}
    silent = [name for name in pods if name not in rows]
    shown = _shown(rows, names, silent)
    unreached = {pair: code for pair, code in failing.items() if code in _UNREACHED}
    if unreached and not (silent and {name for _, name in unreached} <= set(names) - rows.keys()):
        return _unreached(rows, unreached, shown)
    if silent:
        lines = [f"{by} does not reach {name}: {code}" for (by, name), code in unreached.items()]
        return failed(
            "no-answer",
            f"{len(silent)} of {len(pods)} pods give no list: {short(silent)}.",
            *lines[:MOST_LINES],
            *shown,
        )
    if failing:
        lines = [f"{by} got no value of {name}: {code}" for (by, name), code in failing.items()]
        found = warning if set(failing.values()) == {"too-much"} else failed
        peers = short({name for _, name in failing})
        return found("peer-error", f"Some pods get no value of {peers}.", *lines[:MOST_LINES], *shown)
    if missing:
        lines = [f"{by} does not list {name}" for by, name in sorted(missing)]
        return failed("views-differ", "The pods give different lists.", *lines[:MOST_LINES], *shown)
    return passed(f"{len(rows)} pods give the same list of {len(names)}.")


def _unreached(rows: Mapping[str, Row], failing: Mapping[tuple[str, str], str], shown: list[str]) -> Finding:
    reached = {
        name for by, told in rows.items() for name, code in told.items() if code == "ok" and by != name
    }
    one_way = [
        f"{by} does not reach {name} ({code}), while {name} reaches {by}"
        for (by, name), code in failing.items()
        if code in _DROPPED and rows.get(name, {}).get(by) == "ok" and (name in reached or len(rows) == 2)  # noqa: PLR2004 - whom nobody reaches does not answer
    ]
    if one_way:
        return failed("one-way", "The network lets one direction pass only.", *one_way[:MOST_LINES], *shown)
    pairs = [f"{by} does not reach {name}: {code}" for (by, name), code in failing.items()]
    names = short({name for _, name in failing})
    return failed("unreachable-peer", f"Some pods do not reach {names}.", *pairs[:MOST_LINES], *shown)


def _shown(rows: Mapping[str, Row], names: Sequence[str], silent: Collection[str]) -> list[str]:
    """The matrix, a line for each who was asked."""
    if len(names) > _WIDEST:
        return []
    width = max(len(name) for name in [*names, "unreachable"]) + 2
    head = "asked".ljust(width) + "".join(name.ljust(width) for name in names)
    lines = [
        by.ljust(width)
        + "".join(("-" if by == name else rows[by].get(name, "missing")).ljust(width) for name in names)
        if by in rows
        else f"{by.ljust(width)}gives no list"
        for by in sorted({*rows, *silent}, key=rank)
    ]
    return [line.rstrip() for line in (head, *lines)]
