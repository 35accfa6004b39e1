"""`kubia-pet probe` as a witness: of a healthy set, of killed pods, and of losses that are made to happen."""

import os
import re
import signal
import socket
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from functools import partial
from http import HTTPStatus
from pathlib import Path

import pytest

from tests.support.dns_server import SERVICE
from tests.support.local_set import LocalSet
from tests.support.pod import until
from tests.support.prefix_proxy import PrefixProxy
from tests.support.verdict import PROGRAM, PetSet, Probing, check

pytestmark = pytest.mark.timeout(120)
MARK = b"kubia-pet probe "
BAD = ("lost", "stale", "torn", "misdirected", "overwritten")


@pytest.fixture(scope="module")
def pets(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalSet]:
    with LocalSet(tmp_path_factory.mktemp("local")) as started:
        yield started


def request(method: str, url: str, data: bytes | None = None) -> bytes | None:
    """The answer's body; None for 404."""
    try:
        with urllib.request.urlopen(urllib.request.Request(url, data, method=method), timeout=10) as response:  # noqa: S310 - our own
            body: bytes = response.read()
            return body
    except urllib.error.HTTPError as error:
        if error.code == HTTPStatus.NOT_FOUND:
            return None
        raise


def value(url: str) -> bytes | None:
    return request("GET", f"{url}/data")


def number(url: str) -> int:
    """That of the probe's value which the pod has; 0 while it has none."""
    words = (value(url) or b"").split()
    return int(words[words.index(b"number") + 1]) if b"number" in words else 0


def another_process(pets: LocalSet, pid: int) -> bool:
    return pets.pids()["kubia-2"] != pid


def lists(url: str, pod: str) -> bool:
    return f"- {pod}.".encode() in (request("GET", url) or b"")


def probed(url: str, at_least: int = 1) -> None:
    """Waits until the pod has a probe's value with such a number."""
    until(f"a probe's value at {url}", lambda: number(url) >= at_least, 30)


# A healthy set


def test_a_healthy_set_keeps_everything_and_gets_its_values_back(pets: LocalSet) -> None:
    request("POST", pets.url(0), b"\xff\x00 any bytes")
    with Probing(pets.public_url) as probe:
        for url in map(pets.url, range(3)):
            probed(url, 20)
        seen = probe.end()
    assert (probe.exit, seen["verdict"], seen["unverified"], seen["notes"]) == (0, "kept", [], [])
    assert set(seen["pods"]) == {"kubia-0", "kubia-1", "kubia-2"}
    assert all(counts["acknowledged"] > 5 and counts["reads"] > 10 for counts in seen["pods"].values())
    assert {word: seen["total"][word] for word in BAD} == dict.fromkeys(BAD, 0)
    assert [value(pets.url(ordinal)) for ordinal in range(3)] == [b"\xff\x00 any bytes", None, None]


def test_through_the_public_service_every_pod_is_written_to_and_gets_its_value_back(pets: LocalSet) -> None:
    request("POST", pets.url(1), b"before")
    with Probing(pets.public_url, "--through=public") as probe:
        for url in map(pets.url, range(3)):
            probed(url, 10)
        seen = probe.end()
    assert (probe.exit, seen["through"]) == (0, "public")
    assert all(counts["acknowledged"] for counts in seen["pods"].values())
    assert value(pets.url(1)) == b"before"
    assert value(pets.url(2)) is None


