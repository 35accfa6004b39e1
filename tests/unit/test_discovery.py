"""What a pod learns from DNS, rule by rule, from a real name server on loopback over UDP and TCP."""

import asyncio
import contextlib
import logging
import socket
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import dns.message
import dns.rcode
import dns.rrset
import pytest

from kubia_pet.discovery import Discovered, Discovery, Resolver, service_of
from kubia_pet.discovery.rotation import Rotation
from tests.support.dns_server import NAME, SERVICE, NameServer, Script, Zone, rcode, silence
from tests.support.gathering import is_ready

PORT = 8080  # that this pod listens on


class Seen:
    """An observer that keeps how the look-ups ended."""

    def __init__(self) -> None:
        self.outcomes: list[bool] = []

    def looked_up(self, _: float, __: int, *, ok: bool) -> None:
        self.outcomes.append(ok)


@pytest.fixture
def zone() -> Zone:
    """Three pods of the service, this one among them."""
    zone = Zone()
    for ordinal in range(3):
        zone.add(f"kubia-{ordinal}", PORT, f"10.0.0.{ordinal}")
    return zone


@pytest.fixture
def names(zone: Zone) -> Iterator[NameServer]:
    with NameServer(zone) as running:
        yield running


@contextlib.asynccontextmanager
async def discovery(
    names: NameServer,
    service: str = SERVICE,
    *,
    pod: str = "kubia-0",
    timeout: float = 1.0,  # noqa: ASYNC109 - the look-up's own
    max_age: float = 0.0,
    resolv_conf: Path | None = None,
) -> AsyncIterator[Discovery]:
    """What this pod has for discovery; asks anew each time unless `max_age` is given."""
    given = {} if resolv_conf is None else {"resolv_conf": str(resolv_conf)}
    lookup = Resolver(service, nameserver=names.address, timeout=timeout, **given)
    opened = Discovery(
        lookup,
        pod=pod,
        port=PORT,
        max_age=max_age,
        observer=Seen(),
        ready=is_ready,
        rotation=Rotation(lambda: 0.0),
    )
    try:
        yield opened
    finally:
        opened.close()


async def discovered(
    names: NameServer,
    service: str = SERVICE,
    pod: str = "kubia-0",
    timeout: float = 1.0,  # noqa: ASYNC109 - the look-up's own
) -> Discovered:
    async with discovery(names, service, pod=pod, timeout=timeout) as opened:
        return await opened.discover()


def endpoints(found: Discovered) -> dict[str, tuple[tuple[str, int], ...]]:
    """Those of the other peers, by host name."""
    return {peer.name.partition(".")[0]: peer.endpoints for peer in found.peers if not peer.is_self}


def hosts(found: Discovered) -> list[str]:
    return [peer.name.partition(".")[0] for peer in found.peers]


