"""`kubia-pet local`, followed as its user would follow the chapter."""

import os
import re
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import dns.message
import dns.query
import dns.rcode
import pytest

from tests.support.dns_server import NAME
from tests.support.local_set import LocalSet
from tests.support.pod import until

GREETING = "Hey there! This greeting was submitted to kubia-0."


@pytest.fixture(scope="module")
def pets(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalSet]:
    with LocalSet(tmp_path_factory.mktemp("local")) as started:
        yield started


def curl(*arguments: str) -> str:
    """What curl prints, as a reader of the book sees it."""
    return subprocess.run(["curl", "-s", *arguments], capture_output=True, text=True, check=True).stdout


def overview(ordinal: int, *values: str) -> str:
    """The whole answer of pod `ordinal` in a set with these values."""
    lines = [f"- kubia-{number}.{NAME}: {value}" for number, value in enumerate(values)]
    own = [f"You've hit kubia-{ordinal}", f"Data stored on this pod: {values[ordinal]}"]
    return "\n".join([*own, "Data stored in the cluster:", *lines, ""])


def test_the_chapter_works_against_the_printed_urls(pets: LocalSet) -> None:
    none = "No data posted yet"
    assert curl(pets.url(0)) == overview(0, none, none, none)
    assert curl("-X", "POST", "-d", GREETING, pets.url(0)) == "Data stored on pod kubia-0\n"
    assert curl(pets.url(0)) == overview(0, GREETING, none, none)
    assert curl(pets.url(2)) == overview(2, GREETING, none, none)


def test_the_public_port_spreads_connections_over_all_pods(pets: LocalSet) -> None:
    answers = {curl("-X", "POST", "-d", f"value {number}", pets.public_url) for number in range(4)}
    assert answers == {f"Data stored on pod kubia-{ordinal}\n" for ordinal in range(3)}
    assert "No data posted yet" not in curl(pets.public_url)


def test_a_killed_pod_comes_back_under_its_name_with_its_value(pets: LocalSet) -> None:
    curl("-X", "POST", "-d", "kept", pets.url(1))
    pid = pets.pids()["kubia-1"]
    os.kill(pid, signal.SIGKILL)
    until("another process of kubia-1", lambda: pets.pids()["kubia-1"] != pid)
    until("kubia-1 in the list", lambda: f"- kubia-1.{NAME}: kept\n" in curl(pets.url(0)))
    assert curl(f"{pets.url(1)}/data") == "kept"


def test_the_lines_to_paste_work_when_pasted(pets: LocalSet) -> None:
    screen = pets.log.read_text().partition("Lines to paste in another terminal:\n\n")[2].partition("\n\n")[0]
    lines = [line.strip() for line in screen.splitlines() if line.startswith("  ")]
    pasted = [line for line in lines if line.startswith(("curl", "for"))]
    assert len(pasted) == 6
    for line in pasted:
        result = subprocess.run(["bash", "-c", line], capture_output=True, text=True, check=True)
        assert result.stdout.startswith(("You've hit kubia-", "Data stored on pod kubia-")), line


@pytest.mark.parametrize("ask", [dns.query.udp, dns.query.tcp])
@pytest.mark.parametrize("name", [NAME, f"_http._tcp.{NAME}"])
def test_the_name_server_answers_srv_as_coredns_does(pets: LocalSet, ask: object, name: str) -> None:
    assert callable(ask)
    until("all pods in DNS", lambda: len(srv(pets, ask, name).answer[0]) == 3)
    response = srv(pets, ask, name)
    assert sorted(response.answer[0].to_text().splitlines()) == sorted(
        f"{name}. 1 IN SRV 0 33 {port} kubia-{ordinal}.{NAME}." for ordinal, port in enumerate(pets.ports)
    )
    assert sorted(str(each) for each in response.additional) == [
        f"kubia-{ordinal}.{NAME}. 1 IN A 127.0.0.1" for ordinal in range(3)
    ]


def srv(pets: LocalSet, ask: object, name: str) -> dns.message.Message:
    assert callable(ask)
    response = ask(dns.message.make_query(name, "SRV"), "127.0.0.1", 2, pets.nameserver_port)
    assert isinstance(response, dns.message.Message)
    return response


@pytest.mark.parametrize(
    ("name", "kind", "code"),
    [
        (f"kubia-7.{NAME}", "A", dns.rcode.NXDOMAIN),
        (f"kubia-1.{NAME}", "AAAA", dns.rcode.NOERROR),
        ("nowhere.example.org", "SRV", dns.rcode.REFUSED),
    ],
)
def test_the_name_server_tells_no_name_from_no_record(
    pets: LocalSet, name: str, kind: str, code: dns.rcode.Rcode
) -> None:
    query = dns.message.make_query(name, kind)
    response = dns.query.udp(query, "127.0.0.1", 2, pets.nameserver_port)
    assert (response.rcode(), response.answer) == (code, [])


def test_values_outlive_the_set_and_no_process_does(tmp_path: Path) -> None:
    with LocalSet(tmp_path, replicas=2) as pets:
        curl("-X", "POST", "-d", GREETING, pets.url(0))
        pids = list(pets.pids().values())
        assert pets.interrupt() == 0
        log = pets.log.read_text()
        assert log.index("kubia-1 has ended") < log.index("kubia-0 has ended"), "they end in reverse order"
        for pid in pids:
            with pytest.raises(ProcessLookupError):
                os.kill(pid, 0)
        with pets:
            assert curl(pets.url(1)) == overview(1, GREETING, "No data posted yet")


def test_a_taken_port_is_a_clear_sentence(tmp_path: Path) -> None:
    pets = LocalSet(tmp_path, replicas=1)
    with socket.create_server(("127.0.0.1", pets.ports[0])):
        result = subprocess.run(pets.command, capture_output=True, text=True, check=False)
    assert result.returncode == 1
    assert re.fullmatch(
        rf"Error: Port {pets.ports[0]} cannot be used \(Address already in use\): end what listens there, "
        r"or choose others with --port and --nameserver-port\.\n",
        result.stderr,
    )
