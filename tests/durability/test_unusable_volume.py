"""Volumes on which a pod cannot start: it ends with one sentence that says why and what to do."""

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from kubia_pet.model.mount import mount_of
from kubia_pet.store.directory import remedy
from tests.durability.machine import needs
from tests.durability.volumes import run, tmpfs, unmount

WITHOUT_PRIVILEGES = ["setpriv", "--bounding-set=-all", "--inh-caps=-all"]


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
    assert said_at_its_end(data_dir, WITHOUT_PRIVILEGES) == (
        f"{data_dir} cannot be written (Permission denied): it belongs to 1000:2000 with mode 0755, and this "
        "is user 0:0. Mount it writable, in Kubernetes with fsGroup: 0, or chown it to 0."
    )


def test_a_directory_of_the_node_as_a_hostpath_volume_has_one_is_told_with_what_to_do(tmp_path: Path) -> None:
    needs("setpriv", "mount", root=True)
    of_the_node, data_dir = tmp_path / "of the node", tmp_path / "data"
    of_the_node.mkdir(mode=0o755)
    data_dir.mkdir()
    os.chown(of_the_node, 1000, 2000)
    run("mount", "--bind", of_the_node, data_dir)
    try:
        said = said_at_its_end(data_dir, WITHOUT_PRIVILEGES)
    finally:
        unmount(data_dir)
    assert "it belongs to 1000:2000 with mode 0755, and this is user 0:0. It is the directory /" in said
    assert f"{of_the_node.name} of the node's own /dev/" in said
    assert said.endswith(
        "as a hostPath volume is, of which fsGroup changes nothing: chown it to 0 on the node."
    )


def test_one_on_nfs_is_told_with_root_squash() -> None:
    line = "35 30 0:48 / /var/data rw,relatime shared:1 - nfs4 10.0.0.9:/exports/kubia-0 rw,vers=4.2"
    path = Path("/var/data")
    assert remedy(mount_of(str(path), line), path, 10001, 10001) == (
        "It is on NFS (10.0.0.9:/exports/kubia-0), where the server decides: its root squash keeps root, and "
        "so fsGroup, from changing an owner. Chown it to 10001 on the server."
    )


def test_a_volume_mounted_read_only_is_told(tmp_path: Path) -> None:
    with tmpfs(tmp_path / "data") as volume:
        run("mount", "-o", "remount,ro", volume)
        said = said_at_its_end(volume)
        assert said.startswith(f"{volume} cannot be written (Read-only file system): ")
        assert said.endswith("It is mounted read-only: mount it writable.")
