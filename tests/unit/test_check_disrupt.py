"""Which disruptions are refused, what is said of a pod that came back, and what is lifted at every end."""

import asyncio
import json
import os
import stat
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from kubia_pet.check.command import check
from kubia_pet.check.disrupt import Disruptor
from kubia_pet.check.life import Life, kept
from kubia_pet.check.refusal import refusal
from kubia_pet.check.result import CheckResult, Finding, Status, failed, passed
from kubia_pet.check.trial import Written
from kubia_pet.client.pod import PodClient
from kubia_pet.reach.kubectl import KubectlError
from kubia_pet.reach.target import Objects, Target
from tests.support.pod import until

GOOD: dict[str, Any] = {
    "replicas": 2,
    "volumeClaimTemplates": [{}],
    "persistentVolumeClaimRetentionPolicy": {"whenScaled": "Retain"},
}
BEFORE = {"kubia-0": Life("a", "node-1", "v0", b"one"), "kubia-1": Life("b", "node-2", "v1", None)}


def target(spec: dict[str, Any]) -> Target:
    owner = [{"kind": "StatefulSet", "name": "kubia"}]
    pods = tuple({"metadata": {"name": name, "ownerReferences": owner}} for name in BEFORE)
    sets = ({"metadata": {"name": "kubia"}, "spec": spec}, {"metadata": {"name": "other"}, "spec": {}})
    return Target(where="", pods=(), objects=Objects(pods, sets, None), namespace="zoo")


# Refused


@pytest.mark.parametrize(
    ("spec", "kind", "reason"),
    [
        ({"volumeClaimTemplates": []}, "delete", "no volumeClaimTemplates"),
        ({"persistentVolumeClaimRetentionPolicy": {"whenScaled": "Delete"}}, "scale", "whenScaled is Delete"),
        ({"updateStrategy": {"type": "OnDelete"}}, "rollout", "OnDelete"),
    ],
)
def test_what_could_destroy_or_proves_nothing_is_refused(
    spec: dict[str, Any], kind: str, reason: str
) -> None:
    assert reason in (refusal(target(GOOD | spec), [], kind) or "")
    assert refusal(target(GOOD), [], kind) is None


def test_a_set_whose_volumes_are_not_well_is_not_disrupted() -> None:
    wrong = [CheckResult("volume.mounted", failed("not-a-volume", "It is an emptyDir."), 0)]
    assert "volume.mounted" in (refusal(target(GOOD), wrong, "delete") or "")
    assert refusal(target(GOOD), [CheckResult("volume.mounted", passed("yes"), 0)], "delete") is None


def test_a_set_that_cannot_be_seen_is_not_disrupted() -> None:
    assert refusal(Target(where="", pods=()), [], "delete") is not None


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--namespace=zoo", "--disrupt=explode"], "'explode' is none of delete, scale, rollout, move."),
        (["http://localhost", "--disrupt=delete"], "it needs --namespace"),
        (["--namespace=zoo", "--disrupt=delete"], "say --yes"),
    ],
)
def test_a_disruption_is_never_by_mistake(arguments: list[str], said: str) -> None:
    result = CliRunner().invoke(check, arguments)
    assert result.exit_code == 2
    assert said in result.stderr


# What came back


def test_a_pod_that_came_back_with_everything_passes_and_the_time_is_told() -> None:
    after = {"kubia-0": Life("c", "node-2", "v0", b"one")}
    found = kept(BEFORE, after, ["kubia-0"], 8.24)
    assert found.status is Status.PASSED
    assert found.message == "kubia-0 came back on node-2 after 8.2 s with name, volume and value."
    assert found.evidence == ("kubia-0: node node-1 -> node-2, volume the same, value the same",)


@pytest.mark.parametrize(
    ("after", "cause"),
    [
        ({}, "not-back"),
        ({"kubia-0": Life("c", "node-1", "v9", b"one")}, "other-volume"),
        ({"kubia-0": Life("c", "node-1", "v0", b"two")}, "not-durable"),
        ({"kubia-0": Life("c", "node-1", None, None)}, "not-durable"),
    ],
)
def test_what_a_pod_has_lost_is_told(after: dict[str, Life], cause: str) -> None:
    assert kept(BEFORE, after, ["kubia-0"], 150).cause == cause


def test_what_somebody_else_wrote_meanwhile_proves_nothing() -> None:
    mine = b"kubia-pet check 12ab for kubia-0\n"
    before = {"kubia-0": Life("a", "node-1", "v0", mine)}
    pod = PodClient(None, "http://127.0.0.1:9/", name="kubia-0")  # type: ignore[arg-type] # never asked
    written = [Written(pod, mine, None, b"what was there before")]
    for value, status in {
        mine: Status.PASSED,
        b"theirs": Status.UNKNOWN,
        b"what was there before": Status.FAILED,
        b"kubia-pet check 12ab for kubia-1\n": Status.FAILED,
        None: Status.FAILED,
    }.items():
        after = {"kubia-0": Life("c", "node-1", "v0", value)}
        assert kept(before, after, ["kubia-0"], 150, written).status is status


