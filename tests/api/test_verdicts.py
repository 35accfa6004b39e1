"""Verdicts on the volumes of real pods: each made to happen, and none where nothing happened."""

import http.client
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import dns.rcode
import pytest

from kubia_pet.limits import WITNESS_GRACE
from tests.durability.machine import needs
from tests.support.dns_server import NameServer, Zone, rcode
from tests.support.events import watching
from tests.support.local_set import LocalSet
from tests.support.pod import Pod, until

ALONE = (
    "--service=kubia.default.svc.cluster.local.",
    "--nameserver=127.0.0.1:1",
)  # a full name, and no peers
SECONDS = 25


def ask(url: str, method: str = "GET", body: bytes | None = None) -> tuple[int, str]:
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.netloc, timeout=10)
    try:
        connection.request(method, parts.path or "/", body)
        response = connection.getresponse()
        return response.status, response.read().decode()
    finally:
        connection.close()


def ledger(url: str) -> dict[str, Any]:
    status, text = ask(f"{url}/ledger")
    assert status == 200, text
    members: dict[str, Any] = json.loads(text)
    return members


def verdict(url: str) -> str:
    found: str = ledger(url)["verdict"]["verdict"]
    return found


def adopt(url: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "kubia_pet", "adopt", f"--port={url.rpartition(':')[2]}"]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=20)


def stopped(pod: Pod) -> None:
    assert pod.terminate() == 0


# Pods that judge by their own ledger


@pytest.fixture
def start(tmp_path: Path) -> Callable[..., Pod]:
    """A pod on the volume `data`, which starts as a context."""
    return lambda *options, name="kubia-0", **more: Pod(tmp_path / "data", *options, name=name, **more)


def test_a_volume_is_good_and_says_what_it_came_through(start: Callable[..., Pod]) -> None:
    with start() as pod:
        first = ledger(pod.url)
        assert first["verdict"]["verdict"] == "good"
        assert first["verdict"]["survived"] == []
        assert (first["start"]["number"], first["start"]["previous_end"], first["commit"]) == (1, None, None)
        ask(pod.url, "POST", b"one")
        ask(pod.url, "POST", b"one")
        stopped(pod)
    with start() as pod:
        second = ledger(pod.url)
        assert second["volume"]["id"] == first["volume"]["id"]
        assert (second["start"]["number"], second["start"]["previous_end"]) == (2, "graceful")
        assert (second["commit"]["start"], second["commit"]["count"]) == (first["start"]["id"], 2)
        assert second["starts"][0]["commits"] == 2
        assert second["verdict"]["survived"] == ["restart"]
        assert second["fault"] is None
        pod.kill()
    with start() as pod:
        assert ledger(pod.url)["start"]["previous_end"] == "killed"
        assert verdict(pod.url) == "good"


def test_nothing_is_known_of_a_volume_while_dns_fails_and_no_peer_was_asked(
    start: Callable[..., Pod],
) -> None:
    with NameServer(rcode(dns.rcode.SERVFAIL)) as server:
        nameserver = "--nameserver={}:{}".format(*server.address)
        with start(ALONE[0], nameserver) as pod:
            ends = time.monotonic() + WITNESS_GRACE + 1
            until("the first round", lambda: time.monotonic() > ends)
            assert verdict(pod.url) == "unknown"
            zone = Zone()
            zone.add("kubia-0", 8080)
            server.script = zone
            until("a round in which DNS answers", lambda: verdict(pod.url) == "good", SECONDS)


def test_the_documented_example_has_the_members_of_the_answer(start: Callable[..., Pod]) -> None:
    document = (Path(__file__).parents[2] / "docs" / "ledger.md").read_text()
    example = json.loads(document.rpartition("```json\n")[2].partition("```")[0])
    with start() as pod:
        ask(pod.url, "POST", b"one")
        assert _names(ledger(pod.url)) == _names(example)


def _names(members: dict[str, Any]) -> dict[str, Any]:
    """Its members' names; where one has members itself, theirs."""
    return {name: _names(each) if isinstance(each, dict) else None for name, each in members.items()}


def test_a_delete_has_a_number_and_leaves_no_doubt(start: Callable[..., Pod]) -> None:
    with start() as pod:
        ask(pod.url, "POST", b"one")
        assert ask(pod.url, "DELETE")[0] == 200
        assert ledger(pod.url)["commit"] == {
            "start": ledger(pod.url)["start"]["id"],
            "count": 2,
            "digest": None,
        }
        pod.kill()
    with start() as pod:
        assert verdict(pod.url) == "good"
        assert ledger(pod.url)["commit"]["count"] == 2


