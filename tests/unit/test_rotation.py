"""Turns: a list that is right in seconds, though the cluster's DNS caches for thirty."""

import contextlib
from collections.abc import AsyncIterator
from unittest.mock import ANY

import dns.flags
import dns.message
import dns.rcode
import dns.rrset
import pytest

from kubia_pet.config import Settings
from kubia_pet.discovery import Discovered, Discovery, Resolver
from kubia_pet.discovery.rotation import ROUND_TIME, WAYS, Rotation, Way
from kubia_pet.local.dns_server import Cache
from tests.support.dns_server import NAME, SERVICE, NameServer, Reply, Script, Zone, rcode, silence
from tests.support.gathering import is_ready

CACHED = 30.0
SLOT = ROUND_TIME / 8
STEP = 0.5  # seconds between two questions of a pod


class Time:
    """This process' monotonic clock, stopped, and set by hand."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1_000_000.0
        monkeypatch.setattr("kubia_pet.discovery.rotation.time.monotonic", lambda: self.now)


class Unobserved:
    def looked_up(self, _: float, __: int, *, ok: bool) -> None:
        pass


class Cluster:
    """A name server that caches as CoreDNS does, and pods that ask it."""

    def __init__(self, clock: Time, *, cached: float = CACHED, ttl: int = 30) -> None:
        self.clock = clock
        self.zone = Zone(ttl=ttl)
        self.zone.add("kubia-0", 8080, "10.0.0.1")
        self.cache = Cache(lambda query: self.zone(query, "udp"), cached, lambda: clock.now)
        self.names = NameServer(lambda query, _: self.cache.answer(query))
        self.pods: list[Discovery] = []

    def start(self, *, skew: float = 0.0, max_age: float = 0.0) -> Discovery:
        """One more pod, whose wall clock is so much before the others'."""
        pod = Discovery(
            Resolver(SERVICE, nameserver=self.names.address, timeout=1.0),
            pod="kubia-0",
            port=8080,
            max_age=max_age,
            observer=Unobserved(),
            ready=is_ready,
            rotation=Rotation(lambda: self.clock.now + skew),
        )
        self.pods.append(pod)
        return pod

    def ask_as_others_do(self, way: Way) -> None:
        """Somebody else's question, which puts an entry into the cache out of turn."""
        query = dns.message.make_query(
            f"_http._tcp.{SERVICE}" if way.named else SERVICE, "SRV", want_dnssec=way.dnssec_ok
        )
        if way.checking_disabled:
            query.flags |= dns.flags.CD
        self.cache.answer(query)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Time:
    return Time(monkeypatch)


@contextlib.asynccontextmanager
async def cluster(
    clock: Time, pods: int = 1, *, cached: float = CACHED, ttl: int = 30
) -> AsyncIterator[Cluster]:
    made = Cluster(clock, cached=cached, ttl=ttl)
    with made.names:
        for _ in range(pods):
            made.start()
        try:
            yield made
        finally:
            for pod in made.pods:
                pod.close()


def addresses(found: Discovered) -> set[str]:
    return {address for peer in found.peers for address, _ in peer.endpoints}


async def lags(made: Cluster, seconds: float, *, change_every: float = 7.3) -> list[float]:
    """How long each pod's list was wrong after each of the changes, asked every STEP seconds."""
    changed = made.clock.now
    number, seen, until = 0, [set[int]() for _ in made.pods], made.clock.now + seconds
    took: list[float] = []
    while made.clock.now < until:
        for pod, known in zip(made.pods, seen, strict=True):
            found = addresses(await pod.discover())
            if f"10.0.1.{number}" in found and number not in known:
                known.add(number)
                took.append(made.clock.now - changed)
        made.clock.now += STEP
        if made.clock.now - changed >= change_every:
            assert all(number in known for known in seen) or not number, f"{number} was never seen"
            number += 1
            made.zone.add("kubia-1", 8080, f"10.0.1.{number}")
            changed = made.clock.now
    return took


async def test_no_list_is_older_than_a_slot_where_everything_is_cached_for_thirty_seconds(
    clock: Time,
) -> None:
    async with cluster(clock, pods=3) as made:
        took = await lags(made, 240)
    assert len(took) > 90
    assert max(took) <= SLOT + STEP


async def test_pods_whose_clocks_differ_by_half_a_second_see_a_change_hardly_later(clock: Time) -> None:
    async with cluster(clock) as made:
        made.start(skew=0.5)
        made.start(skew=-0.5)
        took = await lags(made, 120)
    assert max(took) <= SLOT + 0.5 + STEP


async def test_a_whole_set_asks_one_fresh_question_in_a_slot(clock: Time) -> None:
    async with cluster(clock, pods=10) as made:
        fresh = 0
        whole = made.zone.__call__

        def counted(query: dns.message.Message, via: str) -> dns.message.Message:
            nonlocal fresh
            fresh += 1
            return whole(query, via)

        made.cache = Cache(lambda query: counted(query, "udp"), CACHED, lambda: clock.now)
        until = clock.now + 2 * ROUND_TIME
        while clock.now < until:
            for pod in made.pods:
                await pod.discover()
            clock.now += STEP
    assert 14 <= fresh <= 18


