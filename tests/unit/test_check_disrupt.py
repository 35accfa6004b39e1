"""Which disruptions are refused, what is said of a pod that came back, and what is lifted at every end."""

import asyncio
import json
import os
import stat
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from kubia_pet.check.command import check
from kubia_pet.check.disrupt import Disruptor
from kubia_pet.check.life import Life, kept
from kubia_pet.check.refusal import refusal
from kubia_pet.check.result import CheckResult, Status, failed, passed
from kubia_pet.client.pod import PodClient
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
    assert found.message == "kubia-0 came back after 8.2 s with name, volume and value."
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


# At every end


@pytest.fixture
def kubectl(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A kubectl that knows two nodes, notes what it is told to do, and waits for ever for a pod to be deleted."""
    calls = tmp_path / "calls"
    ready = {"conditions": [{"type": "Ready", "status": "True"}]}
    nodes = {"items": [{"metadata": {"name": f"node-{n}"}, "spec": {}, "status": ready} for n in (1, 2)]}
    script = tmp_path / "kubectl"
    script.write_text(
        f'#!/bin/sh\necho "$*" >> {calls}\n'
        f"case $1 in get) echo '{json.dumps(nodes)}';; --namespace) case $3 in delete | wait) sleep 30;; esac;; esac\n"
        "exit 0\n"
    )
    script.chmod(script.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    calls.touch()
    return calls


@pytest.mark.parametrize("kind", ["move", "scale"])
async def test_a_cordon_is_lifted_and_replicas_are_what_they_were_when_it_is_interrupted(
    kubectl: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def known(_: Target) -> dict[str, Life]:
        return BEFORE

    monkeypatch.setattr("kubia_pet.check.disrupt.lives", known)
    pods = tuple(PodClient(None, "http://127.0.0.1:9/", name=name) for name in BEFORE)  # type: ignore[arg-type] # never asked
    base = target(GOOD)
    disruptor = Disruptor(Target(where="", pods=pods, objects=base.objects, namespace="zoo"))
    way = {"move": disruptor._move, "scale": disruptor._scale}[kind]  # noqa: SLF001 - without a set that is really well
    running = asyncio.create_task(way())
    begun, undone = {
        "move": ("cordon node-2", "uncordon node-2"),
        "scale": (
            "--namespace zoo scale statefulset/kubia --replicas=1",
            "--namespace zoo scale statefulset/kubia --replicas=2",
        ),
    }[kind]
    calls: list[str] = []

    def has_begun() -> bool:
        calls[:] = kubectl.read_text().splitlines()
        return begun in calls

    await asyncio.to_thread(until, begun, has_begun)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    has_begun()
    assert calls.index(undone) > calls.index(begun)