class Skew:
    """Moves this process' monotonic clock forward."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.by = 0.0
        real = time.monotonic
        monkeypatch.setattr(time, "monotonic", lambda: real() + self.by)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Skew:
    return Skew(monkeypatch)


# Which names are asked, and how often


async def test_the_port_named_http_is_asked_for_first_and_is_enough(names: NameServer) -> None:
    found = await discovered(names)
    assert hosts(found) == ["kubia-0", "kubia-1", "kubia-2"]
    assert found.service == NAME
    assert [asked for asked, _, _ in names.asked] == [f"_http._tcp.{SERVICE}"]


async def test_where_no_port_is_named_http_the_bare_name_is_asked(names: NameServer, zone: Zone) -> None:
    zone.named = False
    found = await discovered(names)
    assert hosts(found) == ["kubia-0", "kubia-1", "kubia-2"]
    assert [asked for asked, _, _ in names.asked] == [f"_http._tcp.{SERVICE}", SERVICE]


async def test_addresses_of_the_additional_section_cost_no_look_up(names: NameServer) -> None:
    found = await discovered(names)
    assert endpoints(found) == {"kubia-1": (("10.0.0.1", PORT),), "kubia-2": (("10.0.0.2", PORT),)}
    assert len(names.asked) == 1


async def test_without_an_additional_section_each_target_is_looked_up(names: NameServer, zone: Zone) -> None:
    zone.additional = False
    assert endpoints(await discovered(names)) == {
        "kubia-1": (("10.0.0.1", PORT),),
        "kubia-2": (("10.0.0.2", PORT),),
    }


async def test_a_target_without_an_address_stays_a_peer(names: NameServer, zone: Zone) -> None:
    zone.additional = zone.addresses = False
    found = await discovered(names)
    assert endpoints(found) == {"kubia-1": (), "kubia-2": ()}
    assert found.failure is None


@pytest.mark.parametrize("additional", [True, False])
async def test_pods_with_ipv6_addresses_are_found(names: NameServer, zone: Zone, *, additional: bool) -> None:
    zone.additional = additional
    zone.add("kubia-1", PORT, "2001:db8::1")
    assert endpoints(await discovered(names))["kubia-1"] == (("2001:db8::1", PORT),)


async def test_a_pod_with_both_families_has_both_addresses(names: NameServer, zone: Zone) -> None:
    zone.add("kubia-1", PORT, "10.0.0.1", "2001:db8::1")
    assert set(endpoints(await discovered(names))["kubia-1"]) == {("10.0.0.1", PORT), ("2001:db8::1", PORT)}


@pytest.mark.parametrize("service", ["kubia", "kubia.default", "kubia.default.svc", NAME, SERVICE])
async def test_a_short_service_name_goes_through_the_search_domains(
    names: NameServer, tmp_path: Path, service: str
) -> None:
    resolv_conf = tmp_path / "resolv.conf"
    resolv_conf.write_text(
        "nameserver 192.0.2.1\nsearch default.svc.cluster.local svc.cluster.local cluster.local\n"
        "options ndots:5\n"
    )
    async with discovery(names, service, resolv_conf=resolv_conf) as opened:
        found = await opened.discover()
    assert (found.service, hosts(found)) == (NAME, ["kubia-0", "kubia-1", "kubia-2"])


async def test_without_any_name_server_discovery_fails_with_a_sentence(tmp_path: Path) -> None:
    lookup = Resolver(SERVICE, nameserver=None, timeout=1.0, resolv_conf=str(tmp_path / "missing"))
    opened = Discovery(
        lookup,
        pod="kubia-0",
        port=PORT,
        max_age=2,
        observer=Seen(),
        ready=is_ready,
        rotation=Rotation(lambda: 0.0),
    )
    found = await opened.discover()
    opened.close()
    assert found.failure is not None
    assert found.failure.message == "DNS failed: no name server is known."


async def test_other_names_namespaces_and_cluster_domains_work(names: NameServer) -> None:
    names.script = other = Zone(service="cats.zoo.svc.example.test.")
    other.add("cats-0", PORT, "10.0.0.7")
    other.add("cats-1", PORT, "10.0.0.8")
    found = await discovered(names, other.service, pod="cats-0")
    assert [peer.name for peer in found.peers] == [
        "cats-0.cats.zoo.svc.example.test",
        "cats-1.cats.zoo.svc.example.test",
    ]
    assert [peer.is_self for peer in found.peers] == [True, False]


async def test_an_alias_of_the_service_leads_to_the_same_pods(names: NameServer, zone: Zone) -> None:
    alias = "pets.default.svc.cluster.local."

    def script(query: dns.message.Message, via: str) -> dns.message.Message:
        asked = query.question[0].name.to_text()
        if asked != alias:
            return zone(query, via)
        answer = dns.message.make_response(query)
        direct = zone(dns.message.make_query(SERVICE, "SRV"), via)
        answer.answer = [dns.rrset.from_text(alias, 5, "IN", "CNAME", SERVICE), *direct.answer]
        answer.additional = direct.additional
        return answer

    names.script = script
    found = await discovered(names, alias)
    assert found.service == NAME
    assert hosts(found) == ["kubia-0", "kubia-1", "kubia-2"]
    assert [peer.is_self for peer in found.peers] == [True, False, False]


# Ports, order, duplicates


@pytest.mark.parametrize("wrong", [80, 0])
async def test_the_books_wrong_port_is_recognised_by_this_pods_own_record(
    names: NameServer, zone: Zone, wrong: int
) -> None:
    zone.pods = {target: (wrong, addresses) for target, (_, addresses) in zone.pods.items()}
    assert endpoints(await discovered(names)) == {
        "kubia-1": (("10.0.0.1", PORT),),
        "kubia-2": (("10.0.0.2", PORT),),
    }


async def test_where_its_own_record_is_right_every_record_is_taken_at_its_word(
    names: NameServer, zone: Zone
) -> None:
    zone.add("kubia-1", 9001, "10.0.0.1")
    zone.add("kubia-2", 9002, "10.0.0.2")
    assert endpoints(await discovered(names)) == {
        "kubia-1": (("10.0.0.1", 9001),),
        "kubia-2": (("10.0.0.2", 9002),),
    }


@pytest.mark.parametrize(("port", "tried"), [(80, (80, PORT)), (0, (PORT,)), (PORT, (PORT,))])
async def test_without_its_own_record_a_pod_tries_the_records_port_and_then_its_own(
    names: NameServer, zone: Zone, port: int, tried: tuple[int, ...]
) -> None:
    zone.pods = {f"kubia-1.{SERVICE}": (port, ["10.0.0.1"])}
    assert endpoints(await discovered(names)) == {"kubia-1": tuple(("10.0.0.1", each) for each in tried)}


@pytest.mark.parametrize("loopback", ["127.0.0.1", "::1"])
async def test_a_pod_never_takes_itself_for_a_peer_that_shares_its_machine(
    names: NameServer, zone: Zone, loopback: str
) -> None:
    zone.pods = {f"kubia-1.{SERVICE}": (8081, [loopback])}
    assert endpoints(await discovered(names)) == {"kubia-1": ((loopback, 8081),)}


async def test_targets_that_several_ports_repeat_are_one_peer(names: NameServer, zone: Zone) -> None:
    def script(query: dns.message.Message, via: str) -> dns.message.Message:
        answer = zone(query, via)
        again = [f"0 33 {port} {target}" for target in zone.pods for port in (9090, PORT)]
        if answer.answer:
            answer.answer = [dns.rrset.from_text(query.question[0].name, 5, "IN", "SRV", *again)]
        answer.additional *= 2
        return answer

    names.script = script
    found = await discovered(names)
    assert hosts(found) == ["kubia-0", "kubia-1", "kubia-2"]
    assert all(len(set(each)) == len(each) for each in endpoints(found).values())


async def test_peers_stand_in_the_order_of_their_ordinals_as_numbers(names: NameServer, zone: Zone) -> None:
    for ordinal in (10, 9, 100, 3):
        zone.add(f"kubia-{ordinal}", PORT, f"10.0.1.{ordinal}")
    zone.add("odd", PORT, "10.0.2.1")
    assert hosts(await discovered(names)) == [
        *(f"kubia-{ordinal}" for ordinal in (0, 1, 2, 3, 9, 10, 100)),
        "odd",
    ]


async def test_a_pod_that_dns_does_not_list_yet_is_among_its_peers(names: NameServer) -> None:
    found = await discovered(names, pod="kubia-7")
    assert hosts(found) == ["kubia-0", "kubia-1", "kubia-2", "kubia-7"]
    assert [peer.is_self for peer in found.peers] == [False, False, False, True]


# Nobody there, or DNS fails


@pytest.mark.parametrize(
    "script", [rcode(dns.rcode.NXDOMAIN), lambda query, _: dns.message.make_response(query)]
)
async def test_no_such_name_and_no_records_mean_alone_and_are_no_error(script: Script) -> None:
    with NameServer(script) as names:
        found = await discovered(names)
    assert hosts(found) == ["kubia-0"]
    assert (found.failure, found.diagnostics) == (None, ())
    assert found.taken_at is not None


@pytest.mark.parametrize(
    "script", [rcode(dns.rcode.NXDOMAIN), lambda query, _: dns.message.make_response(query)]
)
async def test_a_service_that_dns_does_not_know_though_this_pod_is_ready_is_named_with_the_likely_causes(
    script: Script, clock: Skew, caplog: pytest.LogCaptureFixture
) -> None:
    with NameServer(script) as names:
        async with discovery(names) as opened:
            for clock.by in (0.0, 10.0, 20.0, 30.0, 34.0):
                await opened.watch()
                assert (await opened.discover()).diagnostics == (), clock.by
            for clock.by in (36.0, 40.0, 50.0):
                await opened.watch()
                (diagnostic,) = (await opened.discover()).diagnostics
                assert diagnostic.code == "nobody"
    for cause in (f"{NAME}, though this one is ready", "headless Service kubia", "selector", "serviceName"):
        assert cause in diagnostic.message
    assert [record.message for record in caplog.records] == [diagnostic.message]


async def test_a_pod_that_is_alone_and_listed_is_no_alarm(
    names: NameServer, zone: Zone, clock: Skew, caplog: pytest.LogCaptureFixture
) -> None:
    zone.pods = {f"kubia-0.{SERVICE}": (PORT, ["10.0.0.0"])}
    async with discovery(names) as opened:
        for clock.by in (0.0, 40.0, 80.0, 1000.0):
            await opened.watch()
            found = await opened.discover()
            assert (hosts(found), found.diagnostics) == (["kubia-0"], ())
    assert not caplog.records


async def test_a_pod_is_missed_only_for_the_time_in_which_it_is_ready(
    names: NameServer, zone: Zone, clock: Skew
) -> None:
    zone.pods = {}
    ready = False

    async def is_it() -> bool:
        return ready

    lookup = Resolver(SERVICE, nameserver=names.address, timeout=1.0)
    opened = Discovery(
        lookup,
        pod="kubia-0",
        port=PORT,
        max_age=0,
        observer=Seen(),
        ready=is_it,
        rotation=Rotation(lambda: 0.0),
    )
    for clock.by in (0.0, 100.0):
        await opened.watch()
        assert (await opened.discover()).diagnostics == ()
    ready = True
    for clock.by, codes in ((110.0, []), (140.0, []), (146.0, ["nobody"])):
        await opened.watch()
        assert [diagnostic.code for diagnostic in (await opened.discover()).diagnostics] == codes
    zone.add("kubia-0", PORT)
    assert (await opened.discover()).diagnostics == ()
    asked = len(names.asked)
    await opened.watch()
    assert len(names.asked) == asked  # somebody is there: the watch asks nothing
    opened.close()


FAILURES = {
    "SERVFAIL": (rcode(dns.rcode.SERVFAIL), "DNS failed: SERVFAIL."),
    "REFUSED": (rcode(dns.rcode.REFUSED), "DNS failed: REFUSED."),
    "time-out": (silence, "DNS gave no answer within 0.3 s."),
}


@pytest.mark.parametrize("failing", FAILURES)
async def test_a_failure_keeps_the_last_good_answer_for_a_minute_marked_as_old(
    names: NameServer, zone: Zone, clock: Skew, failing: str
) -> None:
    script, sentence = FAILURES[failing]
    async with discovery(names, timeout=0.3) as opened:
        good = await opened.discover()
        names.script = script
        for clock.by in (1.0, 59.0):
            old = await opened.discover()
            assert old.peers == good.peers
            assert old.failure is not None
            assert (old.failure.code, old.failure.message) == ("dns-failed", sentence)
            assert clock.by <= (old.age() or 0) < clock.by + 1
        clock.by = 62.0
        gone = await opened.discover()
        assert hosts(gone) == ["kubia-0"]
        assert gone.failure is not None
        names.script = zone
        again = await opened.discover()
    assert again.peers == good.peers
    assert again.failure is None


async def test_a_pod_that_never_had_an_answer_is_alone_and_says_why(names: NameServer) -> None:
    names.script = rcode(dns.rcode.SERVFAIL)
    found = await discovered(names)
    assert hosts(found) == ["kubia-0"]
    assert (found.taken_at, found.age()) == (None, None)
    assert found.failure is not None


@pytest.mark.parametrize("additional", [True, False])
async def test_the_deadline_bounds_all_look_ups_together(
    names: NameServer, zone: Zone, *, additional: bool
) -> None:
    zone.additional = additional

    def slow(query: dns.message.Message, via: str) -> dns.message.Message:
        time.sleep(0.1)
        return zone(query, via)

    names.script = slow
    for ordinal in range(3, 100):
        zone.add(f"kubia-{ordinal}", PORT, f"10.0.1.{ordinal}")
    async with discovery(names, timeout=2) as opened:
        began = time.monotonic()
        found = await opened.discover()
        took = time.monotonic() - began
    assert took < 2 + 0.25
    assert len(found.peers) == 100


async def test_a_silent_name_server_costs_no_more_than_the_deadline(names: NameServer) -> None:
    names.script = silence
    async with discovery(names, timeout=0.6) as opened:
        began = time.monotonic()
        await opened.discover()
        assert 0.5 < time.monotonic() - began < 0.6 + 0.25


# How long an answer is used


async def test_an_answer_is_used_for_its_ttl(names: NameServer, zone: Zone, clock: Skew) -> None:
    zone.ttl = 5
    async with discovery(names, max_age=60) as opened:
        first = await opened.discover()
        clock.by = 3.5
        assert await opened.discover() is first
        clock.by = 5.5
        zone.add("kubia-3", PORT, "10.0.0.3")
        assert hosts(await opened.discover())[-1] == "kubia-3"


async def test_and_for_no_longer_than_the_bound_whatever_the_ttl(
    names: NameServer, zone: Zone, clock: Skew
) -> None:
    zone.ttl = 3600
    async with discovery(names, max_age=2) as opened:
        first = await opened.discover()
        clock.by = 1.4
        assert await opened.discover() is first
        clock.by = 2.5
        zone.add("kubia-3", PORT, "10.0.0.3")
        assert hosts(await opened.discover())[-1] == "kubia-3"


async def test_who_asks_all_the_time_waits_for_the_first_look_up_only(names: NameServer, zone: Zone) -> None:
    def slow(query: dns.message.Message, via: str) -> dns.message.Message:
        time.sleep(0.1)
        return zone(query, via)

    names.script = slow
    async with discovery(names, max_age=2) as opened:
        began, waits = time.monotonic(), []
        while time.monotonic() - began < 5:
            asked = time.monotonic()
            await opened.discover()
            waits.append(time.monotonic() - asked)
            await asyncio.sleep(0.01)  # so that others run
    assert waits[0] >= 0.1
    assert max(waits[1:]) < 0.08
    assert 3 <= len(names.asked) <= 5


async def test_a_failing_name_server_is_asked_again_only_after_the_bound(
    names: NameServer, clock: Skew
) -> None:
    names.script = rcode(dns.rcode.SERVFAIL)
    async with discovery(names, max_age=2) as opened:
        await opened.discover()
        asked = len(names.asked)
        clock.by = 1.4
        await opened.discover()
        assert len(names.asked) == asked
        clock.by = 2.5
        await opened.discover()
        assert len(names.asked) > asked


async def test_doubts_are_looked_into_at_once_or_a_second_after_the_last_look_up(
    names: NameServer,
) -> None:
    async with discovery(names, max_age=60) as opened:
        await opened.discover()
        began = time.monotonic()
        for _ in range(5):
            opened.doubt()
        async with asyncio.timeout(5):
            while len(names.asked) < 2:  # noqa: ASYNC110 - the name server is a thread
                await asyncio.sleep(0.01)
        assert 0.8 <= time.monotonic() - began <= 3
        for _ in range(5):
            opened.doubt()
    assert len(names.asked) == 2


async def test_many_who_ask_at_once_share_a_look_up(names: NameServer) -> None:
    async with discovery(names) as opened:
        await asyncio.gather(*(opened.discover() for _ in range(100)))
    assert len(names.asked) == 1


# Size


async def test_a_truncated_answer_is_fetched_over_tcp(names: NameServer, zone: Zone) -> None:
    for ordinal in range(3, 60):
        zone.add(f"kubia-{ordinal}", PORT, f"10.0.0.{ordinal}")
    found = await discovered(names)
    assert len(found.peers) == 60
    assert [via for _, _, via in names.asked] == ["udp", "tcp"]
    assert all(each for each in endpoints(found).values())


async def test_where_tcp_is_refused_a_truncated_answer_is_a_failure(zone: Zone) -> None:
    for ordinal in range(3, 60):
        zone.add(f"kubia-{ordinal}", PORT, f"10.0.0.{ordinal}")
    with NameServer(zone, tcp=False) as names:
        found = await discovered(names)
    assert found.failure is not None
    assert found.failure.message == "DNS failed: Connection refused."


# What is wrong with a service


async def test_a_service_that_is_not_headless_is_recognised_and_named(names: NameServer, zone: Zone) -> None:
    zone.pods = {SERVICE: (80, ["10.96.3.4"])}
    found = await discovered(names)
    assert hosts(found) == ["kubia-0"]
    (diagnostic,) = found.diagnostics
    assert diagnostic.code == "not-headless"
    assert "clusterIP: None" in diagnostic.message


@pytest.mark.parametrize(("host", "address"), [("172-17-0-2", "172.17.0.2"), ("2001-db8--7", "2001:db8::7")])
async def test_targets_that_are_dashed_addresses_are_recognised_and_named(
    names: NameServer, zone: Zone, host: str, address: str
) -> None:
    zone.pods.clear()
    zone.add(host, PORT, address)
    found = await discovered(names)
    (diagnostic,) = found.diagnostics
    assert diagnostic.code == "no-host-names"
    assert "serviceName" in diagnostic.message
    assert hosts(found) == ["kubia-0", host]


async def test_a_finding_is_logged_once_and_once_more_when_it_has_passed(
    names: NameServer, zone: Zone, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    pods, zone.pods = zone.pods, {SERVICE: (80, ["10.96.3.4"])}
    async with discovery(names) as opened:
        for _ in range(3):
            await opened.discover()
        assert [record.message.split(":")[0] for record in caplog.records] == [
            f"{NAME} is not a headless service"
        ]
        caplog.clear()
        zone.pods = pods
        for _ in range(3):
            await opened.discover()
    (record,) = caplog.records
    assert "passed" in record.message


async def test_a_failure_is_logged_once(names: NameServer, caplog: pytest.LogCaptureFixture) -> None:
    names.script = rcode(dns.rcode.SERVFAIL)
    async with discovery(names) as opened:
        for _ in range(3):
            await opened.discover()
    assert [record.message for record in caplog.records] == ["DNS failed: SERVFAIL."]


async def test_more_pods_than_are_asked_are_said_and_this_one_is_kept(names: NameServer) -> None:
    names.script = zone = Zone(service="k.d.", additional=False, addresses=False)
    for ordinal in range(1200):
        zone.add(f"k-{ordinal}", PORT)
    found = await discovered(names, zone.service, pod="k-1150", timeout=10)
    assert len(found.peers) == 1000
    assert [peer.name for peer in found.peers if peer.is_self] == ["k-1150.k.d"]
    assert [diagnostic.code for diagnostic in found.diagnostics] == ["too-many"]


# This pod's own name


@pytest.mark.parametrize(
    ("full", "service"),
    [
        ("kubia-0.kubia.default.svc.cluster.local", "kubia.default.svc.cluster.local."),
        ("kubia-0.kubia.default.svc.cluster.local.", "kubia.default.svc.cluster.local."),
        ("kubia-0.cats.zoo.svc.example.test", "cats.zoo.svc.example.test."),
        ("KUBIA-0.kubia.default.svc.cluster.local", "kubia.default.svc.cluster.local."),
        ("kubia-0", None),
        ("kubia-0.example.test", None),
        ("kubia-0.default.pod.cluster.local", None),
        ("kubia-00.kubia.default.svc.cluster.local", None),
    ],
)
def test_the_service_is_told_by_the_full_name_of_the_pods_host(
    monkeypatch: pytest.MonkeyPatch, full: str, service: str | None
) -> None:
    answer = [(socket.AF_INET, socket.SOCK_STREAM, 6, full, ("10.0.0.1", 0))]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: answer)
    assert service_of("kubia-0") == service


def test_a_host_without_a_service_in_its_name_has_no_service() -> None:
    assert service_of("localhost") is None


def test_a_host_that_cannot_be_looked_up_has_no_service(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", fails)
    assert service_of("kubia-0") is None