async def test_where_only_the_bare_name_has_an_answer_there_are_four_ways_and_longer_slots(
    clock: Time,
) -> None:
    async with cluster(clock, pods=2) as made:
        made.zone.named = False
        took = await lags(made, 240, change_every=12.1)
    assert len(took) > 30
    assert max(took) <= 2 * SLOT + STEP


async def test_where_the_ttl_is_shorter_than_thirty_seconds_no_list_is_older_than_it(clock: Time) -> None:
    async with cluster(clock, pods=2, ttl=2) as made:
        took = await lags(made, 120)
    assert max(took) <= 2 + STEP


async def test_where_nothing_is_cached_a_change_is_seen_at_once(clock: Time) -> None:
    async with cluster(clock, pods=2, cached=0) as made:
        took = await lags(made, 60)
    assert max(took) == 0


async def test_where_nothing_is_cached_and_the_default_bound_a_change_is_seen_within_a_second(
    clock: Time,
) -> None:
    async with cluster(clock, pods=0, cached=0) as made:
        for _ in range(2):
            made.start(max_age=Settings().dns_max_age)
        took = await lags(made, 60)
    assert max(took) <= 1


async def test_whoever_is_first_in_a_set_that_had_nobody_is_seen_in_its_turn(clock: Time) -> None:
    async with cluster(clock, pods=2) as made:
        made.zone.pods.clear()
        for quiet in range(8, 40, 3):
            for _ in range(round(quiet / STEP)):
                for pod in made.pods:
                    await pod.discover()
                clock.now += STEP
            made.zone.add("kubia-1", 8080, "10.0.1.1")
            came = clock.now
            while not all(["10.0.1.1" in addresses(await pod.discover()) for pod in made.pods]):
                clock.now += STEP
                assert clock.now - came <= SLOT + STEP, quiet
            made.zone.pods.clear()
            clock.now += ROUND_TIME


async def test_a_ttl_that_is_lowered_freezes_no_list(clock: Time) -> None:
    async with cluster(clock, pods=2) as made:
        await lags(made, 60)
        made.zone.ttl = 5
        made.cache = Cache(lambda query: made.zone(query, "udp"), 5, lambda: clock.now)
        await lags(made, 3 * ROUND_TIME, change_every=31)
        took = await lags(made, 60)
        asked = len(made.names.asked)
        for _ in range(60):
            for pod in made.pods:
                await pod.discover()
            clock.now += STEP
    assert max(took) <= 5 + STEP
    assert len(made.names.asked) - asked <= 130  # one question each, not two


async def test_what_others_asked_out_of_turn_is_recognised_by_its_ttl_and_passed_over(clock: Time) -> None:
    """Somebody digs for the plain names all the time: their entries are old whenever their turn comes."""
    async with cluster(clock, pods=2) as made:
        for _ in range(3):  # the longest TTL is known
            await made.pods[0].discover()
            await made.pods[1].discover()
            clock.now += SLOT

        took = []
        for _ in range(4):
            for way in (Way(named=True), Way(named=False)):
                made.ask_as_others_do(way)
            took += await lags(made, 30)
    assert max(took) <= SLOT + STEP + 0.5


async def test_an_older_answer_than_what_is_known_changes_nothing(clock: Time) -> None:
    async with cluster(clock) as made:
        (pod,) = made.pods
        for way in WAYS[1:]:
            made.ask_as_others_do(way)  # kubia-1 is not there yet
        clock.now += 10
        made.zone.add("kubia-1", 8080, "10.0.1.1")
        known = False
        for _ in range(40):
            found = "10.0.1.1" in addresses(await pod.discover())
            assert found or not known
            known = found
            clock.now += STEP
        assert known


async def test_a_process_that_starts_asks_in_the_turn_of_its_slot(clock: Time) -> None:
    async with cluster(clock, pods=2) as made:
        for _ in range(20):
            await made.pods[0].discover()
            clock.now += SLOT
            starting = made.start()
            first, other = await starting.discover(), await made.pods[0].discover()
            assert first.asked is not None
            assert other.asked is not None
            assert first.asked.way == other.asked.way


async def test_a_doubt_asks_the_next_way_at_once_and_leaves_the_turns_to_come_their_answers(
    clock: Time,
) -> None:
    async with cluster(clock) as made:
        (pod,) = made.pods
        for _ in range(80):  # all ways were asked
            await pod.discover()
            clock.now += STEP
        begin = clock.now - clock.now % SLOT + SLOT
        clock.now = begin + 0.1
        await pod.discover()
        made.zone.add("kubia-1", 8080, "10.0.1.1")
        clock.now = begin + 2.0
        assert "10.0.1.1" not in addresses(await pod.discover())
        clock.now += 1
        pod.doubt()
        assert "10.0.1.1" in addresses(await pod.discover())
        took = []
        for _ in range(8):
            took += await lags(made, 16)
            pod.doubt()  # again and again
    assert max(took) <= SLOT + STEP + 0.5


