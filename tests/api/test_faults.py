"""Faults set over HTTP on real pods: what each does, that it is seen, and that it ends."""

import concurrent.futures
import contextlib
import re
import signal
import socket
import struct
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from kubia_pet.model.fault import DESCRIPTIONS, Fault
from tests.support.dns_server import SERVICE, NameServer, Zone
from tests.support.local_set import LocalSet
from tests.support.pod import Pod, until

NEW = "a new value"
OLD = "the old value"
PEER = {"User-Agent": "kubia-pet/0"}
TIMEOUT = 10


@pytest.fixture
def pod(tmp_path: Path) -> Iterator[Pod]:
    with Pod(tmp_path / "data", "--faults", "--volume-timeout=1s") as started:
        post(started, OLD)
        yield started


def get(pod: Pod, path: str = "/data", **header: str) -> requests.Response:
    return requests.get(pod.url + path, headers=header, timeout=TIMEOUT)


def post(pod: Pod, value: str) -> requests.Response:
    return requests.post(pod.url, data=value, timeout=TIMEOUT)


def set_fault(pod: Pod, fault: str, seconds: str = "60s") -> requests.Response:
    return requests.put(f"{pod.url}/faults/{fault}", params={"for": seconds}, timeout=TIMEOUT)


def end(pod: Pod, fault: str = "") -> requests.Response:
    return requests.delete(f"{pod.url}/faults/{fault}".rstrip("/"), timeout=TIMEOUT)


def active(pod: Pod) -> list[str]:
    return [each["name"] for each in get(pod, "/faults").json()["active"]]


def test_without_the_option_there_are_no_faults(tmp_path: Path) -> None:
    with Pod(tmp_path / "data") as pod:
        assert get(pod, "/faults").status_code == 404
        for fault in Fault:
            assert set_fault(pod, fault).status_code == 404
        assert pod.process.poll() is None
        assert get(pod, "/readyz").ok
        assert "/faults" not in get(pod, "/openapi.json").json()["paths"]
        assert "kubia_pet_fault" not in get(pod, "/metrics").text


def test_faults_are_listed_with_what_they_do(pod: Pod) -> None:
    shown = get(pod, "/faults").json()
    assert shown["active"] == []
    assert {each["name"]: each["does"] for each in shown["available"]} == dict(DESCRIPTIONS)


def test_a_fault_ends_by_itself_and_both_are_logged(pod: Pod) -> None:
    shown = set_fault(pod, "not-ready", "300ms").json()
    assert [each["name"] for each in shown["active"]] == ["not-ready"]
    assert 0 <= shown["active"][0]["seconds_left"] <= 0.3
    until("the fault's end", lambda: get(pod, "/readyz").ok)
    assert active(pod) == []
    until("its line", lambda: "The fault not-ready has ended" in pod.log.read_text())
    assert "The fault not-ready was set for 0.3 s by 127.0.0.1: " in pod.log.read_text()


def test_who_ends_a_fault_is_logged(pod: Pod) -> None:
    set_fault(pod, "slow")
    end(pod, "slow")
    set_fault(pod, "not-ready")
    end(pod)
    lines = [f"The fault {fault} was ended by 127.0.0.1\n" for fault in ("slow", "not-ready")]
    until("their lines", lambda: all(line in pod.log.read_text() for line in lines))


def test_a_fault_that_is_set_again_lasts_as_long_as_was_said_last(pod: Pod) -> None:
    set_fault(pod, "slow", "300ms")
    left = set_fault(pod, "slow", "9m").json()["active"][0]["seconds_left"]
    assert 500 < left <= 540
    assert end(pod).json()["active"] == []


@pytest.mark.parametrize("seconds", ["0s", "11m", "soon", "-1s", ""])
def test_a_time_that_is_none_or_too_long_sets_nothing(seconds: str, pod: Pod) -> None:
    refused = set_fault(pod, "slow", seconds)
    assert refused.status_code == 400
    assert "up to 10m" in refused.text
    assert active(pod) == []


def test_an_unknown_fault_is_told_which_there_are(pod: Pod) -> None:
    refused = set_fault(pod, "earthquake")
    assert refused.status_code == 404
    assert "disk-full" in refused.text


def test_a_page_of_another_site_sets_no_fault(pod: Pod) -> None:
    refused = requests.put(
        f"{pod.url}/faults/slow", headers={"Sec-Fetch-Site": "cross-site"}, timeout=TIMEOUT
    )
    assert refused.status_code == 403


@pytest.mark.parametrize(
    ("fault", "probe", "other"),
    [("not-ready", "/readyz", "/healthz"), ("not-alive", "/healthz", "/readyz")],
)
def test_a_probe_fails_and_the_other_one_does_not(fault: str, probe: str, other: str, pod: Pod) -> None:
    set_fault(pod, fault)
    failed = get(pod, probe)
    assert failed.status_code == 503
    assert failed.headers["Kubia-Pet-Fault"] == fault
    assert get(pod, other).ok
    assert get(pod).text == OLD
    end(pod, fault)
    assert get(pod, probe).ok


