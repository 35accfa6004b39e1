"""`kubia-pet check` against a local set, as the README says it."""

import json
import os
import pty
import re
import signal
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from xml.etree.ElementTree import fromstring

import pytest

from kubia_pet.check.checks import checks
from kubia_pet.check.runner import Progress, run
from kubia_pet.check.scene import Scene
from kubia_pet.local.proxy import PublicService
from kubia_pet.reach.way import Way
from kubia_pet.reach.ways import reach
from tests.support.local_set import LocalSet, free_ports
from tests.support.pod import Pod, until
from tests.support.prefix_proxy import PrefixProxy
from tests.support.verdict import PROGRAM, PetSet, check

pytestmark = pytest.mark.timeout(120)
MARK = b"kubia-pet check "


@pytest.fixture(scope="module")
def pets(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalSet]:
    with LocalSet(tmp_path_factory.mktemp("local")) as started:
        yield started


def request(method: str, url: str, data: bytes | None = None) -> bytes:
    with urllib.request.urlopen(urllib.request.Request(url, data, method=method), timeout=10) as response:  # noqa: S310 - our own
        body: bytes = response.read()
        return body


def stored(directory: Path) -> dict[str, bytes]:
    """The values on the volumes of a local set."""
    return {each.parent.name: each.read_bytes() for each in sorted(directory.glob("data-*/kubia.txt"))}


# Well


def test_a_healthy_local_set_passes_and_is_left_as_it_was(pets: LocalSet) -> None:
    request("POST", pets.url(0), b"\xff\x00 any bytes")
    before = stored(pets.data_dir)
    began = time.monotonic()
    verdict = check(pets.public_url)
    assert verdict.exit == 0
    assert set(verdict.statuses.values()) <= {"passed", "skipped"}, verdict.members
    assert verdict.statuses["durable"] == verdict.statuses["public"] == "passed"
    assert time.monotonic() - began < 30, "under load; alone it takes three seconds"
    assert stored(pets.data_dir) == before == {"data-kubia-0": b"\xff\x00 any bytes"}


def test_the_name_server_of_a_local_set_can_be_asked_too(pets: LocalSet) -> None:
    verdict = check(pets.public_url, f"--nameserver=127.0.0.1:{pets.nameserver_port}")
    assert {status for id_, status in verdict.statuses.items() if id_.startswith("dns.")} == {"passed"}
    assert "A and SRV records name" in verdict.evidence("dns.srv")


def test_a_pods_own_address_leads_to_the_set_but_says_nothing_of_the_public_service(pets: LocalSet) -> None:
    verdict = check(pets.url(1))
    assert verdict.exit == 0
    assert verdict.statuses["public"] == "skipped"
    assert "3 values were read back exactly, each in 3 lists." in verdict.evidence("durable")


# Its ends


@pytest.mark.parametrize("output", ["table", "json", "junit"])
def test_whoever_reads_no_more_of_it_gets_the_same_status(pets: LocalSet, output: str) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with subprocess.Popen(
        [*PROGRAM, "check", pets.public_url, f"--output={output}"], stdout=writing, stderr=subprocess.PIPE
    ) as running:
        os.close(writing)
        _, said = running.communicate(timeout=50)
    assert (running.returncode, said) == (0, b"")


