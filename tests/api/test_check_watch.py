"""`check --watch` against local pods: it does nothing, and judges what becomes of them."""

import json
import os
import re
import signal
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.pod import Pod, until
from tests.support.verdict import PROGRAM, PetSet, Verdict

pytestmark = pytest.mark.timeout(150)


class Watching:
    """The command, running."""

    def __init__(self, process: "subprocess.Popen[str]", said: Path) -> None:
        self._process = process
        self._said = said

    @property
    def said(self) -> str:
        """What it told its user so far."""
        return self._said.read_text()

    def verdict(self) -> Verdict:
        """What it says when it has seen enough."""
        printed, _ = self._process.communicate(timeout=100)
        assert printed, self.said
        return Verdict(self._process.returncode, json.loads(printed))

    def interrupt(self) -> int:
        self._process.send_signal(signal.SIGINT)
        return self._process.wait(30)


@contextmanager
def watching(directory: Path, *arguments: str) -> Iterator[Watching]:
    """Returns when it has said what to type."""
    said = directory / "said"
    with (
        said.open("w") as errors,
        subprocess.Popen(
            [*PROGRAM, "check", "--watch", "--output=json", *arguments],
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        ) as process,
    ):
        try:
            until("to be told what to type", lambda: "Watching kubia" in said.read_text(), 60)
            yield Watching(process, said)
        finally:
            if process.poll() is None:
                process.kill()


def post(pod: Pod, value: str) -> None:
    urllib.request.urlopen(urllib.request.Request(pod.url, value.encode(), method="POST"), timeout=10).close()  # noqa: S310 - our own


@pytest.fixture
def pets(tmp_path: Path) -> Iterator[PetSet]:
    with PetSet(tmp_path, replicas=2) as started:
        for pod in started.pods:
            post(pod, f"value of {pod.name}")
            pod.options = (*pod.options, f"--port={started.port(pod)}")  # and so on its next start
        yield started


def test_a_pod_that_comes_back_with_everything_passes(pets: PetSet, tmp_path: Path) -> None:
    with watching(tmp_path, pets.pods[0].url) as watch:
        assert "kubectl --namespace default delete pod kubia-1" in watch.said
        os.kill(pets.pods[1].process.pid, signal.SIGKILL)
        pets.pods[1].process.wait()
        pets.pods[1].start()
        verdict = watch.verdict()
    assert (verdict.exit, verdict.statuses) == (0, {"disrupt.delete": "passed"}), verdict.members
    assert "kubia-1: node unknown, volume the same, value the same" in verdict.evidence("disrupt.delete")


def test_the_time_that_one_takes_to_type_is_not_the_time_until_the_pod_is_back(
    pets: PetSet, tmp_path: Path
) -> None:
    with watching(tmp_path, pets.pods[0].url) as watch:
        told = time.monotonic()
        until("somebody to have typed", lambda: time.monotonic() - told > 6, 10)
        began = time.monotonic()
        os.kill(pets.pods[1].process.pid, signal.SIGKILL)
        pets.pods[1].process.wait()
        pets.pods[1].start()
        message = watch.verdict().members["checks"][0]["message"]
        took = time.monotonic() - began
    seconds = re.search(r"after ([\d.]+) s", message)
    assert seconds, message
    assert float(seconds[1]) < took + 0.1, "it is counted from the look in which the pod was away"


def test_a_pod_that_comes_back_on_another_volume_does_not(pets: PetSet, tmp_path: Path) -> None:
    with watching(tmp_path, pets.pods[0].url) as watch:
        pets.replace(1, volume=tmp_path / "another")
        verdict = watch.verdict()
    assert (verdict.exit, verdict.cause) == (1, "other-volume"), verdict.members


def test_a_value_that_went_is_told(pets: PetSet, tmp_path: Path) -> None:
    with watching(tmp_path, pets.pods[0].url) as watch:
        pets.pods[1].terminate()
        (pets.pods[1].data_dir / "kubia.txt").unlink()
        pets.pods[1].start()
        verdict = watch.verdict()
    assert (verdict.exit, verdict.cause) == (1, "not-durable"), verdict.members


def test_a_roll_out_is_over_when_every_pod_is_another_one(pets: PetSet, tmp_path: Path) -> None:
    with watching(tmp_path, pets.pods[0].url, "--disrupt=rollout") as watch:
        assert "kubectl --namespace default rollout restart statefulset kubia" in watch.said
        for ordinal in (1, 0):
            pets.replace(ordinal)
        verdict = watch.verdict()
    assert verdict.exit == 0, verdict.members
    assert "kubia-0, kubia-1 came back" in verdict.evidence("disrupt.rollout")


def test_a_pod_that_did_not_move_is_told_so_far_as_nodes_are_known(pets: PetSet, tmp_path: Path) -> None:
    with watching(tmp_path, pets.pods[0].url, "--disrupt=move") as watch:
        assert "kubectl cordon NODE" in watch.said
        pets.replace(1)
        verdict = watch.verdict()
    assert verdict.exit == 3
    assert "on which node is not known" in verdict.evidence("disrupt.move")


def test_it_can_be_ended_has_done_nothing_and_says_what_it_has_judged(pets: PetSet, tmp_path: Path) -> None:
    with watching(tmp_path, pets.pods[0].url, "--disrupt=delete,rollout") as watch:
        pets.replace(1)
        until("the next one to be watched", lambda: watch.said.count("Watching kubia") == 2, 30)
        assert watch.interrupt() == 128 + signal.SIGINT
        assert "disrupt.delete passed kubia-1 came back" in watch.said
        assert "Interrupted: nothing was changed by this command." in watch.said
