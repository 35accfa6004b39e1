"""SIGKILL at every call by which the ledger, or a value's number, changes; and the next start."""

import json
import os
import shutil
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import pytest

from kubia_pet.model.ledger import Kind
from kubia_pet.store import Volume
from tests.durability.ledger_life import LIMIT, NEW, WHATS
from tests.durability.machine import needs_strace
from tests.durability.strace import Point, parsed

OLD = b"old"
# What asks the file system for a change: before any other call it is as it was.
CHANGES = (
    *("mkdir", "mkdirat", "openat", "write", "pwrite64", "ftruncate", "fchmod", "fsetxattr"),
    *("fsync", "rename", "renameat", "unlink", "unlinkat"),
)


@dataclass(frozen=True)
class Life:
    """A volume at `path`, made anew as it was for each death; `trace` is strace's output."""

    path: Path
    saved: Path
    trace: Path

    def restore(self) -> None:
        shutil.rmtree(self.path, ignore_errors=True)
        shutil.copytree(self.saved, self.path)

    def run(self, what: str, *options: str) -> int:
        """Its exit status."""
        self.restore()
        command: list[str | Path] = ["strace", "-y", "-o", self.trace, "-e", f"trace={','.join(CHANGES)}"]
        command += options
        command += [sys.executable, "-m", "tests.durability.ledger_life", self.path, what]
        env = os.environ | {"PYTHONHASHSEED": "0", "PYTHONDONTWRITEBYTECODE": "1"}
        return subprocess.run(command, env=env, check=False, timeout=60, stdout=subprocess.DEVNULL).returncode

    def points(self, what: str) -> list[Point]:
        """Each call that may change the volume."""
        assert self.run(what) == 0
        seen: Counter[str] = Counter()
        begun, points = False, []
        for call in parsed(f"1 {line}" for line in self.trace.read_text().splitlines()):
            seen[call.name] += 1
            begun = begun or "begins" in call.arguments
            opens_only = call.name == "openat" and "O_CREAT" not in call.arguments
            if begun and str(self.path) in call.arguments and not opens_only:
                points.append(Point(call.name, seen[call.name]))
        return points


@pytest.fixture(params=["an empty volume", "one with a history"])
def life(request: pytest.FixtureRequest, tmp_path: Path) -> Life:
    needs_strace()
    saved = tmp_path / "saved"
    saved.mkdir()
    if request.param != "an empty volume":
        for _ in range(2):
            volume = Volume(saved, LIMIT)
            volume.open(0)
            volume.replace(OLD)
            volume.close()
    return Life(tmp_path / "volume", saved, tmp_path / "trace")


@pytest.mark.timeout(300)
@pytest.mark.parametrize("what", WHATS)
def test_killed_at_any_call_the_ledger_is_whole_and_raises_no_alarm(life: Life, what: str) -> None:
    file = life.saved / ".kubia-pet" / "ledger.json"
    before = json.loads(file.read_text()) if file.exists() else None
    old = OLD if before else None
    allowed = {old, *({NEW} if what == "post" else {None} if what == "delete" else ())}
    points = life.points(what)
    assert len(points) > 3
    for point in points:
        killing = f"inject={point.name}:signal=KILL:when={point.number}"
        assert life.run(what, "-e", killing) != 0, point

        volume = Volume(life.path, LIMIT)
        volume.open(0)
        state, content = volume.ledger.state, volume.read()
        volume.close()
        record = state.record
        assert record is not None
        assert (state.fault, state.changed, state.durable) == (None, None, True), point
        assert [each.kind for each in record.findings] in ([], [Kind.LOST] if what == "note" else []), point
        assert [start.number for start in record.starts] == list(range(1, len(record.starts) + 1)), point
        if before is not None:
            assert before["volume"] in (record.volume, *record.parents), point
            assert record.starts[0].id == before["starts"][0]["id"], point
        assert (content.data if content else None) in allowed, point
        if content is not None:  # its number is that of the last commit that the ledger knows
            assert state.commit == content.commit is not None, point


@pytest.mark.timeout(300)
@pytest.mark.parametrize("life", ["one with a history"], indirect=True)
def test_killed_at_any_call_that_mends_a_damaged_ledger_the_next_start_knows_of_the_damage(
    life: Life,
) -> None:
    (life.saved / ".kubia-pet" / "ledger.json").write_text("{")
    for point in life.points("start"):
        assert life.run("start", "-e", f"inject={point.name}:signal=KILL:when={point.number}") != 0, point
        volume = Volume(life.path, LIMIT)
        volume.open(0)
        record, content = volume.ledger.state.record, volume.read()
        volume.close()
        assert record is not None
        assert [each.kind for each in record.findings] == [Kind.UNKNOWN], point
        assert (life.path / ".kubia-pet" / "damaged-ledger.json").read_text() == "{", point
        assert content is not None, point