@pytest.mark.parametrize(
    ("fault", "status", "reads"),
    [
        ("disk-full", 507, 200),
        ("disk-read-only", 503, 200),
        ("disk-error", 503, 503),
        ("disk-slow", 503, 503),
    ],
)
def test_a_disk_fails_the_old_value_stands_and_the_pod_is_not_ready(
    fault: str, status: int, reads: int, pod: Pod
) -> None:
    set_fault(pod, fault)
    refused = post(pod, NEW)
    assert (refused.status_code, refused.headers["Kubia-Pet-Fault"]) == (status, fault)
    read = get(pod)
    assert (read.status_code, "Kubia-Pet-Fault" in read.headers) == (reads, reads != 200)
    until("it to be not ready", lambda: not get(pod, "/readyz").ok)
    assert get(pod, "/healthz").ok
    end(pod, fault)
    until("it to be ready", lambda: get(pod, "/readyz").ok)
    late = "may still take effect" in refused.text
    assert get(pod).text in ([OLD, NEW] if late else [OLD])
    assert post(pod, NEW).ok


def test_a_lying_disk_acknowledges_and_serves_what_it_never_wrote(pod: Pod) -> None:
    set_fault(pod, "forget")
    stored = post(pod, NEW)
    assert stored.ok
    assert stored.headers["Kubia-Pet-Fault"] == "forget"
    assert get(pod).text == NEW
    assert get(pod, "/readyz").ok
    assert (pod.data_dir / "kubia.txt").read_text() == OLD
    end(pod, "forget")
    assert get(pod).text == OLD


def test_a_lying_disk_has_forgotten_when_its_pod_ends(pod: Pod) -> None:
    set_fault(pod, "forget")
    post(pod, NEW)
    pod.kill()
    with pod:
        assert get(pod).text == OLD


def test_a_repeated_request_meets_the_fault_too(pod: Pod) -> None:
    with requests.Session() as session:
        for _ in range(3):
            assert session.get(f"{pod.url}/data", timeout=TIMEOUT).status_code == 200
        set_fault(pod, "disk-error")
        failed = session.get(f"{pod.url}/data", timeout=TIMEOUT)
        assert (failed.status_code, failed.headers["Kubia-Pet-Fault"]) == (503, "disk-error")


@pytest.mark.parametrize(("method", "path"), [("GET", "/data"), ("POST", "/")])
def test_a_repeated_request_meets_the_end_of_the_fault_too(method: str, path: str, pod: Pod) -> None:
    with requests.Session() as session:

        def named() -> str | None:
            answer = session.request(method, pod.url + path, data=OLD * (method == "POST"), timeout=TIMEOUT)
            assert answer.status_code == 200
            return answer.headers.get("Kubia-Pet-Fault")

        until("a new second", lambda: time.time() % 1 < 0.1)  # in which answers are given again
        assert named() is None
        set_fault(pod, "forget")
        assert named() == "forget"
        end(pod)
        assert named() is None


def test_a_pod_that_is_not_ready_on_purpose_does_not_miss_itself_in_dns(tmp_path: Path) -> None:
    hurried = (
        "from kubia_pet import limits; limits.NOBODY_GRACE = limits.NOBODY_INTERVAL = 0.2; "
        "from kubia_pet.cli import main; main()"
    )
    with NameServer(Zone()) as names:
        options = ("--faults", f"--service={SERVICE}", "--nameserver={}:{}".format(*names.address))
        with Pod(tmp_path / "data", *options, program=(sys.executable, "-c", hurried)) as pod:
            sentence = "though this one is ready"
            until("it to miss itself", lambda: sentence in get(pod, "/peers").text)
            set_fault(pod, "not-ready")
            until("it to know why", lambda: sentence not in get(pod, "/peers").text)


def test_a_crash_says_nothing_to_its_client_and_has_the_status_of_a_kill(pod: Pod) -> None:
    with pytest.raises(requests.ConnectionError):
        set_fault(pod, "crash")
    assert pod.process.wait(TIMEOUT) == 137
    assert "The fault crash was set" in pod.log.read_text()
    with pod:
        assert get(pod).text == OLD


def test_a_pod_that_hangs_answers_no_probe_and_goes_on_afterwards(pod: Pod) -> None:
    assert set_fault(pod, "hang", "2s").ok
    until("it to hang", lambda: not answers(pod))
    until("it to go on", lambda: answers(pod))
    assert get(pod).text == OLD


def test_a_pod_that_is_told_twice_to_hang_hangs_until_the_later_end(pod: Pod) -> None:
    began = time.monotonic()
    with concurrent.futures.ThreadPoolExecutor() as clients:
        told = list(clients.map(lambda _: set_fault(pod, "hang", "2s"), range(8)))
    assert all(each.ok for each in told)
    until("it to hang", lambda: not answers(pod))
    until("it to go on", lambda: answers(pod))
    assert 2 <= time.monotonic() - began < 4


