"""What goes wrong with volumes: each cause is made to happen, and `check` names it first."""

import json
import os
import shutil
import urllib.request
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.durability.machine import needs
from tests.durability.volumes import run, tmpfs
from tests.support.dns_server import NAME
from tests.support.pod import Pod, until
from tests.support.verdict import PetSet, check

pytestmark = pytest.mark.timeout(120)
FOLLOWS = {"durable", "public", "volume.fsync"}


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


@pytest.mark.parametrize(
    ("fault", "exit_", "cause"),
    [("disk-full", 1, "full"), ("disk-error", 1, "not-writable"), ("not-ready", 3, None)],
)
def test_a_pod_that_is_not_ready_says_whether_that_is_its_volumes_fault(
    tmp_path: Path, fault: str, exit_: int, cause: str | None
) -> None:
    """Whatever words its name and its directory have."""
    with PetSet(tmp_path, "--faults", named=("fulltext-0", "permits-1")) as pets:
        ask("PUT", f"{pets.pods[1].url}/faults/{fault}?for=60s")
        verdict = check(pets.pods[0].url)
    assert (verdict.exit, verdict.cause) == (exit_, cause), verdict.members


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


def test_a_ledger_that_cannot_be_kept_is_a_warning(tmp_path: Path) -> None:
    (tmp_path / "data-kubia-1").mkdir()
    (tmp_path / "data-kubia-1" / ".kubia-pet").write_text("in its place")
    with PetSet(tmp_path, replicas=2) as pets:
        verdict = check(pets.pods[0].url)
    assert verdict.warnings == {"volume.history": "ledger-fault"}, verdict.members
    assert verdict.statuses["volume.own"] == "unknown"


def test_a_value_that_was_changed_beside_the_pod_is_a_warning(tmp_path: Path) -> None:
    with PetSet(tmp_path, replicas=2) as pets:
        ask("POST", pets.pods[1].url, "posted")
        (pets.pods[1].data_dir / "kubia.txt").write_bytes(b"by kubectl exec")
        until("it to be seen", lambda: verdict_of(pets.pods[1]) == "changed-outside", 30)
        verdict = check(pets.pods[0].url)
    assert (verdict.exit, verdict.warnings) == (0, {"volume.history": "changed-outside"}), verdict.members


# What the ledgers and the witnesses tell


@pytest.fixture
def known(tmp_path: Path) -> Iterator[PetSet]:
    """Three pods with values, that have seen each other."""
    with PetSet(tmp_path, replicas=3) as pets:
        for pod in pets.pods:
            ask("POST", pod.url, f"value of {pod.name}")
        until("the witnesses", lambda: all(verdict_of(pod) == "good" for pod in pets.pods), 50)
        yield pets


def ask(method: str, url: str, body: str | None = None) -> bytes:
    data = None if body is None else body.encode()
    with urllib.request.urlopen(urllib.request.Request(url, data, method=method), timeout=10) as response:  # noqa: S310 - our own
        answer: bytes = response.read()
        return answer


def verdict_of(pod: Pod) -> str:
    return str(json.loads(ask("GET", f"{pod.url}/ledger"))["verdict"]["verdict"])


def seen_by_peers(pets: PetSet) -> None:
    """Lets every pod ask every other one."""
    for pod in pets.pods:
        ask("GET", pod.url)


def test_volumes_that_were_swapped(known: PetSet) -> None:
    first, second = (pod.data_dir for pod in known.pods[:2])
    known.pods[0].terminate()
    known.replace(1, volume=first)
    known.replace(0, volume=second)
    verdict = check(known.pods[2].url)
    assert (verdict.cause, verdict.exit) == ("swapped", 1), verdict.members
    assert verdict.statuses["volume.own"] == "passed"


def test_volumes_that_were_swapped_are_the_cause_where_pods_refuse_them(known: PetSet) -> None:
    first, second = (pod.data_dir for pod in known.pods[:2])
    known.pods[0].terminate()
    for pod in known.pods[:2]:
        pod.options = (*pod.options, "--refuse-foreign-volume")
    known.replace(1, volume=first)
    known.replace(0, volume=second)
    verdict = check(known.pods[2].url)
    assert (verdict.cause, verdict.exit) == ("swapped", 1), verdict.members


def test_a_volume_that_was_emptied(known: PetSet, tmp_path: Path) -> None:
    seen_by_peers(known)
    known.replace(1, volume=tmp_path / "empty")
    verdict = check(known.pods[2].url)
    assert (verdict.cause, verdict.exit) == ("lost", 1), verdict.members
    assert "kubia-1" in verdict.evidence("volume.history")


def test_a_volume_that_was_put_back_to_an_earlier_state(known: PetSet, tmp_path: Path) -> None:
    pod = known.pods[1]
    pod.terminate()
    shutil.copytree(pod.data_dir, tmp_path / "copy")
    pod.start()
    known.zone.add(pod.name, known.port(pod))
    ask("POST", pod.url, "newer")
    until("its own verdict", lambda: verdict_of(pod) == "good", 50)
    seen_by_peers(known)
    known.replace(1, volume=tmp_path / "copy")
    verdict = check(known.pods[2].url)
    assert (verdict.cause, verdict.exit) == ("rolled-back", 1), verdict.members


def test_a_copy_of_another_pods_volume(known: PetSet, tmp_path: Path) -> None:
    known.pods[0].terminate()
    shutil.copytree(known.pods[0].data_dir, tmp_path / "copy")
    known.replace(0)
    known.replace(1, volume=tmp_path / "copy")
    verdict = check(known.pods[2].url)
    assert verdict.cause == "cloned", verdict.members


def test_a_disk_whose_fsync_does_nothing_is_a_warning(tmp_path: Path) -> None:
    needs("cc")
    library = tmp_path / "nosync.so"
    source = "int fsync(int file) { return 0; } int fdatasync(int file) { return 0; }"
    run("sh", "-c", f"echo '{source}' | cc -shared -fPIC -o {library} -x c -")
    with PetSet(tmp_path, replicas=2, env={"LD_PRELOAD": str(library)}) as pets:
        verdict = check(pets.pods[0].url)
        assert (verdict.exit, verdict.warnings) == (0, {"volume.fsync": "fsync-too-cheap"}), verdict.members
    with PetSet(tmp_path / "honest", replicas=2) as pets:
        assert check(pets.pods[0].url).statuses["volume.fsync"] == "passed"
