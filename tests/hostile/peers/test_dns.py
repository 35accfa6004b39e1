"""Name servers that fail, lie or send garbage: always a labelled answer in time, never an exception."""

import contextlib
import struct
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator

import dns.flags
import dns.message
import dns.opcode
import dns.rcode
import dns.rrset
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kubia_pet.discovery import Discovered, Discovery, Resolver
from kubia_pet.discovery.answer import ResolutionFailedError
from kubia_pet.discovery.records import peers_in
from kubia_pet.discovery.rotation import Way
from tests.hostile.peers.crowd import crowd
from tests.hostile.peers.loop_watch import BOUND, shortest_hold
from tests.support.dns_server import SERVICE, NameServer, Reply, Script, Zone, rcode, silence
from tests.support.gathering import is_ready

TIMEOUT = 0.4
NAMED = f"_http._tcp.{SERVICE}"


class Unobserved:
    def looked_up(self, _: float, __: int, *, ok: bool) -> None:
        pass


def zone_of(number: int) -> Zone:
    zone = Zone()
    for ordinal in range(number):
        zone.add(f"kubia-{ordinal}", 8080, f"10.0.{ordinal // 250}.{ordinal % 250}")
    return zone


@contextlib.asynccontextmanager
async def discovery(names: int, seconds: float = TIMEOUT) -> AsyncIterator[Discovery]:
    lookup = Resolver(SERVICE, nameserver=("127.0.0.1", names), timeout=seconds)
    opened = Discovery(lookup, pod="kubia-0", port=8080, max_age=0, observer=Unobserved(), ready=is_ready)
    try:
        yield opened
    finally:
        opened.close()


async def discovered(script: Script, *, tcp: bool = True) -> Discovered:
    """What is discovered, in time, with an event loop that is not held."""
    found = []
    with NameServer(script, tcp=tcp) as names:
        async with discovery(names.address[1]) as opened:

            async def discover() -> None:
                began = time.monotonic()
                found.append(await opened.discover())
                assert time.monotonic() - began < TIMEOUT + 0.3

            assert await shortest_hold(discover) < BOUND
    return found[-1]


def over_tcp(reply: Script) -> Script:
    """Says over UDP that the answer is too long, and gives it over TCP."""

    def script(query: dns.message.Message, via: str) -> Reply:
        if via == "tcp":
            given = reply(query, via)
            assert given is None or isinstance(given, dns.message.Message | bytes)
            return given
        cut = dns.message.make_response(query)
        cut.flags |= dns.flags.TC
        return cut

    return script


def wire(query: dns.message.Message, *, number: int = 3) -> bytes:
    return zone_of(number)(query, "tcp").to_wire(max_size=65535)


def wrong_id(query: dns.message.Message, _: str) -> bytes:
    return struct.pack("!H", query.id ^ 1) + wire(query)[2:]


def wrong_question(query: dns.message.Message, _: str) -> dns.message.Message:
    other = dns.message.make_query("_http._tcp.evil.example.", "SRV", use_edns=True)
    other.id = query.id
    return Zone({"evil-0.evil.example.": (80, ["203.0.113.1"])}, service="evil.example.")(other, "udp")


def a_question_of_its_own(query: dns.message.Message, _: str) -> bytes:
    return query.to_wire()


def another_opcode(query: dns.message.Message, _: str) -> dns.message.Message:
    answer = zone_of(3)(query, "udp")
    answer.set_opcode(dns.opcode.UPDATE)
    return answer


def garbage(query: dns.message.Message, _: str) -> bytes:
    return struct.pack("!H", query.id) + b"\xff" * 500


