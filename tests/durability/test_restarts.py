"""Random starts, changes and ends, in order or by SIGKILL: a history without a gap, and no alarm."""

import os
import random
from pathlib import Path

import pytest

from kubia_pet.model.ledger import Sighting
from kubia_pet.model.verdict import remembered
from kubia_pet.store.ledger_file import open_directory, read_ledger
from tests.durability.asking import STORED, ask, ledger, post
from tests.durability.machine import LONG
from tests.support.pod import Pod

CYCLES = 1000 if LONG else 10
WITNESS = "kubia-1"


@pytest.mark.timeout(60 + CYCLES * 5)
def test_random_restarts_leave_a_history_without_a_gap_and_raise_no_alarm(tmp_path: Path) -> None:
    witness: list[Sighting] = []  # what a peer could have seen, at any time
    number = 0
    for _ in range(CYCLES):
        with Pod(tmp_path / "data") as pod:
            number += 1
            found = ledger(pod)
            assert found["verdict"]["verdict"] == "good", found["verdict"]
            assert found["fault"] is None
            assert found["start"]["number"] == number
            assert [each["number"] for each in found["starts"]] == list(
                range(max(1, number - 63), number + 1)
            )
            for _ in range(random.randrange(4)):
                change = random.random()
                reply = ask(pod, "DELETE", "/") if change < 0.3 else post(pod, random.randbytes(10))
                assert reply.status == STORED
                if random.random() < 0.5:
                    witness.append(_seen(pod))
            (pod.terminate if random.random() < 0.4 else pod.kill)()
    with Pod(tmp_path / "data") as pod:  # which finds out what the last one did, and does nothing itself
        pod.terminate()
    volume = os.open(tmp_path / "data", os.O_RDONLY)
    directory = open_directory(volume)
    record = read_ledger(directory)
    os.close(directory)
    os.close(volume)
    assert record is not None
    assert not [each for each in witness if remembered(record, None, 0, WITNESS, each)]


def _seen(pod: Pod) -> Sighting:
    found = ledger(pod)
    count = found["commit"]["count"]
    return Sighting(found["volume"]["id"], found["start"]["id"], found["start"]["number"], count, "")
