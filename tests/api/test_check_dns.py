"""What goes wrong with names: each cause is made to happen, and `check` names it first."""

import asyncio
import itertools
import json
import re
import time
import urllib.request
from collections.abc import Iterator, Sequence
from pathlib import Path

import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset
import pytest

from kubia_pet.check.name_servers import NameServers
from kubia_pet.check.run import Wanted, run_checks
from kubia_pet.local.proxy import PublicService
from kubia_pet.reach.way import Way
from tests.support.bad_peers import answers, peer
from tests.support.dns_server import NAME, SERVICE, NameServer, Reply, Zone, rcode
from tests.support.local_set import free_ports
from tests.support.pod import until
from tests.support.verdict import PetSet, Verdict, check

pytestmark = pytest.mark.timeout(120)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PetSet]:
    with PetSet(tmp_path_factory.mktemp("set")) as started:
        yield started


@pytest.fixture
def pets(running: PetSet) -> Iterator[PetSet]:
    """Three pods; what a test does to their DNS is undone."""
    before = dict(running.zone.pods)
    yield running
    running.zone.pods = before
    running.zone.named = running.zone.additional = True
    running.names.script = running.zone


def both(pets: PetSet) -> list[Verdict]:
    """As from inside, where name servers are asked; and by URL, where the pods are."""
    return [check(*pets.inside), check(pets.pods[0].url)]


def answer(
    query: dns.message.Message, *records: str, additional: tuple[str, ...] = ()
) -> dns.message.Message:
    """These records, as "NAME TYPE DATA"."""
    made = dns.message.make_response(query)
    for section, lines in ((made.answer, records), (made.additional, additional)):
        for line in lines:
            name, kind, data = line.split(" ", 2)
            section.append(dns.rrset.from_text(name, 0, "IN", kind, data))
    return made


# Well


def test_names_that_are_well_pass_from_everywhere(pets: PetSet) -> None:
    for verdict in both(pets):
        dns = {id_: status for id_, status in verdict.statuses.items() if id_.startswith(("id", "dns", "cl"))}
        assert set(dns.values()) == {"passed"}, verdict.members
        assert verdict.exit == 0


# Who they are


def test_pods_without_a_service_name(tmp_path: Path) -> None:
    with PetSet(tmp_path, replicas=1, service=None) as pets:
        verdict = check(pets.pods[0].url)
    assert (verdict.cause, verdict.exit) == ("no-service-name", 1)
    assert {each for each in verdict.statuses if each.startswith("dns.")} <= verdict.followed


def test_a_service_name_that_is_another_services(tmp_path: Path) -> None:
    with PetSet(tmp_path, replicas=2, service="other.default.svc.cluster.local.") as pets:
        verdict = check(*pets.inside)
    assert verdict.cause == "wrong-service-name"
    assert "kubia-0.other.default.svc.cluster.local" in verdict.evidence("identity")


def test_pods_of_a_deployment(tmp_path: Path) -> None:
    with PetSet(tmp_path, named=("kubia-7d9f8b6c5-x2x4z", "kubia-7d9f8b6c5-9bkqd")) as pets:
        verdict = check(*pets.inside)
    assert verdict.cause == "not-a-statefulset"


# Whom DNS names


def test_a_service_with_an_address_of_its_own(pets: PetSet) -> None:
    def virtual_ip(query: dns.message.Message, _: str) -> Reply:
        name, kind = query.question[0].name.to_text(), query.question[0].rdtype
        port = pets.port(pets.pods[0])
        records = {
            dns.rdatatype.SRV: (f"{name} SRV 0 100 {port} {SERVICE}",),
            dns.rdatatype.A: (f"{name} A 127.0.0.1",),
        }.get(kind, ())
        return answer(query, *records, additional=(f"{SERVICE} A 127.0.0.1",))

    pets.names.script = virtual_ip
    for verdict in both(pets):
        assert verdict.cause == "not-headless", verdict.members
        assert {"dns.srv", "dns.roundtrip", "dns.steady", "cluster.view"} <= verdict.followed


