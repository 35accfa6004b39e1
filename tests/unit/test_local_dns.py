"""The local set's name server renders an answer once for all who ask the same of the same pods."""

import asyncio
from contextlib import AsyncExitStack
from dataclasses import dataclass, field

import dns.asyncquery
import dns.flags
import dns.message

from kubia_pet.local.dns_server import NameServer, Zone
from tests.support.dns_server import NAME


@dataclass(frozen=True)
class Counted(Zone):
    """A zone that remembers what it was asked."""

    asked: list[str] = field(default_factory=list)

    def answer(self, query: dns.message.Message) -> dns.message.Message:
        self.asked.append(query.question[0].to_text())
        return super().answer(query)


async def test_an_answer_is_rendered_once_until_the_pods_change() -> None:
    pods = {f"kubia-{ordinal}": ("127.0.0.1", 8081 + ordinal) for ordinal in range(100)}
    zone = Counted(NAME, pods)
    async with NameServer(zone, "127.0.0.1", 0) as (host, port):
        for listed in (100, 101):
            zone.asked.clear()
            for _ in range(5):
                query = dns.message.make_query(NAME, "SRV", use_edns=0, payload=1232)
                cut = await dns.asyncquery.udp(query, host, 2, port)
                assert (bool(cut.flags & dns.flags.TC), len(cut.answer)) == (True, 0)
                whole = await dns.asyncquery.tcp(query, host, 2, port)
                assert (len(whole.answer[0]), len(whole.additional)) == (listed, listed)
            assert len(zone.asked) == 2, "once over UDP, and once over TCP"
            pods["kubia-100"] = "127.0.0.1", 9000


async def test_each_question_has_its_own_answer() -> None:
    zone = Zone(NAME, {f"kubia-{ordinal}": (f"10.0.0.{ordinal}", 8080) for ordinal in range(3)})
    async with NameServer(zone, "127.0.0.1", 0) as (host, port):
        for ordinal in (0, 1, 2, 0, 1, 2):
            query = dns.message.make_query(f"kubia-{ordinal}.{NAME}", "A")
            answer = await dns.asyncquery.udp(query, host, 2, port)
            assert [each.to_text() for each in answer.answer[0]] == [f"10.0.0.{ordinal}"]


async def test_a_question_over_tcp_does_not_wait_for_two_hundred_slow_clients() -> None:
    zone = Zone(NAME, {"kubia-0": ("10.0.0.1", 8080)})
    async with AsyncExitStack() as stack:
        host, port = await stack.enter_async_context(NameServer(zone, "127.0.0.1", 0))
        for _ in range(200):
            _, writer = await asyncio.open_connection(host, port)
            stack.callback(writer.close)
        query = dns.message.make_query(NAME, "SRV")
        assert len((await dns.asyncquery.tcp(query, host, 2, port)).answer) == 1
