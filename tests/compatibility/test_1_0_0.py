"""Version 1.0.0, kept as its wheel: each reads what the other wrote, and both are peers."""

import http.client
import json
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.support.dns_server import SERVICE, NameServer, Zone
from tests.support.local_set import free_ports
from tests.support.pod import Pod, until

WHEEL = Path(__file__).with_name("kubia_pet-1.0.0-py3-none-any.whl")
VALUES = {
    "a sentence": b"Hey there!",
    "with line breaks": b"one\ntwo\r\n",
    "not UTF-8": bytes(range(256)),
    "empty": b"",
    "the largest": b"\xffx" * 2**19,
}
NONE_YET = 404


def old(data_dir: Path, *options: str, name: str = "kubia-0") -> Pod:
    """A pod of 1.0.0: the interpreter imports it from the wheel, as a wheel is a zip file."""
    program = (sys.executable, "-P", "-m", "kubia_pet")  # -P: not what is in this directory
    return Pod(data_dir, *options, name=name, program=program, env={"PYTHONPATH": str(WHEEL)})


def new(data_dir: Path, *options: str, name: str = "kubia-0") -> Pod:
    """A pod of this version."""
    return Pod(data_dir, *options, name=name)


def ask(pod: Pod, method: str = "GET", path: str = "/data", body: bytes | None = None) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection(urlsplit(pod.url).netloc, timeout=10)
    try:
        connection.request(method, path, body, {"Accept": "application/json" if path == "/" else "*/*"})
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def store(pod: Pod, value: bytes) -> None:
    assert ask(pod, "POST", "/", value)[0] == 200


def test_the_old_version_is_really_the_old_one(tmp_path: Path) -> None:
    with old(tmp_path / "data") as pod:
        assert "version 1.0.0" in pod.log.read_text()


@pytest.mark.parametrize("value", VALUES.values(), ids=VALUES)
def test_a_value_goes_from_old_to_new_and_back_and_again(tmp_path: Path, value: bytes) -> None:
    data = tmp_path / "data"
    with old(data) as pod:
        store(pod, value)
    with new(data) as pod:
        assert ask(pod) == (200, value)
        store(pod, b"new: " + value[:1000])
    with old(data) as pod:
        assert ask(pod) == (200, b"new: " + value[:1000])
        store(pod, value)
    with new(data) as pod:
        assert ask(pod) == (200, value)
        assert ask(pod, path="/readyz")[0] == 200


@pytest.mark.parametrize("end", [Pod.kill, Pod.terminate], ids=["killed", "ended"])
def test_it_does_not_matter_how_the_other_version_ended(tmp_path: Path, end: object) -> None:
    data = tmp_path / "data"
    for number, version in enumerate([old, new] * 3):
        pod = version(data).start()
        try:
            assert ask(pod) == (200, str(number - 1).encode()) if number else ask(pod)[0] == NONE_YET
            store(pod, str(number).encode())
        finally:
            assert callable(end)
            end(pod)


def test_a_value_removed_by_one_is_gone_for_the_other(tmp_path: Path) -> None:
    data = tmp_path / "data"
    for first, second in ((old, new), (new, old)):
        with first(data) as pod:
            store(pod, b"a value")
            ask(pod, "DELETE", "/")
        with second(data) as pod:
            assert ask(pod)[0] == NONE_YET


def test_a_write_that_the_old_version_did_not_finish_is_no_value(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with old(data) as pod:
        store(pod, b"acknowledged")
    (data / ".kubia.txt.tmp").write_bytes(b"half of a va")
    with new(data) as pod:
        assert ask(pod) == (200, b"acknowledged")
    assert not (data / ".kubia.txt.tmp").exists()


def test_a_volume_of_the_old_version_is_no_foreign_one(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with old(data) as pod:
        store(pod, b"a value")
    with new(data) as pod:
        verdict = json.loads(ask(pod, path="/ledger")[1])["verdict"]["verdict"]
        assert verdict in {"changed-outside", "unknown", "good"}
        assert ask(pod) == (200, b"a value")


@contextmanager
def side_by_side(directory: Path) -> Iterator[dict[str, Pod]]:
    """A set half-way through a roll-out: kubia-0 of 1.0.0, kubia-1 of this version, one name server."""
    first = free_ports(2)
    versions = {"kubia-0": old, "kubia-1": new}
    zone = Zone()
    for number, name in enumerate(versions):
        zone.add(name, first + number)
    with ExitStack() as stack:
        address, port = stack.enter_context(NameServer(zone)).address
        pods = {}
        for number, (name, version) in enumerate(versions.items()):
            options = (f"--service={SERVICE}", f"--nameserver={address}:{port}", f"--port={first + number}")
            pods[name] = stack.enter_context(version(directory / name, *options, name=name))
        yield pods


def test_pods_of_both_versions_show_each_others_values(tmp_path: Path) -> None:
    with side_by_side(tmp_path) as pods:
        for name, pod in pods.items():
            store(pod, f"of {name}".encode())
        for pod in pods.values():

            def listed(pod: Pod = pod) -> list[str]:
                return [peer.get("value", "") for peer in json.loads(ask(pod, path="/")[1])["peers"]]

            until("both to be listed", lambda: listed() == ["of kubia-0", "of kubia-1"], 15)