def test_a_volume_of_another_pod_is_swapped_until_it_is_given_back_or_adopted(
    start: Callable[..., Pod],
) -> None:
    with start(*ALONE) as pod:
        ask(pod.url, "POST", b"of kubia-0")
        stopped(pod)
    for _ in range(2):  # through restarts, too
        with start(*ALONE, name="kubia-1") as pod:
            found = ledger(pod.url)["verdict"]
            assert found["verdict"] == "swapped"
            assert "kubia-0.kubia.default.svc.cluster.local" in found["evidence"][0]
            assert "kubia-pet adopt" in found["remedy"]
            assert ask(f"{pod.url}/data") == (200, "of kubia-0")
            assert ask(f"{pod.url}/readyz")[0] == 200
            assert "The volume is swapped." in pod.log.read_text()
            assert 'kubia_pet_verdict{verdict="swapped"} 1.0' in ask(f"{pod.url}/metrics")[1]
            stopped(pod)
    with start(*ALONE) as pod:
        assert verdict(pod.url) in ("good", "unknown")  # its peers were not asked yet
        stopped(pod)
    with start(*ALONE, name="kubia-1") as pod:
        old = ledger(pod.url)
        done = adopt(pod.url)
        assert done.returncode == 0, done.stdout + done.stderr
        new = ledger(pod.url)
        assert new["volume"]["id"] in done.stdout
        line = f"The volume was adopted by 127.0.0.1: its id is {new['volume']['id']}\n"
        until("the log's line", lambda: line in pod.log.read_text())
        assert new["volume"]["parent"] == old["volume"]["id"] != new["volume"]["id"]
        assert new["starts"][-1]["id"] == old["start"]["id"]
        assert new["verdict"]["verdict"] != "swapped"
        assert ask(f"{pod.url}/data") == (200, "of kubia-0")
        stopped(pod)
    with start(*ALONE, name="kubia-1") as pod:
        assert verdict(pod.url) != "swapped"


def test_a_volume_that_came_through_a_reboot_of_its_node_is_good_and_says_so(tmp_path: Path) -> None:
    """Each boot of a machine has an id of its own, which the kernel tells in a file."""
    needs("unshare", "mount", root=True)
    boot_id = tmp_path / "boot_id"
    own = 'mount --bind "$0" /proc/sys/kernel/random/boot_id && exec "$@"'
    rebooted = ("unshare", "--mount", "sh", "-c", own, str(boot_id))
    zone = Zone()
    zone.add("kubia-0", 8080)
    with NameServer(zone) as names:
        options = (ALONE[0], "--nameserver={}:{}".format(*names.address), "--node=worker-1")
        boot_id.write_text("before\n")
        with Pod(tmp_path / "data", *options, prefix=rebooted) as pod:
            ask(pod.url, "POST", b"kept")
            pod.process.kill()  # a power cut says no goodbye
        boot_id.write_text("after\n")
        with Pod(tmp_path / "data", *options, prefix=rebooted) as pod:
            until("peers to have been looked for", lambda: verdict(pod.url) != "unknown", SECONDS)
            seen = ledger(pod.url)
            assert ask(f"{pod.url}/data") == (200, "kept")
    assert [start["boot_id"] for start in seen["starts"]] == ["before", "after"]
    assert (seen["verdict"]["verdict"], seen["verdict"]["survived"]) == ("good", ["restart", "reboot"])


async def test_a_pod_that_refuses_a_foreign_volume_is_alive_and_not_ready_until_it_is_adopted(
    start: Callable[..., Pod],
) -> None:
    with start(*ALONE) as pod:
        ask(pod.url, "POST", b"of kubia-0")
        stopped(pod)
    with start(*ALONE, "--refuse-foreign-volume", name="kubia-1") as pod:
        status, said = ask(f"{pod.url}/readyz")
        assert status == 503
        assert "another pod's volume" in said
        assert "kubia_pet_ready 0.0" in ask(f"{pod.url}/metrics")[1]
        async with watching(pod.url) as watch:
            own = (await watch.next()).data["peers"][0]
        assert (own["state"], own["error"]["message"]) == ("not-ready", said.strip())
        assert ask(f"{pod.url}/healthz")[0] == 200
        assert ask(f"{pod.url}/data") == (200, "of kubia-0")
        assert adopt(pod.url).returncode == 0
        assert ask(f"{pod.url}/readyz")[0] == 200