def half(query: dns.message.Message, _: str) -> bytes:
    whole = wire(query)
    return whole[: len(whole) // 2]


def nothing_at_all(_: dns.message.Message, __: str) -> bytes:
    return b""


def pointer_to_itself(query: dns.message.Message, _: str) -> bytes:
    header = struct.pack("!6H", query.id, 0x8180, 1, 1, 0, 0)
    question = query.question[0].name.to_wire() or b""
    here = 12 + len(question) + 4
    return header + question + struct.pack("!2H", 33, 1) + struct.pack("!HHHIH", 0xC000 | here, 33, 1, 5, 0)


def pointers_in_a_ring(query: dns.message.Message, _: str) -> bytes:
    header = struct.pack("!6H", query.id, 0x8180, 1, 1, 0, 0)
    question = query.question[0].name.to_wire() or b""
    here = 12 + len(question) + 4
    ring = struct.pack("!2H", 0xC000 | (here + 2), 0xC000 | here)
    return header + question + struct.pack("!2H", 33, 1) + ring + struct.pack("!HHIH", 33, 1, 5, 0)


def longest_names(query: dns.message.Message, _: str) -> bytes:
    """64 KiB of records whose owner is a name of 127 labels, one pointer for each."""
    header = struct.pack("!6H", query.id, 0x8180, 1, 0, 0, 0)
    wire = bytearray(header + (query.question[0].name.to_wire() or b"") + struct.pack("!2H", 16, 1))
    count, last = 0, 12
    while len(wire) < 65000:
        here = len(wire)
        deeper = count % 100
        owner = struct.pack("!BcH", 1, b"a", 0xC000 | (last if deeper and last < 0x3FFF else 12))
        wire += owner + struct.pack("!HHIH", 1, 1, 5, 4) + bytes([10, 0, count >> 8 & 255, count & 255])
        last, count = here, count + 1
    struct.pack_into("!H", wire, 10, count)
    return bytes(wire)


def alias_of_itself(query: dns.message.Message, _: str) -> dns.message.Message:
    answer = dns.message.make_response(query)
    name = query.question[0].name
    answer.answer = [
        dns.rrset.from_text(name, 5, "IN", "CNAME", "a.example."),
        dns.rrset.from_text("a.example.", 5, "IN", "CNAME", "b.example."),
        dns.rrset.from_text("b.example.", 5, "IN", "CNAME", "a.example."),
    ]
    return answer


def alias_of_nothing(query: dns.message.Message, _: str) -> dns.message.Message:
    answer = dns.message.make_response(query)
    answer.answer = [dns.rrset.from_text(query.question[0].name, 5, "IN", "CNAME", "gone.example.")]
    return answer


def addresses_of_another_class(query: dns.message.Message, _: str) -> dns.message.Message:
    zone = zone_of(3)
    zone.addresses = False
    answer = zone(query, "udp")
    answer.additional = [
        dns.rrset.from_text(f"kubia-{ordinal}.{SERVICE}", 5, "CH", "A", f"net{ordinal}. 4711")
        for ordinal in range(3)
    ]
    return answer


def nobody_serves_it(query: dns.message.Message, _: str) -> dns.message.Message:
    """RFC 2782: the root as target."""
    answer = dns.message.make_response(query)
    answer.answer = [dns.rrset.from_text(query.question[0].name, 5, "IN", "SRV", "0 0 0 .")]
    return answer


FAILED = {
    "SERVFAIL": rcode(dns.rcode.SERVFAIL),
    "REFUSED": rcode(dns.rcode.REFUSED),
    "NOTIMP": rcode(dns.rcode.NOTIMP),
    "YXDOMAIN": rcode(dns.rcode.YXDOMAIN),
    "silence": silence,
    "wrong id": wrong_id,
    "wrong question": wrong_question,
    "our own question": a_question_of_its_own,
    "another opcode": another_opcode,
    "garbage": garbage,
    "half an answer": half,
    "nothing at all": nothing_at_all,
    "a pointer to itself": pointer_to_itself,
    "pointers in a ring": pointers_in_a_ring,
    "an alias of itself": alias_of_itself,
}
ALONE = {
    "NXDOMAIN": rcode(dns.rcode.NXDOMAIN),
    "no data": lambda query, _: dns.message.make_response(query),
    "an alias of nothing": alias_of_nothing,
    "nobody serves it": nobody_serves_it,
}


@pytest.mark.parametrize("via", ["udp", "tcp"])
@pytest.mark.parametrize("lie", FAILED)
async def test_what_is_no_answer_is_a_failure_of_dns_and_no_exception(lie: str, via: str) -> None:
    found = await discovered(FAILED[lie] if via == "udp" else over_tcp(FAILED[lie]))
    assert [peer.is_self for peer in found.peers] == [True]
    assert found.failure is not None
    assert found.failure.code == "dns-failed"
    assert found.failure.message.isprintable()


@pytest.mark.parametrize("via", ["udp", "tcp"])
@pytest.mark.parametrize("kind", ALONE)
async def test_nobody_is_an_answer(kind: str, via: str) -> None:
    found = await discovered(ALONE[kind] if via == "udp" else over_tcp(ALONE[kind]))
    assert [peer.is_self for peer in found.peers] == [True]
    assert found.failure is None


@pytest.mark.parametrize("lie", ["wrong id", "wrong question", "garbage", "half an answer", "nothing at all"])
async def test_a_lie_that_comes_first_does_not_hide_the_true_answer(lie: str) -> None:
    lying = FAILED[lie]

    def script(query: dns.message.Message, via: str) -> list[Reply]:
        false = lying(query, via)
        assert isinstance(false, dns.message.Message | bytes)
        return [false, false, zone_of(3)(query, via)]

    found = await discovered(script)
    assert len(found.peers) == 3
    assert found.failure is None


async def test_a_truncated_answer_whose_tcp_is_refused_is_a_failure() -> None:
    found = await discovered(zone_of(100), tcp=False)
    assert found.failure is not None
    assert found.failure.message == "DNS failed: Connection refused."


async def test_all_addresses_gone_leaves_the_peers_named() -> None:
    zone = zone_of(3)
    zone.additional = zone.addresses = False
    found = await discovered(zone)
    assert [len(peer.endpoints) for peer in found.peers] == [0, 0, 0]
    assert found.failure is None


async def test_addresses_of_another_class_are_none() -> None:
    found = await discovered(addresses_of_another_class)
    assert len(found.peers) == 3
    assert not any(peer.endpoints for peer in found.peers)


async def test_an_answer_full_of_nested_names_is_given_up_in_time() -> None:
    found = await discovered(over_tcp(longest_names))
    assert [peer.is_self for peer in found.peers] == [True]


async def test_names_of_any_bytes_are_shown_as_one_plain_word() -> None:
    zone = Zone()
    odd = r"kubia\0101\027[2J\010-\032x\226\128\174-1"
    zone.pods = {f"{odd}.{SERVICE}": (8080, ["10.0.0.1"])}
    found = await discovered(zone)
    (name,) = (peer.name for peer in found.peers if not peer.is_self)
    assert name.isascii()
    assert name.isprintable()
    assert " " not in name


async def test_a_flood_of_false_answers_ends_at_the_deadline() -> None:
    """As long as datagrams come dnspython looks at no clock."""
    with flooding_server() as port:
        async with discovery(port) as opened:
            began = time.monotonic()
            found = await opened.discover()
            took = time.monotonic() - began
    assert took < TIMEOUT + 1  # the flood lasts for 2 s
    assert found.failure is not None
    assert found.failure.message == f"DNS gave no answer within {TIMEOUT} s."


FLOOD = """
import socket, sys, time
names = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
names.bind(("127.0.0.1", 0))
print(names.getsockname()[1], flush=True)
query, client = names.recvfrom(4096)
answer = bytes([query[0] ^ 1]) + query[1:]
until = time.monotonic() + 2
while time.monotonic() < until:
    for _ in range(100):
        names.sendto(answer, client)
"""


@contextlib.contextmanager
def flooding_server() -> Iterator[int]:
    """A process that answers its first query with wrong ids for two seconds, as fast as it can."""
    with subprocess.Popen([sys.executable, "-c", FLOOD], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        yield int(process.stdout.readline())
        process.kill()


@pytest.fixture(scope="module")
def mangling() -> Iterator[tuple[Resolver, dict[str, bytes]]]:
    """A look-up, and what its name server says over TCP after it."""
    said = {"answer": b""}

    def reply(query: dns.message.Message, _: str) -> bytes:
        return struct.pack("!H", query.id) + said["answer"][2:]

    with NameServer(over_tcp(reply)) as names:
        yield Resolver(SERVICE, nameserver=names.address, timeout=0.1), said


def _mangled(whole: bytes, cuts: list[tuple[int, int, bytes]]) -> bytes:
    """The bytes with some replaced: (where, how many, by what)."""
    for where, length, new in cuts:
        at = 2 + where % len(whole)
        whole = whole[:at] + new + whole[at + length :]
    return whole


@settings(max_examples=300, deadline=None)
@given(
    cuts=st.lists(
        st.tuples(st.integers(0, 400), st.integers(0, 4), st.binary(max_size=6)), min_size=1, max_size=4
    )
)
def test_a_mangled_answer_is_peers_or_a_failure(
    mangling: tuple[Resolver, dict[str, bytes]], cuts: list[tuple[int, int, bytes]]
) -> None:
    lookup, said = mangling
    query = dns.message.make_query(NAMED, "SRV", use_edns=True)
    said["answer"] = _mangled(wire(query), cuts)
    try:
        (answer, *_) = lookup.run(Way(named=True))
    except ResolutionFailedError as error:
        sentence = str(error)
        assert sentence.isprintable()
    else:
        peers, _ = peers_in(answer.records, service=answer.service, pod="kubia-0", port=8080)
        assert sum(peer.is_self for peer in peers) == 1
        assert all(peer.name.isprintable() for peer in peers)


@pytest.mark.parametrize(("number", "additional"), [(700, True), (1000, False)])
async def test_a_thousand_records_never_hold_the_event_loop(number: int, *, additional: bool) -> None:
    with crowd(number, additional=additional) as (_, names):
        async with discovery(names, 3.0) as opened:
            found = []

            async def discover() -> None:
                found.append(await opened.discover())

            assert await shortest_hold(discover) < BOUND
    assert len(found[-1].peers) == number