def test_it_ends_by_itself_and_its_table_has_a_line_for_each_pod_and_for_all(pets: LocalSet) -> None:
    done = subprocess.run(
        [*PROGRAM, "probe", pets.public_url, "--for=1s"],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    lines = done.stdout.splitlines()
    assert [line.split()[0] for line in lines[:5]] == ["pod", "kubia-0", "kubia-1", "kubia-2", "all"]
    assert lines[-1].endswith("nothing acknowledged was lost.")
    assert "\x1b" not in done.stdout


def test_prometheus_sees_the_account(pets: LocalSet) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with Probing(pets.public_url, f"--metrics-port={port}") as probe:
        probed(pets.url(0), 20)
        text = (request("GET", f"http://127.0.0.1:{port}/metrics") or b"").decode()
        probe.end()
    assert "# TYPE kubia_pet_probe_acknowledged_total counter" in text
    assert 'kubia_pet_probe_lost_total{pod="kubia-0"} 0.0' in text
    assert 'kubia_pet_probe_longest_without_answer_seconds{pod="kubia-0"}' in text


def test_a_port_that_is_taken_is_told_before_anything_is_written(pets: LocalSet) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = subprocess.run(
            [*PROGRAM, "probe", pets.public_url, f"--metrics-port={port}"],
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 2
    assert done.stderr == f"Error: Port {port} cannot be used for metrics: Address already in use.\n"


# What others do meanwhile


def test_a_killed_pod_loses_nothing_that_it_acknowledged(pets: LocalSet) -> None:
    request("POST", pets.url(2), b"before")
    with Probing(pets.public_url) as probe:
        for turn in range(1, 4):
            probed(pets.url(2), number(pets.url(2)) + 30)
            pid = pets.pids()["kubia-2"]
            os.kill(pid, signal.SIGKILL)
            until(f"start {turn} of kubia-2", partial(another_process, pets, pid))
            until("kubia-2 to serve", lambda: pets.serves(2), 20)
        seen = probe.end()
    for url in map(pets.url, range(3)):  # whom the tests to come begin with
        until(f"kubia-2 in the list of {url}", partial(lists, url, "kubia-2"), 20)
    assert (probe.exit, seen["total"]["lost"], seen["total"]["torn"], seen["total"]["stale"]) == (0, 0, 0, 0)
    killed = seen["pods"]["kubia-2"]
    assert killed["refused"] + killed["unknown"] > 0
    assert killed["longest_without_answer"] > seen["pods"]["kubia-0"]["longest_without_answer"]
    assert value(pets.url(2)) == b"before"


def test_a_pod_that_comes_back_at_another_address_is_found_again(tmp_path: Path) -> None:
    with PetSet(tmp_path, replicas=2) as pets:
        with Probing(pets.pods[0].url) as probe:
            for pod in pets.pods:
                probed(pod.url, 10)
            before, moved = pets.pods[1].url, pets.replace(1)
            assert moved.url != before
            probed(moved.url, number(moved.url) + 30)
            seen = probe.end()
        assert (probe.exit, seen["unverified"], seen["notes"]) == (0, [], [])
        assert value(moved.url) is None


def test_somebody_elses_value_is_no_loss_and_is_what_is_put_back(pets: LocalSet) -> None:
    with Probing(pets.public_url) as probe:
        probed(pets.url(0), 10)
        request("POST", pets.url(0), b"mine")
        probed(pets.url(0), 30)
        seen = probe.end()
    assert (probe.exit, seen["pods"]["kubia-0"]["lost"]) == (0, 0)
    assert seen["pods"]["kubia-0"]["overwritten"] == 1
    assert value(pets.url(0)) == b"mine"


def test_a_second_run_leaves_alone_what_the_first_one_holds_and_says_what_to_do(pets: LocalSet) -> None:
    request("POST", pets.url(0), b"before")
    before = [value(pets.url(ordinal)) for ordinal in range(3)]
    with Probing(pets.public_url) as probe:
        for url in map(pets.url, range(3)):
            probed(url)
        second = subprocess.run(
            [*PROGRAM, "probe", pets.public_url, "--for=1s"], capture_output=True, text=True, check=False
        )
        verdict = check(pets.public_url)
        seen = probe.end()
    assert (second.returncode, second.stdout) == (3, "")
    assert re.match(r"Error: kubia-\d has the value of another check or probe: let that one", second.stderr)
    assert (verdict.exit, verdict.statuses["volume.writable"]) == (0, "skipped"), verdict.members
    assert "let that one end first" in verdict.evidence("volume.writable")
    assert (probe.exit, seen["total"]["overwritten"]) == (0, 0)
    assert [value(pets.url(ordinal)) for ordinal in range(3)] == before


# Losses


@pytest.mark.parametrize("gone", [True, False], ids=["removed", "put back"])
def test_a_value_that_is_gone_or_an_old_one_is_a_loss(pets: LocalSet, *, gone: bool) -> None:
    file = pets.data_dir / "data-kubia-1" / "kubia.txt"
    with Probing(pets.public_url) as probe:
        probed(pets.url(1), 10)
        old = file.read_bytes()
        probed(pets.url(1), number(pets.url(1)) + 60)
        if gone:
            file.unlink()
        else:
            file.write_bytes(old)
        probed(pets.url(1), number(pets.url(0)))
        seen = probe.end()
    assert (probe.exit, seen["verdict"]) == (1, "lost")
    assert seen["pods"]["kubia-1"]["lost"] > 5
    assert seen["pods"]["kubia-0"]["lost"] == 0
    assert MARK not in (value(pets.url(1)) or b"")


def test_a_torn_value_is_seen(pets: LocalSet) -> None:
    file = pets.data_dir / "data-kubia-1" / "kubia.txt"
    with Probing(pets.public_url) as probe:
        probed(pets.url(1), 10)
        file.write_bytes(file.read_bytes()[:-3])
        probed(pets.url(1), number(pets.url(0)))
        seen = probe.end()
    assert probe.exit == 1
    assert seen["pods"]["kubia-1"]["torn"] > 0


def test_a_disk_that_forgets_is_caught(tmp_path: Path) -> None:
    with PetSet(tmp_path, "--faults", replicas=2) as pets:
        first, second = (pod.url for pod in pets.pods)
        with Probing(*pets.inside) as probe:
            probed(second, 20)
            request("PUT", f"{second}/faults/forget?for=60s")
            probed(second, number(second) + 60)
            request("DELETE", f"{second}/faults/forget")
            probed(second, number(first))
            seen = probe.end()
    assert (probe.exit, seen["verdict"]) == (1, "lost")
    assert seen["pods"]["kubia-1"]["lost"] > 5
    assert seen["pods"]["kubia-0"]["lost"] == 0


# Where it stands


def test_where_only_the_service_can_be_reached_everything_goes_through_it(tmp_path: Path) -> None:
    with PetSet(tmp_path, replicas=1) as pets:
        (pod,) = pets.pods
        request("POST", pod.url, b"before")
        pets.zone.add("kubia-0", pets.port(pod), "192.0.2.1")  # TEST-NET-1: nobody
        pets.zone.add("kubia-1", 8080, "192.0.2.2")
        with Probing(pod.url) as probe:
            probed(pod.url, 10)
            seen = probe.end()
        assert (probe.exit, seen["through"]) == (0, "public")
        assert seen["pods"]["kubia-0"]["acknowledged"] > 5
        assert value(pod.url) == b"before"


def test_a_balancer_that_chooses_for_each_request_gives_each_pod_its_own_value_back(tmp_path: Path) -> None:
    with PetSet(tmp_path, replicas=2) as pets:
        urls = [pod.url for pod in pets.pods]
        for number, pod in enumerate(pets.pods):
            pets.zone.add(pod.name, pets.port(pod), f"192.0.2.{number + 1}")  # TEST-NET-1: nobody
            request("POST", pod.url, pod.name.encode())
        with PrefixProxy(urls[0], "/any", *urls[1:]) as service, Probing(service.url) as probe:
            for url in urls:
                probed(url)
            for pod in pets.pods:  # now they reach each other, if nobody else
                pets.zone.add(pod.name, pets.port(pod))
            for url in urls:
                probed(url, 100)
            seen = probe.end()
        assert (probe.exit, seen["through"], seen["notes"]) == (0, "public", [])
        assert [value(url) for url in urls] == [b"kubia-0", b"kubia-1"]


def test_a_pod_that_the_dns_does_not_name_yet_gets_its_value_back_too(tmp_path: Path) -> None:
    with PetSet(tmp_path, replicas=2) as pets:
        first, other = pets.pods
        for pod in pets.pods:
            request("POST", pod.url, pod.name.encode())
        named = pets.zone.pods.pop(f"{other.name}.{SERVICE}")
        with (
            PrefixProxy(first.url, "/any", other.url) as service,
            Probing(*pets.inside, f"--public={service.url}", "--through=public") as probe,
        ):
            for pod in pets.pods:
                probed(pod.url)
            pets.zone.pods[f"{other.name}.{SERVICE}"] = named
            for pod in pets.pods:
                probed(pod.url, 100)
            seen = probe.end()
        assert (probe.exit, seen["unverified"], seen["notes"]) == (0, [], [])
        assert [value(pod.url) for pod in pets.pods] == [b"kubia-0", b"kubia-1"]


def test_where_only_the_service_can_be_reached_the_end_is_judged_too(tmp_path: Path) -> None:
    with PetSet(tmp_path, replicas=1) as pets:
        (pod,) = pets.pods
        pets.zone.add("kubia-0", pets.port(pod), "192.0.2.1")
        pets.zone.add("kubia-1", 8080, "192.0.2.2")
        with Probing(pod.url) as probe:
            probed(pod.url, 10)
            pod.process.send_signal(signal.SIGSTOP)
            probe.process.send_signal(signal.SIGINT)
            pod.process.send_signal(signal.SIGKILL)
            (pod.data_dir / "kubia.txt").unlink()
            seen = probe.wait()
        assert (probe.exit, seen["unverified"]) == (3, ["kubia-0"])


def test_where_no_pod_is_known_there_is_no_verdict(tmp_path: Path) -> None:
    with PetSet(tmp_path, replicas=1) as pets:
        wrong = ("--service=wrong.default.svc.cluster.local", f"--nameserver={pets.nameserver}")
        done = subprocess.run(
            [*PROGRAM, "probe", *wrong, f"--public={pets.pods[0].url}", "--for=1s"],
            env=os.environ | {"KUBIAPET_PORT": "1"},
            capture_output=True,
            text=True,
            check=False,
        )
    assert (done.returncode, done.stderr[:27]) == (3, "Error: No pod is known: DNS"), done.stderr


def test_without_the_token_nothing_is_written(tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("open-sesame\n")
    with PetSet(tmp_path, f"--token-file={token}", replicas=1) as pets:
        done = subprocess.run(
            [*PROGRAM, "probe", pets.pods[0].url], capture_output=True, text=True, check=False, timeout=60
        )
        assert done.returncode == 3
        assert done.stderr == "Error: Writing needs a token: give its file with --token-file.\n"
        with Probing(pets.pods[0].url, f"--token-file={token}") as probe:
            probed(pets.pods[0].url, 5)
            probe.end()
        assert probe.exit == 0


@pytest.mark.parametrize("hidden", [False, True], ids=["by itself", "through the service"])
def test_a_value_that_its_pod_takes_no_more_is_not_written_over(tmp_path: Path, *, hidden: bool) -> None:
    with PetSet(tmp_path, "--max-value=100000", replicas=1) as pets:
        (pod,) = pets.pods
        file = pod.data_dir / "kubia.txt"
        file.write_bytes(b"x" * 5_000_000)
        if hidden:
            pets.zone.add("kubia-0", pets.port(pod), "192.0.2.1")  # TEST-NET-1: nobody
            pets.zone.add("kubia-1", 8080, "192.0.2.2")
        done = subprocess.run(
            [*PROGRAM, "probe", pod.url], capture_output=True, text=True, check=False, timeout=60
        )
        assert done.returncode == 3
        assert done.stderr == "Error: A pod has a value over its --max-value, which could not be put back.\n"
        assert file.read_bytes() == b"x" * 5_000_000