def test_a_name_behind_which_is_nobody(pets: PetSet) -> None:
    pets.zone.pods = {}
    verdict = check(*pets.inside)
    assert (verdict.cause, verdict.exit) == ("nobody", 1)
    assert "NXDOMAIN" in verdict.evidence("dns.headless")


@pytest.mark.parametrize("code", [dns.rcode.SERVFAIL, dns.rcode.REFUSED])
def test_a_name_server_that_fails(pets: PetSet, code: dns.rcode.Rcode) -> None:
    pets.names.script = rcode(code)
    assert check(*pets.inside).cause == "dns-failed"


def test_pods_without_host_names(pets: PetSet) -> None:
    pets.zone.pods = {f"127-0-0-1.{SERVICE}": (pets.port(pets.pods[0]), ("127.0.0.1",))}
    for verdict in both(pets):
        assert verdict.cause == "no-host-names", verdict.members


async def test_something_else_behind_the_service(pets: PetSet) -> None:
    async with peer(
        answers(b"<h1>Welcome to nginx!</h1>", "404 Not Found", Content_Type="text/html")
    ) as port:
        pets.zone.add("web-0", port)
        verdict = await asyncio.to_thread(check, *pets.inside)
    assert verdict.cause == "wrong-selector"
    assert "web-0" in verdict.evidence("dns.srv")


def test_address_records_that_lack_a_pod(pets: PetSet) -> None:
    def one_less(query: dns.message.Message, via: str) -> Reply:
        if query.question[0].name.to_text() == SERVICE and query.question[0].rdtype == dns.rdatatype.A:
            return answer(query, f"{SERVICE} A 127.0.0.9")
        return pets.zone(query, via)

    pets.names.script = one_less
    assert check(*pets.inside).cause == "addresses-differ"


def test_a_ready_pod_that_dns_does_not_name(pets: PetSet) -> None:
    known = dict(pets.zone.pods)

    def but_for_pods(query: dns.message.Message, via: str) -> Reply:
        pets.zone.pods = {name: at for name, at in known.items() if "kubia-1" not in name}
        return pets.zone(query, via)

    verdict = check(pets.pods[1].url)
    assert verdict.exit == 0
    pets.names.script = but_for_pods
    verdict = check(pets.pods[1].url)
    assert verdict.cause == "missing-in-dns", verdict.members
    gap = check(*pets.inside)
    assert (gap.exit, gap.warnings.get("dns.srv")) == (0, "gap")


def test_a_port_without_a_name_is_a_warning(pets: PetSet) -> None:
    pets.zone.named = False
    verdict = check(*pets.inside)
    assert (verdict.exit, verdict.warnings) == (0, {"dns.srv": "unnamed-port"})


def test_the_books_service_that_names_the_wrong_port_is_well(tmp_path: Path) -> None:
    with PetSet(tmp_path, replicas=1) as pets:
        (pod,) = pets.pods
        pets.zone.add("kubia-0", 1)
        verdict = check(*pets.inside, env={"KUBIAPET_PORT": str(pets.port(pod))})
    assert verdict.statuses["dns.srv"] == "passed"


# Where they lead


def test_a_stale_record_leads_to_nobody(pets: PetSet) -> None:
    pets.zone.add("kubia-2", 1)
    verdict = check(*pets.inside)
    assert verdict.cause == "stale-record"
    assert "cluster.view" in verdict.followed


def test_a_reused_address_leads_to_another_pod(pets: PetSet) -> None:
    pets.zone.add("kubia-2", pets.port(pets.pods[1]))
    verdict = check(*pets.inside)
    assert verdict.cause == "other-pod", verdict.members
    assert "kubia-1" in verdict.evidence("dns.roundtrip")


async def test_another_program_at_the_address_of_a_pod(pets: PetSet) -> None:
    page = answers(b"Client sent an HTTP request to an HTTPS server.", "400 Bad Request")
    async with peer(page) as port:
        pets.zone.add("kubia-2", port)
        verdict = await asyncio.to_thread(check, *pets.inside)
    assert verdict.cause == "not-a-pet", verdict.members
    assert "kubia-2" in verdict.evidence("dns.roundtrip")


