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
from tests.support.verdict import PROGRAM, PetSet, Verdict, check

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

    @property
    def running(self) -> bool:
        return self._process.poll() is None

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
        assert "kill -9 NUMBER" in watch.said
        assert "process of kubia-1, as kubia-pet local shows it" in watch.said
        assert "kubectl" not in watch.said, "it would be another cluster's pod"
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


def test_a_pod_that_had_no_value_kept_its_name_and_its_volume(tmp_path: Path) -> None:
    with PetSet(tmp_path, replicas=1) as pets, watching(tmp_path, pets.pods[0].url) as watch:
        pets.pods[0].options = (*pets.pods[0].options, f"--port={pets.port(pets.pods[0])}")
        pets.replace(0)
        verdict = watch.verdict()
    assert verdict.exit == 0, verdict.members
    assert " s with name and volume." in verdict.evidence("disrupt.delete")


@pytest.mark.parametrize("kind", ["scale", "rollout", "move"])
def test_nothing_but_a_pods_end_is_to_be_seen_without_a_cluster(pets: PetSet, kind: str) -> None:
    verdict = check(pets.pods[0].url, "--watch", f"--disrupt={kind}")
    assert verdict.exit == 3
    assert "can only be killed" in verdict.evidence(f"disrupt.{kind}")


def test_it_can_be_ended_and_has_done_nothing(pets: PetSet, tmp_path: Path) -> None:
    with watching(tmp_path, pets.pods[0].url) as watch:
        assert watch.interrupt() == 128 + signal.SIGINT
        assert "Interrupted: nothing was changed by this command." in watch.said
