"""What /metrics says of a volume that has a fault: each kind, on a real one."""

import re
from pathlib import Path

from tests.durability.asking import ask, post
from tests.durability.machine import needs_strace
from tests.durability.strace import Strace
from tests.durability.test_full_volume import filled
from tests.durability.volumes import ext4, frozen, tmpfs
from tests.support.pod import Pod, until

GOOD = (1, set[str]())


def told(pod: Pod) -> tuple[int, set[str]]:
    """Whether it is ready, 1 or 0, and the volume's faults."""
    text = ask(pod, "GET", "/metrics").body.decode()
    ready = re.search(r"^kubia_pet_ready (\S+)$", text, re.MULTILINE)
    assert ready
    faults = re.findall(r'^kubia_pet_volume_fault\{fault="(.+)"\} (\S+)$', text, re.MULTILINE)
    assert len(faults) == 5
    return int(float(ready[1])), {kind for kind, value in faults if float(value)}


def test_a_volume_without_room_is_full(tmp_path: Path) -> None:
    with tmpfs(tmp_path / "data", "64k"), Pod(tmp_path / "data") as pod:
        assert told(pod) == GOOD
        filler = filled(pod.data_dir)
        post(pod, b"a value")
        assert told(pod) == (0, {"full"})
        filler.unlink()
        until("it is mended", lambda: told(pod) == GOOD)


def test_a_volume_that_hangs_is_slow_and_the_scrape_is_answered(tmp_path: Path) -> None:
    with ext4(tmp_path / "data"), Pod(tmp_path / "data", "--volume-timeout=200ms") as pod:
        post(pod, b"a value")
        with frozen(pod.data_dir):
            post(pod, b"another one")
            assert told(pod) == (0, {"slow"})
        until("it is mended", lambda: told(pod) == GOOD)


def test_a_change_that_the_directory_did_not_confirm_is_unconfirmed(tmp_path: Path) -> None:
    needs_strace()
    with Pod(tmp_path / "data") as pod:
        with Strace(tmp_path / "trace", "-e", "inject=fsync:error=EIO:when=2+", pod=pod):
            post(pod, b"a value")
            assert told(pod) == (0, {"unconfirmed"})
        until("it is mended", lambda: told(pod) == GOOD)


def test_a_directory_that_is_gone_is_unavailable(pod: Pod) -> None:
    elsewhere = pod.data_dir.with_name("elsewhere")
    pod.data_dir.rename(elsewhere)
    assert told(pod) == (0, {"unavailable"})
    elsewhere.rename(pod.data_dir)
    until("it is mended", lambda: told(pod) == GOOD)


def test_a_pod_that_is_ending_is_not_ready_and_has_no_fault(tmp_path: Path) -> None:
    with Pod(tmp_path / "data", "--drain=1m") as pod:
        pod.process.terminate()
        until("it ends", lambda: told(pod) == (0, set()))
