"""The local set's name server, asked by very many pods."""

import asyncio
from dataclasses import dataclass, field

import dns.asyncquery
import dns.flags
import dns.message
import dns.rcode

from kubia_pet.local.dns_server import NameServer, Zone
from tests.support.dns_server import NAME


@dataclass(frozen=True)
class Counted(Zone):
    """Counts the answers that it makes."""

    made: list[str] = field(default_factory=list)

    def answer(self, query: dns.message.Message) -> dns.message.Message:
        self.made.append(str(query.question[0]))
        return super().answer(query)


async def ask(server: tuple[str, int]) -> int:
    """The pods that it names, over TCP where UDP has no room."""
    query = dns.message.make_query(NAME, "SRV")
    answer, used_tcp = await dns.asyncquery.udp_with_fallback(query, server[0], 5, port=server[1])
    assert query.is_response(answer), "each has its own number"
    assert answer.rcode() == dns.rcode.NOERROR
    assert used_tcp == (len(answer.answer[0]) > 10)
    assert len(answer.answer[0]) == len(answer.additional)
    return len(answer.answer[0])


async def test_one_answer_is_made_for_all_who_ask_until_the_pods_change() -> None:
    pods = {f"kubia-{number}": ("127.0.0.1", 8081 + number) for number in range(100)}
    zone = Counted(NAME, pods)
    async with NameServer(zone, "127.0.0.1", 0) as server:
        assert await asyncio.gather(*(ask(server) for _ in range(30))) == [100] * 30
        assert len(zone.made) == 2, "one to be told that UDP has no room, and one"
        del pods["kubia-99"]
        assert await ask(server) == 99
        assert len(zone.made) == 4


async def test_what_is_kept_for_strangers_is_bounded() -> None:
    zone = Counted(NAME, {"kubia-0": ("127.0.0.1", 8081)})
    async with NameServer(zone, "127.0.0.1", 0) as server:
        for number in range(300):
            query = dns.message.make_query(f"no-{number}.{NAME}", "A")
            answer, _ = await dns.asyncquery.udp_with_fallback(query, server[0], 5, port=server[1])
            assert answer.rcode() == dns.rcode.NXDOMAIN
        assert await ask(server) == 1