def test_values_are_put_back_on_each_signal_that_ends_it(pets: LocalSet) -> None:
    request("POST", pets.url(2), b"before")
    before = stored(pets.data_dir)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        running = subprocess.Popen(
            [*PROGRAM, "check", pets.public_url], stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        until("the check to write", lambda: any(MARK in each for each in stored(pets.data_dir).values()), 30)
        running.send_signal(number)
        printed, said = running.communicate(timeout=30)
        if running.returncode == 128 + number:  # not when it had just come to its end
            assert "Interrupted: everything is as it was" in said
            assert "identity passed kubia-0" in said, "what was judged so far"
        else:
            assert running.returncode == 0, said + printed
        assert stored(pets.data_dir) == before


def test_a_value_that_somebody_writes_meanwhile_stays(pets: LocalSet) -> None:
    running = subprocess.Popen([*PROGRAM, "check", pets.public_url], stdout=subprocess.DEVNULL)
    until("the check to write", lambda: MARK in stored(pets.data_dir).get("data-kubia-1", b""), 30)
    request("POST", pets.url(1), b"mine")
    assert running.wait(60) == 0, "that is no loss"
    assert request("GET", f"{pets.url(1)}/data") == b"mine"


def test_where_only_the_service_can_be_reached_nothing_is_written_and_the_reason_is_said(
    tmp_path: Path,
) -> None:
    with PetSet(tmp_path, replicas=2) as pets:
        urls = [pod.url for pod in pets.pods]
        for number, pod in enumerate(pets.pods):
            pets.zone.add(pod.name, pets.port(pod), f"192.0.2.{number + 1}")  # TEST-NET-1: nobody
        with PrefixProxy(urls[0], "/any", *urls[1:]) as service:
            verdict = check(service.url, "--replicas=2")
        assert verdict.statuses["identity"] != "failed", verdict.evidence("identity")
        for id_ in ("dns.srv", "public", "volume.writable", "durable"):
            assert verdict.statuses[id_] == "skipped", verdict.members
        assert "cannot be reached from here" in verdict.evidence("volume.writable")
        assert not any((pod.data_dir / "kubia.txt").exists() for pod in pets.pods)


async def test_a_service_that_had_one_pod_when_the_check_began_is_that_pod_to_its_end(tmp_path: Path) -> None:
    with PetSet(tmp_path, replicas=2) as pets:
        places = {pod.name: ("127.0.0.1", pets.port(pod)) for pod in pets.pods}
        later = pets.zone.pods.popitem()
        behind, port = {"kubia-0": places["kubia-0"]}, free_ports(1)
        async with (
            PublicService(behind, "127.0.0.1", port),
            reach(Way(url=f"http://127.0.0.1:{port}")) as target,
        ):
            behind |= places
            pets.zone.pods |= [later]
            report = await run(checks(target), Scene(target), Progress())
        found = {each.id: each.finding for each in report.results}
        assert report.exit == 0, [(id_, finding) for id_, finding in found.items() if finding.cause]
        assert found["durable"].status == "passed"
        assert report.notes == ()
        assert not any((pod.data_dir / "kubia.txt").exists() for pod in pets.pods)


def test_nobody_at_the_url_is_no_verdict() -> None:
    done = subprocess.run(
        [*PROGRAM, "check", "http://127.0.0.1:9"], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr.startswith("Error: http://127.0.0.1:9/ takes no connection")


# Where it may not write


def test_without_the_token_nothing_is_written_and_the_reason_is_said(tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("open-sesame\n")
    with PetSet(tmp_path, f"--token-file={token}", replicas=2) as pets:
        request("GET", f"{pets.pods[0].url}/readyz")
        verdict = check(pets.pods[0].url)
        assert (verdict.exit, verdict.statuses["durable"]) == (0, "skipped")
        assert "--token-file" in verdict.evidence("volume.writable")
        verdict = check(pets.pods[0].url, f"--token-file={token}")
        assert verdict.statuses["volume.writable"] == verdict.statuses["durable"] == "passed"


def test_a_value_that_its_pod_takes_no_more_is_not_written_over(tmp_path: Path) -> None:
    with PetSet(tmp_path, "--max-value=100000", replicas=2) as pets:
        file = pets.pods[1].data_dir / "kubia.txt"
        file.write_bytes(b"x" * 5_000_000)
        verdict = check(pets.pods[0].url)
        assert verdict.statuses["volume.writable"] == "skipped"
        assert "--max-value" in verdict.evidence("volume.writable")
        assert file.read_bytes() == b"x" * 5_000_000


# Output


def test_the_junit_document_has_every_check(pets: LocalSet) -> None:
    done = subprocess.run(
        [*PROGRAM, "check", pets.public_url, "--output=junit"], capture_output=True, text=True, check=False
    )
    (suite,) = fromstring(done.stdout)  # noqa: S314 - our own
    assert suite.get("tests") == "13"
    assert (done.returncode, suite.get("failures")) == (0, "0")


def in_terminal(*command: str, env: dict[str, str]) -> str:
    """All that a program prints where its output is a terminal."""
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        command, stdout=theirs, stderr=theirs, env=os.environ | {"TERM": "xterm"} | env
    ) as process:
        os.close(theirs)
        printed = b""
        while True:
            try:
                piece = os.read(ours, 4096)
            except OSError:  # EIO: the last one that wrote to it has ended
                break
            printed += piece
        os.close(ours)
        assert process.wait(60) == 0
    return printed.decode()


def test_a_terminal_sees_the_table_grow_in_colours_and_without_them_where_that_is_wanted(
    pets: LocalSet,
) -> None:
    command = (*PROGRAM, "check", pets.public_url)
    colourful = in_terminal(*command, env={})
    assert "\x1b[32mpassed" in colourful
    assert len(re.findall("identity", colourful)) > 1, "it is drawn more than once"
    plain = in_terminal(*command, env={"NO_COLOR": "1"})
    assert "\x1b[32m" not in plain
    assert "passed" in plain


def test_without_a_terminal_there_is_one_plain_line_for_each_check(pets: LocalSet) -> None:
    done = subprocess.run([*PROGRAM, "check", pets.public_url], capture_output=True, text=True, check=True)
    assert "\x1b" not in done.stdout
    assert done.stderr == ""
    assert len(re.findall(r"^[a-z.]+ +(passed|skipped) ", done.stdout, re.MULTILINE)) == 13


def test_colours_that_are_forced_make_no_log_a_terminal(pets: LocalSet) -> None:
    done = subprocess.run(
        [*PROGRAM, "check", pets.public_url],
        capture_output=True,
        text=True,
        check=True,
        env=os.environ | {"FORCE_COLOR": "1"},
    )
    assert "\x1b[32mpassed" in done.stdout
    assert done.stderr == "", "nothing is redrawn"


# One pod alone


def test_a_pod_outside_of_any_set_is_told_so(pod: Pod) -> None:
    verdict = check(pod.url)
    assert (verdict.exit, verdict.cause) == (1, "no-service-name")
    assert verdict.statuses["durable"] == "passed"
    assert json.dumps(verdict.members)
