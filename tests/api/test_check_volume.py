"""What goes wrong with volumes: each cause is made to happen, and `check` names it first."""

import os
from contextlib import suppress
from pathlib import Path

import pytest

from tests.durability.machine import needs
from tests.durability.volumes import run, tmpfs
from tests.support.dns_server import NAME
from tests.support.pod import Pod
from tests.support.verdict import PetSet, check

pytestmark = pytest.mark.timeout(120)
FOLLOWS = {"durable", "volume.fsync"}


def fill(path: Path) -> None:
    """Takes all the space that is left."""
    with suppress(OSError), path.open("ab", buffering=0) as file:
        while True:
            file.write(bytes(512))


def test_a_full_volume(tmp_path: Path) -> None:
    with tmpfs(tmp_path / "full") as volume, PetSet(tmp_path, replicas=2, volumes={1: volume}) as pets:
        fill(volume / "filling")
        verdict = check(pets.pods[0].url)
    assert verdict.cause == "full", verdict.members
    assert "kubia-1" in verdict.evidence("volume.writable")
    assert verdict.followed == FOLLOWS


def test_a_volume_that_became_read_only(tmp_path: Path) -> None:
    with (
        tmpfs(tmp_path / "volume", "1m") as volume,
        PetSet(tmp_path, replicas=2, volumes={1: volume}) as pets,
    ):
        run("mount", "-o", "remount,ro", volume)
        verdict = check(pets.pods[0].url)
        run("mount", "-o", "remount,rw", volume)
    assert verdict.cause == "read-only", verdict.members
    assert verdict.followed == FOLLOWS


def test_a_volume_of_somebody_else(tmp_path: Path) -> None:
    """As an export with root squash, or a hostPath of another user, looks to a pod without privileges."""
    needs("setpriv", root=True)
    unprivileged = ("setpriv", "--bounding-set=-all", "--inh-caps=-all")
    with PetSet(tmp_path, replicas=2, prefix=unprivileged) as pets:
        os.chown(pets.pods[1].data_dir, 1000, 1000)
        pets.pods[1].data_dir.chmod(0o755)
        verdict = check(pets.pods[0].url)
    assert verdict.cause == "not-permitted", verdict.members
    assert verdict.followed == FOLLOWS


def test_one_volume_for_two_pods(tmp_path: Path) -> None:
    """The second waits for the volume's lock, alive and not ready, as it does in a cluster."""
    needs("unshare", "mount", root=True)
    hosts = tmp_path / "hosts"
    hosts.write_text(f"127.0.0.1 localhost\n127.0.0.1 kubia-1.{NAME} kubia-1\n")
    own_hosts = ("unshare", "--mount", "sh", "-c", 'mount --bind "$0" /etc/hosts && exec "$@"', str(hosts))
    with (
        PetSet(tmp_path, replicas=1) as pets,
        Pod(
            pets.pods[0].data_dir,
            f"--service={NAME}.",
            f"--nameserver={pets.nameserver}",
            name="kubia-1",
            prefix=own_hosts,
            env={"KUBIAPET_LOCK_WAIT": ""},
        ) as second,
    ):
        pets.zone.add("kubia-1", pets.port(second))
        verdict = check(*pets.inside)
    assert verdict.cause == "shared", verdict.members
    assert "locked by another process" in verdict.evidence("volume.own")
    assert {"volume.writable", "volume.history", "durable"} <= verdict.followed
