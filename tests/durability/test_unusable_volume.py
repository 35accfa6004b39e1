"""Volumes on which a pod cannot start: it ends with one sentence that says why and what to do."""

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from tests.durability.machine import needs
from tests.durability.volumes import run, tmpfs


def said_at_its_end(data_dir: Path, prefix: Sequence[str] = ()) -> str:
    """The sentence of a pod that ended at its start, with an error."""
    command = [*prefix, sys.executable, "-m", "kubia_pet", "serve", "--port=0", f"--data-dir={data_dir}"]
    ended = subprocess.run(command, capture_output=True, text=True, check=False, timeout=20)
    assert ended.returncode == 1
    (line,) = ended.stderr.splitlines()
    time, level, sentence = line.split(maxsplit=2)
    assert level == "ERROR", time
    return sentence


def test_a_missing_directory_is_told(tmp_path: Path) -> None:
    assert said_at_its_end(tmp_path / "data").startswith(
        f"{tmp_path}/data is not a directory (No such file or directory): mount a volume there, create it,"
    )


def test_a_directory_of_another_user_is_told_with_both_users_and_what_to_do(tmp_path: Path) -> None:
    needs("setpriv", root=True)
    data_dir = tmp_path / "data"
    data_dir.mkdir(mode=0o755)
    os.chown(data_dir, 1000, 2000)
    without_privileges = ["setpriv", "--bounding-set=-all", "--inh-caps=-all"]
    assert said_at_its_end(data_dir, without_privileges) == (
        f"{data_dir} cannot be written (Permission denied): it belongs to 1000:2000 with mode 0755, and this "
        "is user 0:0. Mount it writable, in Kubernetes with fsGroup: 0, or chown it to 0."
    )


def test_a_volume_mounted_read_only_is_told(tmp_path: Path) -> None:
    with tmpfs(tmp_path / "data") as volume:
        run("mount", "-o", "remount,ro", volume)
        assert said_at_its_end(volume).startswith(f"{volume} cannot be written (Read-only file system): ")