async def test_doubts_of_a_process_that_starts_do_not_use_up_what_is_to_come(clock: Time) -> None:
    """Nobody asked for long: all ways would be answered afresh, but only once in thirty seconds."""
    async with cluster(clock) as made:
        (pod,) = made.pods
        for _ in range(20):
            await pod.discover()
            clock.now += 1
            pod.doubt()
        took = await lags(made, 60)
    assert max(took) <= SLOT + STEP + 0.5


def without_bits(zone: Zone, otherwise: Script) -> Script:
    """Answers plain questions, and all others like that."""

    def script(query: dns.message.Message, via: str) -> Reply:
        if query.flags & dns.flags.CD or query.ednsflags & dns.flags.DO:
            reply = otherwise(query, via)
            assert reply is None or isinstance(reply, dns.message.Message)
            return reply
        return zone(query, via)

    return script


@pytest.mark.parametrize("code", [dns.rcode.REFUSED, dns.rcode.FORMERR, dns.rcode.SERVFAIL, dns.rcode.NOTIMP])
async def test_a_server_that_refuses_such_questions_is_asked_plainly_from_then_on(
    clock: Time, caplog: pytest.LogCaptureFixture, code: dns.rcode.Rcode
) -> None:
    async with cluster(clock) as made:
        (pod,) = made.pods
        made.names.script = without_bits(made.zone, rcode(code))
        refused = 0
        for _ in range(40):
            before = len(made.names.asked)
            found = await pod.discover()
            refused += len(made.names.asked) - before > 1
            assert found.failure is None
            assert found.asked is not None
            assert found.asked.way.is_plain
            clock.now += 1
        assert found.asked is not None
    assert refused == 1
    assert found.state()["asked"] == {
        "name": f"_http._tcp.{NAME}" if found.asked.way.named else NAME,
        "cd": False,
        "do": False,
        "at": ANY,
        "plain_only": True,
    }
    assert [record.message[:71] for record in caplog.records] == [
        "The name server does not answer questions with CD or DO (DNS failed: " + dns.rcode.to_text(code)[:2]
    ]


@pytest.mark.parametrize("failures", [1, 5])
async def test_a_server_that_took_such_questions_and_fails_for_a_while_does_not_refuse_them(
    clock: Time, failures: int
) -> None:
    async with cluster(clock) as made:
        (pod,) = made.pods
        whole = made.names.script
        for _ in range(40):
            await pod.discover()
            clock.now += 1
        made.names.script = without_bits(made.zone, rcode(dns.rcode.SERVFAIL))
        for _ in range(failures):
            assert (await pod.discover()).failure is None
            clock.now += SLOT
        made.names.script = whole
        took = await lags(made, 120)
        found = await pod.discover()
    assert found.asked is not None
    assert not found.asked.plain_only
    assert max(took) <= SLOT + STEP


async def test_where_such_questions_vanish_a_list_is_there_all_the_same(clock: Time) -> None:
    async with cluster(clock) as made:
        (pod,) = made.pods
        made.names.script = without_bits(made.zone, silence)
        for _ in range(12):
            found = await pod.discover()
            assert found.failure is None
            clock.now += SLOT
    assert found.asked is not None
    assert found.asked.plain_only


async def test_a_server_that_fails_altogether_is_not_taken_for_one_that_knows_no_bits(clock: Time) -> None:
    async with cluster(clock) as made:
        (pod,) = made.pods
        whole, made.names.script = made.names.script, rcode(dns.rcode.SERVFAIL)
        for _ in range(8):
            assert (await pod.discover()).failure is not None
            clock.now += SLOT
        made.names.script = whole
        clock.now += 5
        asked = {(await pod.discover()).asked for _ in range(3)}
        found = await pod.discover()
    assert asked
    assert found.asked is not None
    assert not found.asked.plain_only


async def test_dnssec_data_is_ignored(clock: Time) -> None:
    async with cluster(clock) as made:
        (pod,) = made.pods
        signature = "SRV 8 5 30 20300101000000 20200101000000 1 cluster.local. c2lnbmVk"

        def script(query: dns.message.Message, _: str) -> dns.message.Message:
            answer = made.cache.answer(query)
            if query.ednsflags & dns.flags.DO and answer.answer:
                name = answer.answer[0].name
                answer.answer.insert(0, dns.rrset.from_text(name, 30, "IN", "RRSIG", signature))
                answer.additional.append(
                    dns.rrset.from_text(
                        f"kubia-0.{SERVICE}", 30, "IN", "RRSIG", signature.replace("SRV", "A", 1)
                    )
                )
            return answer

        made.names.script = script
        seen = set()
        for _ in range(12):
            found = await pod.discover()
            assert found.asked is not None
            seen.add(found.asked.way)
            assert [peer.is_self for peer in found.peers] == [True]
            assert (found.failure, found.diagnostics) == (None, ())
            clock.now += SLOT
    assert seen == set(WAYS)