# At every end


@pytest.fixture
def kubectl(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A kubectl that knows two nodes, notes what it is told, and waits for ever for a pod to be deleted.

    `NAME.fails` beside it makes it refuse that command, and to undo something takes it a moment.
    """
    calls = tmp_path / "calls"
    ready = {"conditions": [{"type": "Ready", "status": "True"}]}
    nodes = {"items": [{"metadata": {"name": f"node-{n}"}, "spec": {}, "status": ready} for n in (1, 2)]}
    script = tmp_path / "kubectl"
    script.write_text(
        f'#!/bin/sh\necho "$*" >> {calls}\n'
        "command=$1; [ $1 = --namespace ] && command=$3\n"
        f"case $* in *--current-replicas=1*) command=back; sleep 0.3;; uncordon*) sleep 0.3;; esac\n"
        f"if [ -e {tmp_path}/$command.fails ]; then echo no >&2; exit 1; fi\n"
        f"case $command in get) echo '{json.dumps(nodes)}';; delete | wait) sleep 30;; esac\n"
        f'echo "done $*" >> {calls}\n'
    )
    script.chmod(script.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    calls.touch()
    return calls


@pytest.fixture
def disruptor(monkeypatch: pytest.MonkeyPatch) -> Disruptor:
    """Of a set that is well as long as nobody asks its pods."""

    async def known(_: Target) -> dict[str, Life]:
        return BEFORE

    monkeypatch.setattr("kubia_pet.check.disrupt.lives", known)
    pods = tuple(PodClient(None, "http://127.0.0.1:9/", name=name) for name in BEFORE)  # type: ignore[arg-type] # never asked
    return Disruptor(Target(where="", pods=pods, objects=target(GOOD).objects, namespace="zoo"))


AWAY = "kubia-1 may not be back yet: the StatefulSet sees to it"
SCALE = "--namespace zoo scale statefulset/kubia"
DONE = {
    "move": ("cordon node-2", "uncordon node-2"),
    "scale": (f"{SCALE} --current-replicas=2 --replicas=1", f"{SCALE} --current-replicas=1 --replicas=2"),
}


def way(disruptor: Disruptor, kind: str) -> Coroutine[Any, Any, Finding]:
    return {"move": disruptor._move, "scale": disruptor._scale}[kind]()  # noqa: SLF001 - without a set that is really well


async def interrupted(running: asyncio.Task[Finding], calls: Path, line: str) -> list[str]:
    """What kubectl was told of a disruption that is ended as soon as it is told this."""

    def told() -> list[str]:
        return calls.read_text().splitlines()

    await asyncio.to_thread(until, line, lambda: line in told())
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    return told()


@pytest.mark.parametrize("kind", ["move", "scale"])
async def test_a_cordon_is_lifted_and_replicas_are_what_they_were_when_it_is_interrupted(
    kubectl: Path, disruptor: Disruptor, kind: str
) -> None:
    begun, undone = DONE[kind]
    calls = await interrupted(asyncio.create_task(way(disruptor, kind)), kubectl, begun)
    assert calls.index(f"done {undone}") > calls.index(f"done {begun}")
    assert set(disruptor.left) <= {AWAY}, "unless it was ended before the pod was"


@pytest.mark.parametrize("kind", ["move", "scale"])
async def test_an_interrupt_while_it_is_taken_back_waits_for_that(
    kubectl: Path, disruptor: Disruptor, kind: str
) -> None:
    for each in ("delete", "wait"):
        (kubectl.parent / f"{each}.fails").touch()
    undone = DONE[kind][1]
    calls = await interrupted(asyncio.create_task(way(disruptor, kind)), kubectl, undone)
    assert calls[-1] == f"done {undone}"


@pytest.mark.parametrize(("kind", "fails"), [("move", "uncordon"), ("scale", "back")])
async def test_what_kubectl_does_not_take_back_is_told_and_an_interrupt_stays_one(
    kubectl: Path, disruptor: Disruptor, kind: str, fails: str
) -> None:
    (kubectl.parent / f"{fails}.fails").touch()
    begun, undone = DONE[kind]
    await interrupted(asyncio.create_task(way(disruptor, kind)), kubectl, begun)
    (said,) = (each for each in disruptor.left if each != AWAY)
    assert said.endswith(f", type: kubectl {undone} (no)")


@pytest.mark.parametrize(("kind", "fails"), [("move", "cordon"), ("scale", "scale")])
async def test_what_kubectl_refused_is_not_taken_back(
    kubectl: Path, disruptor: Disruptor, kind: str, fails: str
) -> None:
    (kubectl.parent / f"{fails}.fails").touch()
    with pytest.raises(KubectlError, match="no"):
        await way(disruptor, kind)
    assert DONE[kind][1] not in await asyncio.to_thread(kubectl.read_text)
    assert disruptor.left == []