def test_a_name_that_leads_nowhere(pets: PetSet) -> None:
    def without_address(query: dns.message.Message, via: str) -> Reply:
        if query.question[0].name.to_text() == f"kubia-1.{SERVICE}":
            return dns.message.make_response(query)
        return pets.zone(query, via)

    pets.names.script = without_address
    verdict = check(*pets.inside)
    assert verdict.cause == "stale-record", verdict.members
    assert f"kubia-1.{NAME} is nowhere" in verdict.evidence("dns.srv")


def test_where_nobody_can_be_reached_no_record_is_blamed(pets: PetSet) -> None:
    """As from a pod that no network policy lets in."""
    for pod in pets.pods:
        pets.zone.add(pod.name, 1)
    verdict = check(*pets.inside)
    assert verdict.exit == 3, verdict.members
    assert "network policies" in verdict.evidence("dns.roundtrip")


def test_the_first_pod_is_missed_where_others_remember_it(tmp_path: Path) -> None:
    with PetSet(tmp_path) as pets:
        for pod in pets.pods:
            urllib.request.urlopen(pod.url, timeout=10).close()  # noqa: S310 - our own: it sees the others
        until("kubia-1 to remember", lambda: "kubia-0." in remembered(pets), 30)
        pets.pods[0].terminate()
        del pets.zone.pods[f"kubia-0.{SERVICE}"]
        for where in (pets.inside, (pets.pods[1].url,)):
            verdict = check(*where)
            assert (verdict.exit, verdict.warnings.get("dns.srv")) == (0, "gap"), verdict.members
            assert "kubia-0" in verdict.evidence("dns.srv")


def test_a_last_pod_that_is_not_ready_is_missed_where_it_is_said_how_many_there_must_be(
    pets: PetSet,
) -> None:
    del pets.zone.pods[f"kubia-2.{SERVICE}"]
    for where in (pets.inside, (pets.pods[0].url,)):
        assert check(*where).exit == 0, "nobody can know that there should be another one"
        missing = check(*where, "--replicas=3")
        assert (missing.exit, missing.cause) == (1, "missing-pod"), missing.members
        assert "There are 2 pods, not 3" in missing.evidence("identity")
        assert check(*where, "--replicas=2").exit == 0


def test_a_pod_that_dns_names_a_moment_later_is_waited_for(pets: PetSet) -> None:
    address = pets.zone.pods.pop(f"kubia-2.{SERVICE}")
    asked = 0

    def later(query: dns.message.Message, via: str) -> Reply:
        nonlocal asked
        asked += 1
        if asked == 2:
            pets.zone.pods[f"kubia-2.{SERVICE}"] = address
        return pets.zone(query, via)

    pets.names.script = later
    verdict = check(*pets.inside, "--replicas=3")
    assert verdict.exit == 0, verdict.members


def remembered(pets: PetSet) -> str:
    """All that kubia-1's ledger says."""
    with urllib.request.urlopen(f"{pets.pods[1].url}/ledger", timeout=10) as answer:  # noqa: S310 - our own
        return str(answer.read())


async def test_a_public_service_that_leads_to_a_pod_that_dns_does_not_name(tmp_path: Path) -> None:
    """As with publishNotReadyAddresses; and as a cache does for a while where that pod is ready."""
    with PetSet(tmp_path, "--faults") as pets:
        endpoints = {pod.name: ("127.0.0.1", pets.port(pod)) for pod in pets.pods}
        del pets.zone.pods[f"kubia-2.{SERVICE}"]
        port = free_ports(1)
        async with PublicService(endpoints, "127.0.0.1", port):
            public = f"--public=http://127.0.0.1:{port}"
            verdict = await asyncio.to_thread(check, *pets.inside, public)
            assert verdict.exit == 0, verdict.members
            fault = urllib.request.Request(f"{pets.pods[2].url}/faults/not-ready?for=60s", method="PUT")  # noqa: S310 - our own
            await asyncio.to_thread(urllib.request.urlopen, fault)
            verdict = await asyncio.to_thread(check, *pets.inside, public)
    assert (verdict.cause, verdict.exit) == ("reaches-unready", 1), verdict.members