def test_a_volume_is_adopted_at_the_start_where_that_is_asked_for(start: Callable[..., Pod]) -> None:
    with start(*ALONE) as pod:
        stopped(pod)
    with start(*ALONE, "--adopt", name="kubia-1") as pod:
        assert verdict(pod.url) != "swapped"
        assert ledger(pod.url)["volume"]["parent"]


def test_adopting_needs_the_token_where_there_is_one(start: Callable[..., Pod], tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("0123456789abcdef0123456789abcdef\n")
    with start(f"--token-file={token}") as pod:
        before = ledger(pod.url)["volume"]["id"]
        assert ask(f"{pod.url}/ledger/adopt", "POST")[0] == 401
        refused = adopt(pod.url)
        assert (refused.returncode, "401" in refused.stdout) == (1, True)
        assert ledger(pod.url)["volume"]["id"] == before
        command = [sys.executable, "-m", "kubia_pet", "adopt", f"--port={pod.url.rpartition(':')[2]}"]
        done = subprocess.run(
            [*command, f"--token-file={token}"], capture_output=True, check=False, timeout=20
        )
        assert done.returncode == 0
        assert ledger(pod.url)["volume"]["id"] != before


def test_an_adoption_that_cannot_be_written_is_refused_with_the_reason(start: Callable[..., Pod]) -> None:
    with start() as pod:
        before = ledger(pod.url)["volume"]["id"]
        file = pod.data_dir / ".kubia-pet" / "ledger.json"
        file.unlink()
        file.mkdir()
        done = adopt(pod.url)
        assert done.returncode == 1
        assert "answers 503" in done.stdout
        assert "The ledger cannot be written: Is a directory." in done.stdout
        assert ledger(pod.url)["volume"]["id"] == before
        assert pod.log.read_text().count("The ledger cannot be written") == 1
        file.rmdir()
        assert adopt(pod.url).returncode == 0
        assert ledger(pod.url)["volume"]["parent"] == before
        assert ledger(pod.url)["fault"] is None


def test_a_container_gets_a_new_name_each_time_and_that_is_no_swap(start: Callable[..., Pod]) -> None:
    for name in ("0a1b2c3d4e5f", "f5e4d3c2b1a0"):
        with start(name=name) as pod:
            assert verdict(pod.url) == "good"
            stopped(pod)


def test_what_others_write_is_no_fault_but_said_while_it_is_served_and_after_a_restart(
    start: Callable[..., Pod],
) -> None:
    with start() as pod:
        ask(pod.url, "POST", b"posted")
        (pod.data_dir / "kubia.txt").write_bytes(b"by kubectl exec")
        assert verdict(pod.url) == "changed-outside"
        beside = pod.data_dir / "beside"
        beside.write_bytes(b"by kubectl cp")
        beside.rename(pod.data_dir / "kubia.txt")
        assert verdict(pod.url) == "changed-outside"
        assert ask(f"{pod.url}/data") == (200, "by kubectl cp")
        assert ask(f"{pod.url}/readyz")[0] == 200
        pod.kill()
    with start() as pod:
        assert verdict(pod.url) == "changed-outside"
        ask(pod.url, "POST", b"posted again")
        assert verdict(pod.url) == "good"
        (pod.data_dir / "kubia.txt").unlink()
        assert verdict(pod.url) == "changed-outside"
        stopped(pod)
    with start() as pod:
        assert verdict(pod.url) == "changed-outside"
        assert adopt(pod.url).returncode == 0
        assert verdict(pod.url) == "good"
        stopped(pod)
    with start() as pod:
        assert verdict(pod.url) == "good"


def test_an_earlier_copy_of_the_value_in_its_place_is_a_rollback(start: Callable[..., Pod]) -> None:
    with start() as pod:
        ask(pod.url, "POST", b"one")
        saved = pod.data_dir.parent / "saved"
        shutil.copy2(pod.data_dir / "kubia.txt", saved)  # with its number, as cp -a does
        ask(pod.url, "POST", b"two")
        shutil.copy2(saved, pod.data_dir / "kubia.txt")
        assert verdict(pod.url) == "rolled-back"
        stopped(pod)
    with start() as pod:
        assert verdict(pod.url) == "rolled-back"
        assert adopt(pod.url).returncode == 0
        assert verdict(pod.url) == "good"
        stopped(pod)
    with start() as pod:
        assert verdict(pod.url) == "good"


def test_a_volume_without_a_ledger_is_taken_over_as_it_is(start: Callable[..., Pod], tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "kubia.txt").write_bytes(b"of 1.0.0")
    for _ in range(2):
        with start() as pod:
            assert verdict(pod.url) == "good"
            assert ask(f"{pod.url}/data") == (200, "of 1.0.0")
            stopped(pod)
    (tmp_path / "data" / "kubia.txt").write_bytes(b"of 1.0.0 again")  # which leaves the ledger alone
    with start() as pod:
        assert verdict(pod.url) == "changed-outside"
        assert ask(f"{pod.url}/data") == (200, "of 1.0.0 again")


@pytest.mark.parametrize(
    "damage", [b"", b"{", b"[]", b'{"format": 2}', b'{"format": 1, "starts": []}', b"\xff" * 99]
)
def test_a_damaged_ledger_is_said_kept_aside_and_keeps_no_value_from_being_served(
    start: Callable[..., Pod], damage: bytes
) -> None:
    with start() as pod:
        ask(pod.url, "POST", b"value")
        stopped(pod)
    file = pod.data_dir / ".kubia-pet" / "ledger.json"
    file.write_bytes(damage)
    for _ in range(2):
        with start() as pod:
            assert ask(f"{pod.url}/data") == (200, "value")
            assert ask(pod.url, "POST", b"value")[0] == 200
            assert verdict(pod.url) == "unknown"
            stopped(pod)
    assert (file.parent / "damaged-ledger.json").read_bytes() == damage
    with start("--adopt") as pod:
        assert verdict(pod.url) == "good"


def test_something_odd_in_the_ledgers_place_is_said_and_keeps_no_value_from_being_stored(
    start: Callable[..., Pod], tmp_path: Path
) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / ".kubia-pet").write_text("a file")
    with start() as pod:
        assert ask(pod.url, "POST", b"value")[0] == 200
        assert ask(f"{pod.url}/data") == (200, "value")
        assert verdict(pod.url) == "unknown"
        assert "The ledger cannot be read" in ledger(pod.url)["fault"]
        (pod.data_dir / ".kubia-pet").unlink()
        assert verdict(pod.url) == "good"  # mended by the next look
        assert ledger(pod.url)["fault"] is None


