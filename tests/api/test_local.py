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
from tests.support.paste import paste
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


def test_the_url_of_the_page_is_printed_first(pets: LocalSet) -> None:
    printed = "\n".join(line for line in pets.log.read_text().splitlines() if " INFO " not in line)
    (first, *_) = re.findall(r"http://\S+", printed)
    assert first == f"http://localhost:{pets.port}"
    assert curl("-H", "Accept: text/html", first).startswith("<!doctype html>")


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


def test_the_lines_to_paste_work_when_pasted_as_one_piece(tmp_path: Path) -> None:
    with LocalSet(tmp_path) as pets:
        screen = pets.log.read_text().partition("Lines to paste in another terminal:\n\n")[2]
        lines = screen.partition("\n\n")[0]
        assert sum(line.startswith("  curl") for line in lines.splitlines()) == 5
        shown = paste(lines, tmp_path)
    answers = re.findall(
        r"^(?:You've hit kubia-\d(?:\n.+){5}|Data stored on pod kubia-\d)$", shown, re.MULTILINE
    )
    none = "No data posted yet"
    assert f"{answers[0]}\n" == overview(0, none, none, none)
    assert answers[1] == "Data stored on pod kubia-0"
    assert f"{answers[2]}\n" == overview(2, GREETING, none, none)
    assert {answer[-7:] for answer in answers[3:7]} == {"kubia-0", "kubia-1", "kubia-2"}
    everybody = answers[7].partition("Data stored in the cluster:\n")[2]
    assert none not in everybody
    assert answers[8].startswith("You've hit kubia-2\nData stored on this pod: Value number ")
    assert answers[8].partition("Data stored in the cluster:\n")[2] == everybody, "it is back, with its value"


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


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGKILL], ids=["terminal closed", "kill -9"])
def test_pods_end_with_their_supervisor_however_it_ends(tmp_path: Path, number: signal.Signals) -> None:
    with LocalSet(tmp_path, replicas=2) as pets:
        curl("-X", "POST", "-d", GREETING, pets.url(0))
        pids = list(pets.pids().values())
        pets.process.send_signal(number)
        pets.process.wait(10)
        until("the pods to end", lambda: not any(is_alive(pid) for pid in pids), 5)
        with pets:
            assert curl(pets.url(1)) == overview(1, GREETING, "No data posted yet")


def is_alive(pid: int) -> bool:
    """Whether it runs: one that has ended and that nobody waits for does not."""
    try:
        return " Z " not in Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False


@pytest.mark.parametrize(
    ("directory", "why"), [("/proc/x", "No such file or directory"), ("file", "Not a directory")]
)
def test_a_directory_that_cannot_be_made_is_said_at_once(tmp_path: Path, directory: str, why: str) -> None:
    (tmp_path / "file").write_text("")
    pets = LocalSet(tmp_path, replicas=2)
    command = [*pets.command, f"--data-dir={tmp_path / directory / 'pets'}"]
    result = subprocess.run(command, capture_output=True, text=True, check=False, timeout=10)
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr == (
        f"Error: The directory {tmp_path / directory / 'pets' / 'data-kubia-0'} cannot be used ({why}): "
        "choose another with --data-dir.\n"
    )


def test_the_first_answer_of_each_pod_lists_all(tmp_path: Path) -> None:
    """As the banner has it pasted: no pod may use a DNS answer that is older than the last pod."""
    with LocalSet(tmp_path, replicas=3) as pets:
        for ordinal in range(3):
            assert curl(pets.url(ordinal)) == overview(ordinal, *["No data posted yet"] * 3)


OWN_HOSTS = [
    *("localhost", "localhost:8081", "LOCALHOST", "127.0.0.1", "127.0.0.1:8081", "[::1]", "[::1]:8081"),
    *("kubia-0", f"kubia-0.{NAME}", f"kubia-0.{NAME}.:8081", NAME, "kubia"),
]
FOREIGN_HOSTS = [
    "evil.example",
    "localhost.evil.example",
    "evil.example:8081",
    "127.0.0.1.evil.example",
    "10.1.2.3",
]


@pytest.mark.parametrize("host", OWN_HOSTS)
def test_a_local_pod_answers_for_its_own_hosts(pets: LocalSet, host: str) -> None:
    assert curl("-H", f"Host: {host}", f"{pets.url(0)}/healthz") == "alive\n"


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
@pytest.mark.parametrize("host", FOREIGN_HOSTS)
def test_a_name_that_an_attacker_points_at_this_machine_gets_nothing(
    pets: LocalSet, host: str, method: str
) -> None:
    for url in (pets.url(0), pets.public_url):
        answer = curl("-i", "-X", method, "-d", "forged", "-H", f"Host: {host}", url)
        assert answer.startswith("HTTP/1.1 421 Misdirected Request\n")
        name = host.removesuffix(":8081")
        assert answer.endswith(f"This pod does not answer for {name}: --allowed-host {name} would let it.\n")
    assert "forged" not in curl(pets.url(0))


def test_hosts_that_are_allowed_are_answered_for_by_each_pod(tmp_path: Path) -> None:
    allowed = ("--allowed-host=8081-me.shell.example", "--allowed-host=*.preview.example")
    with LocalSet(tmp_path, 2, *allowed) as pets:
        for host, status in {
            "8081-me.shell.example": "200",
            "a.preview.example": "200",
            "a.b.preview.example:443": "200",
            "preview.example": "421",
            "x.8081-me.shell.example": "421",
        }.items():
            for ordinal in range(2):
                code = curl("-o", "/dev/null", "-w", "%{http_code}", "-H", f"Host: {host}", pets.url(ordinal))
                assert (host, code) == (host, status)


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


def test_a_list_is_right_in_seconds_though_the_name_server_caches_for_thirty(tmp_path: Path) -> None:
    with LocalSet(tmp_path, 2, "--dns-cache=30s") as pets:
        assert curl(pets.url(0)).count("- kubia-") == 2
        names = f"_http._tcp.{NAME}"
        assert len(srv(pets, dns.query.udp, names).answer[0]) == 2
        os.kill(pets.pids()["kubia-1"], signal.SIGSTOP)  # not ready after a probe: 3 s at most
        until("kubia-1 off the list", lambda: curl(pets.url(0)).count("kubia-1") == 0, 10)
        cached = srv(pets, dns.query.udp, names).answer[0]
        assert (len(cached), cached.ttl <= 30) == (2, True)
        os.kill(pets.pids()["kubia-1"], signal.SIGCONT)
        until("kubia-1 on the list again", lambda: "- kubia-1" in curl(pets.url(0)), 10)