def test_a_fault_that_is_ended_before_the_pod_hangs_lets_it_go_on(pod: Pod) -> None:
    host, port = pod.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), TIMEOUT) as connection:
        for method in ("PUT", "DELETE"):
            connection.sendall(f"{method} /faults/hang HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
        answered = b""
        while answered.count(b"HTTP/1.1 200") < 2:
            answered += connection.recv(1 << 16)
    deadline = time.monotonic() + 0.5
    while time.monotonic() < deadline:
        assert answers(pod)


def answers(pod: Pod) -> bool:
    host, port = pod.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), 1) as connection:
        connection.settimeout(0.3)
        connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n")
        try:
            return bool(connection.recv(1))
        except TimeoutError:
            return False


def test_sigterm_is_ignored_until_the_fault_ends(pod: Pod) -> None:
    set_fault(pod, "ignore-sigterm")
    pod.process.send_signal(signal.SIGTERM)
    until("it to say so", lambda: "makes this pod ignore" in pod.log.read_text())
    assert get(pod, "/readyz").ok
    end(pod, "ignore-sigterm")
    assert pod.terminate() == 0


def test_faults_are_a_metric(pod: Pod) -> None:
    set_fault(pod, "slow")
    shown = dict(
        re.findall(r'^kubia_pet_fault\{fault="([a-z-]+)"\} (\d)', get(pod, "/metrics").text, re.MULTILINE)
    )
    assert {name for name, value in shown.items() if value.startswith("1")} == {"slow"}
    assert set(shown) == set(Fault)


@pytest.mark.parametrize("fault", ["slow", "unreachable"])
def test_peers_say_that_it_does_not_answer_and_clients_see_nothing(fault: str, tmp_path: Path) -> None:
    with LocalSet(tmp_path, 2, "--faults") as local:
        url = local.url(1)
        for ordinal in (0, 1):
            requests.post(local.url(ordinal), data=OLD, timeout=TIMEOUT)
        requests.put(f"{url}/faults/{fault}", params={"for": "60s"}, timeout=TIMEOUT)
        assert requests.get(f"{url}/data", timeout=1).text == OLD
        line = r"^! kubia-1\S+: no answer within 1 s"
        until(
            "the line",
            lambda: re.search(line, requests.get(local.url(0), timeout=TIMEOUT).text, re.MULTILINE),
        )
        requests.delete(f"{url}/faults", timeout=TIMEOUT)
        until(
            "it to be back",
            lambda: (
                f"- kubia-1.kubia.default.svc.cluster.local: {OLD}"
                in requests.get(local.url(0), timeout=TIMEOUT).text
            ),
        )


@pytest.mark.parametrize("path", ["/", "/data", "/ledger", "/ledger/peers/kubia-1"])
@pytest.mark.parametrize("fault", ["slow", "unreachable"])
def test_nothing_that_peers_ask_is_answered_before_the_fault_ends(fault: str, path: str, pod: Pod) -> None:
    set_fault(pod, fault)
    with concurrent.futures.ThreadPoolExecutor() as peers:
        asked = peers.submit(get, pod, path, **PEER)
        with pytest.raises(TimeoutError):
            asked.result(1)
        ended = time.monotonic()
        end(pod)
        answer = asked.result(TIMEOUT)
    assert time.monotonic() - ended < 1
    assert answer.status_code != 503
    assert get(pod, path, **PEER).status_code == answer.status_code


def test_a_peer_that_has_left_keeps_nothing_waiting(pod: Pod) -> None:
    set_fault(pod, "unreachable")
    host, port = pod.url.removeprefix("http://").split(":")
    for _ in range(3):
        with socket.create_connection((host, int(port)), 0.2) as peer:
            peer.sendall(b"GET /data HTTP/1.1\r\nHost: a\r\nUser-Agent: kubia-pet/0\r\n\r\n")
            with pytest.raises(TimeoutError):
                peer.recv(1)
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # a reset follows
    counted = r'^kubia_pet_request_seconds_count\{method="GET",route="/data",status="503"\} 3'
    until("the end of all", lambda: re.search(counted, get(pod, "/metrics").text, re.MULTILINE))


@pytest.mark.parametrize("fault", ["not-alive", "hang", "crash"])
def test_the_local_set_restarts_it_with_its_name_and_value(fault: str, tmp_path: Path) -> None:
    with LocalSet(tmp_path, 1, "--faults") as local:
        before = local.pids()["kubia-0"]
        requests.post(local.url(0), data=OLD, timeout=TIMEOUT)
        with contextlib.suppress(requests.ConnectionError):
            requests.put(f"{local.url(0)}/faults/{fault}", params={"for": "60s"}, timeout=TIMEOUT)
        until("another process", lambda: local.pids()["kubia-0"] != before, 20)
        until("its value", lambda: value_at(local.url(0)) == OLD, 20)


def value_at(url: str) -> str | None:
    try:
        return requests.get(f"{url}/data", timeout=TIMEOUT).text
    except requests.ConnectionError:
        return None