def test_in_a_cluster_the_containers_own_disk_is_no_volume(start: Callable[..., Pod]) -> None:
    with start(env={"KUBERNETES_SERVICE_HOST": "10.96.0.1"}) as pod:
        found = ledger(pod.url)
        expected = "good" if found["volume"]["mount"]["kind"] == "volume" else "not-a-volume"
        assert found["verdict"]["verdict"] == expected
        assert found["volume"]["mount"]["point"]


def test_the_downward_apis_words_are_in_the_ledger(start: Callable[..., Pod]) -> None:
    for node in ("one", "two"):
        with start(env={"KUBIAPET_POD_UID": f"uid on {node}", "KUBIAPET_NODE": node}) as pod:
            found = ledger(pod.url)
            assert (found["start"]["pod_uid"], found["start"]["node"]) == (f"uid on {node}", node)
            stopped(pod)
    assert [each["node"] for each in found["starts"]] == ["one", "two"]


def test_the_history_keeps_64_starts(start: Callable[..., Pod]) -> None:
    with start() as pod:
        stopped(pod)
    file = pod.data_dir / ".kubia-pet" / "ledger.json"
    members = json.loads(file.read_text())
    (first,) = members["starts"]
    members["starts"] = [first | {"number": number, "id": f"{number:016x}"} for number in range(1, 65)]
    file.write_text(json.dumps(members))
    with start() as pod:
        found = ledger(pod.url)
        assert [each["number"] for each in found["starts"]] == list(range(2, 66))
        assert found["verdict"]["verdict"] == "good"


# Pods that are each other's witnesses


class Six:
    """Six pods whose volumes were exchanged while they were down, and what must be said of each."""

    expected = ("swapped", "swapped", "lost", "rolled-back", "cloned", "cloned")
    values = ("value of 1", "value of 0", None, "value of 3", "value of 5", "value of 5")

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def run(self) -> LocalSet:
        return LocalSet(self._directory, 6)

    def _volume(self, ordinal: int) -> Path:
        return self._directory / "pets" / f"data-kubia-{ordinal}"

    def live(self) -> None:
        """All have a value, and remember all others."""
        with self.run() as pets:
            urls = urls_of(pets)
            for ordinal, url in enumerate(urls):
                ask(url, "POST", b"value of %d" % ordinal)
            shutil.copytree(self._volume(3), self._directory / "earlier")
            ask(urls[3], "POST", b"later")
            for url in urls:
                assert ask(url)[0] == 200
            until("all to remember all", lambda: _remembers(urls[5], 3, 2), SECONDS)

    def exchange(self) -> None:
        """0 and 1 are swapped, 2 is emptied, 3 is copied back, 4 is a clone of 5."""
        self._volume(0).rename(self._directory / "other")
        self._volume(1).rename(self._volume(0))
        (self._directory / "other").rename(self._volume(1))
        for ordinal in (2, 3, 4):
            shutil.rmtree(self._volume(ordinal))
        shutil.copytree(self._directory / "earlier", self._volume(3))
        shutil.copytree(self._volume(5), self._volume(4))