# Whether it stays


def test_answers_that_come_and_go(pets: PetSet) -> None:
    everybody = dict(pets.zone.pods)
    turns = itertools.count()

    def flapping(query: dns.message.Message, via: str) -> Reply:
        question = query.question[0]
        asked = question.name.to_text(), question.rdtype
        if asked == (SERVICE, dns.rdatatype.SRV) and next(turns) % 3 == 2:
            return answer(
                query,
                *[f"{SERVICE} SRV 0 50 {port} {name}" for name, (port, _) in list(everybody.items())[:2]],
            )
        return pets.zone(query, via)

    pets.names.script = flapping
    verdict = check(*pets.inside)
    assert verdict.cause == "flaps", verdict.members
    assert re.search(rf"kubia-2\.{NAME} in [789] of 12 answers", verdict.evidence("dns.steady"))


def test_a_cache_that_lets_go_of_an_old_answer_meanwhile_is_no_name_server_that_flaps(pets: PetSet) -> None:
    everybody = dict(pets.zone.pods)
    stale_until: list[float] = []

    def cached(query: dns.message.Message, via: str) -> Reply | Sequence[Reply]:
        question = query.question[0]
        if question.name.to_text() == SERVICE and question.rdtype == dns.rdatatype.SRV:
            stale_until.append(stale_until[0] if stale_until else time.monotonic() + 0.8)
            if time.monotonic() < stale_until[0]:
                known = list(everybody.items())[:2]
                return answer(query, *[f"{SERVICE} SRV 0 50 {port} {name}" for name, (port, _) in known])
        return pets.zone(query, via)

    pets.names.script = cached
    verdict = check(*pets.inside)
    assert verdict.statuses["dns.steady"] == "passed", verdict.members


def test_name_servers_that_differ(
    pets: PetSet, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """In this process, as only resolv.conf names several."""
    known = dict(pets.zone.pods)
    known.pop(f"kubia-2.{SERVICE}")
    with NameServer(Zone(known)) as knows_less:
        two = NameServers(NAME, None)
        two.servers = [pets.names.address, knows_less.address]
        monkeypatch.setattr("kubia_pet.check.dns_asked.NameServers", lambda *_: two)
        way = Way(service=NAME, nameserver=pets.names.address, port=1)
        exit_ = asyncio.run(run_checks(way, Wanted("json")))
    verdict = Verdict(exit_, json.loads(capsys.readouterr().out))
    assert verdict.cause == "name-servers-differ", verdict.members


def test_one_change_while_pods_are_asked_is_a_cache_that_let_go(pets: PetSet) -> None:
    began = time.monotonic()
    everybody = dict(pets.zone.pods)

    def cached(query: dns.message.Message, via: str) -> Reply:
        fewer = asked_at and time.monotonic() - asked_at[0] < 2.5
        pets.zone.pods = dict(list(everybody.items())[:2]) if fewer else dict(everybody)
        return pets.zone(query, via)

    asked_at = [began]
    pets.names.script = cached
    verdict = check(pets.pods[0].url)
    assert verdict.statuses["dns.steady"] == "passed", verdict.members


def test_answers_that_fail_now_and_then_as_a_pod_is_told(pets: PetSet) -> None:
    def flapping(query: dns.message.Message, via: str) -> Reply | Sequence[Reply]:
        failing = time.monotonic() % 1 < 0.5
        return rcode(dns.rcode.SERVFAIL)(query, via) if failing else pets.zone(query, via)

    pets.names.script = flapping
    verdict = check(pets.pods[0].url)
    causes = {each["id"]: each["cause"] for each in verdict.members["checks"]}
    assert causes["dns.steady"] == "dns-failed", verdict.members
    assert verdict.statuses["dns.headless"] == "passed", verdict.members