@pytest.mark.timeout(180)
def test_volumes_that_were_swapped_are_good_when_they_are_given_back(tmp_path: Path) -> None:
    zero, one, other = (tmp_path / "pets" / name for name in ("data-kubia-0", "data-kubia-1", "other"))

    def exchange() -> None:
        for old, new in ((zero, other), (one, zero), (other, one)):
            old.rename(new)

    def run(*expected: str) -> None:
        with LocalSet(tmp_path, 3) as pets:
            urls = urls_of(pets)
            for url in urls:
                ask(url)  # all see what they have now, before they ask what they had
            good = [url for url, each in zip(urls, expected, strict=True) if each == "good"]
            until("each to be told", lambda: all(map(_two_say_what_they_remember, good)), SECONDS)
            assert tuple(map(verdict, urls)) == expected

    run("good", "good", "good")
    exchange()
    run("swapped", "swapped", "good")
    exchange()
    for _ in range(2):
        run("good", "good", "good")


def _two_say_what_they_remember(url: str) -> bool:
    return "2 of 2 peers" in ledger(url)["verdict"]["evidence"][-1]


def urls_of(pets: LocalSet) -> list[str]:
    return [pets.url(ordinal) for ordinal in range(len(pets.ports))]


@pytest.mark.timeout(240)
def test_volumes_swapped_emptied_copied_back_and_cloned_are_told_apart_and_adopted(tmp_path: Path) -> None:
    six = Six(tmp_path)
    six.live()
    six.exchange()
    for _ in range(2):  # and through a restart
        with six.run() as pets:
            urls = urls_of(pets)
            for url in urls:
                ask(url)  # all see what they have now, before they ask what they had
            until("each to be told", lambda: tuple(map(verdict, urls)) == six.expected, SECONDS)  # noqa: B023 - called at once
            for url, value in zip(urls, six.values, strict=True):
                assert ask(f"{url}/data") == ((200, value) if value else (404, "No data posted yet\n"))
    with six.run() as pets:
        urls = urls_of(pets)
        assert [adopt(url).returncode for url in urls] == [0] * 6
        _until_all_are_good(urls)
        for url in urls:
            ask(url)  # so that all see all
    with six.run() as pets:
        until("all to say that", lambda: all(map(_five_say_what_they_remember, urls_of(pets))), SECONDS)
        _until_all_are_good(urls_of(pets))


def _five_say_what_they_remember(url: str) -> bool:
    return "5 of 5 peers" in ledger(url)["verdict"]["evidence"][-1]


def _remembers(url: str, ordinal: int, count: int) -> bool:
    name = f"kubia-{ordinal}.kubia.default.svc.cluster.local"
    return any((each["peer"], each["count"]) == (name, count) for each in ledger(url)["witnesses"])


@pytest.mark.timeout(120)
@pytest.mark.parametrize("replicas", [(3, 2, 3)])
def test_scaling_roll_outs_and_kills_raise_no_alarm(tmp_path: Path, replicas: tuple[int, ...]) -> None:
    for number in replicas:
        with LocalSet(tmp_path, number) as pets:
            urls = [pets.url(ordinal) for ordinal in range(number)]
            for url in urls:
                ask(url, "POST", b"value")
                ask(url)
            killed = pets.pids()["kubia-0"]
            os.kill(killed, signal.SIGKILL)
            _until_another_process_than(killed, pets)
            _until_all_are_good(urls)


def _until_another_process_than(killed: int, pets: LocalSet) -> None:
    until("kubia-0 to come back", lambda: pets.pids()["kubia-0"] != killed, SECONDS)


def _until_all_are_good(urls: list[str]) -> None:
    until("all to be good", lambda: all(map(_is_good, urls)), SECONDS)


def _is_good(url: str) -> bool:
    try:
        return verdict(url) == "good"
    except OSError:
        return False  # it is being started
