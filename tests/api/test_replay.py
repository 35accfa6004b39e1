"""A request that repeats the one before it is answered as if it were the first."""

import asyncio
import gc
import os
import re
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from aiohttp import web
from hypothesis import given, settings
from hypothesis import strategies as st

from kubia_pet.config import Settings
from kubia_pet.limits import MAX_REPLAY_BYTES, MAX_REPLAYS_BYTES, REPLAY_OVERHEAD_BYTES
from kubia_pet.web.app import build
from tests.hostile.clients.raw_http import address_of, deaf_client
from tests.hostile.clients.vitals import memory, reads_proc
from tests.support.disk import Disk
from tests.support.pod import Pod, until
from tests.support.serving import serving

DATA = b"GET /data HTTP/1.1\r\nHost: a\r\n\r\n"
OVERVIEW = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
NOWHERE = b"GET /nowhere HTTP/1.1\r\nHost: a\r\n\r\n"
HEAD = b"HEAD /data HTTP/1.1\r\nHost: a\r\n\r\n"
MATCH = b"GET /data HTTP/1.1\r\nHost: a\r\nIf-None-Match: *\r\n\r\n"
WITH_BODY = b"GET /data HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\n\r\n\r\n"
CHUNKED = b"GET /data HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
ACCEPT = b"\r\nAccept: application/json\r\n\r\n"
READS = [
    DATA,
    OVERVIEW,
    HEAD,
    MATCH,
    DATA.replace(b"\r\n\r\n", ACCEPT),
    OVERVIEW.replace(b"\r\n\r\n", ACCEPT),
    b"HEAD / HTTP/1.1\r\nHost: a\r\n\r\n",
]
DELETE = b"DELETE / HTTP/1.1\r\nHost: a\r\n\r\n"
OLD = b"GET /data HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"
ALIVE = b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n"
LOOKS = 'kubia_pet_request_seconds_count{method="GET",route="/data",status="200"}'
COMMITS = 'kubia_pet_commit_seconds_count{outcome="ok"}'


@dataclass(frozen=True)
class Answer:
    status: int
    header: bytes
    body: bytes

    def without_date(self) -> tuple[bytes, bytes]:
        return re.sub(rb"\r\nDate: [^\r]+", b"", self.header), self.body


class Client:
    """One connection, kept open."""

    def __init__(self, streams: tuple[asyncio.StreamReader, asyncio.StreamWriter]) -> None:
        self.reader, self.writer = streams

    async def ask(self, request: bytes) -> Answer:
        self.writer.write(request)
        return await self.answer(request)

    async def answer(self, request: bytes) -> Answer:
        """The next answer, which is that to `request`."""
        header = await self.reader.readuntil(b"\r\n\r\n")
        status = int(header[9:12])
        found = re.search(rb"\r\nContent-Length: (\d+)\r\n", header)
        bodiless = request.startswith(b"HEAD") or status == 304
        return Answer(
            status, header, await self.reader.readexactly(int(found[1]) if found and not bodiless else 0)
        )


@asynccontextmanager
async def client_of(url: str) -> AsyncIterator[Client]:
    client = Client(await asyncio.open_connection(*address_of(url)))
    try:
        yield client
    finally:
        client.writer.transport.abort()


async def holds(pod: Pod, value: bytes) -> None:
    async with client_of(pod.url) as client:
        assert (await client.ask(post(value))).status == 200


def post(value: bytes) -> bytes:
    return b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n%b" % (len(value), value)


def on(loop: str, path: Path) -> dict[str, str]:
    """The environment of a pod that runs on this event loop."""
    (path / "uvloop.py").write_text("raise ImportError")
    return {"PYTHONPATH": str(path)} if loop == "asyncio" else {}


@pytest.fixture(scope="module", params=["asyncio", "uvloop"])
def held(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pod]:
    """A pod that others ask too, on each event loop."""
    path = tmp_path_factory.mktemp(request.param)
    with Pod(path / "data", env=on(request.param, path)) as pod:
        yield pod


@pytest.mark.parametrize(
    "value",
    [b"the value", b"\xff\0", b"", b"x" * 2**13, None],
    ids=["text", "bytes", "empty", "large", "none"],
)
@pytest.mark.parametrize("request_", [*READS, OLD])
async def test_it_gets_the_same_answer_to_the_byte(held: Pod, request_: bytes, value: bytes | None) -> None:
    async with client_of(held.url) as client, client_of(held.url) as other:
        await client.ask(DELETE if value is None else post(value))
        first, *others = [await client.ask(request_) for _ in range(20)]
        assert (await client.ask(ALIVE)).body == b"alive\n"
        others += await asyncio.gather(*(each.ask(request_) for each in (client, other)))
    assert {other.without_date() for other in others} == {first.without_date()}


@dataclass(frozen=True)
class Served:
    """A pod in this process: `parsed` counts the requests that aiohttp has parsed."""

    url: str
    data_dir: Path
    runner: web.AppRunner

    @property
    def parsed(self) -> int:
        assert self.runner.server
        return self.runner.server.requests_count


@pytest.fixture
async def served(tmp_path: Path) -> AsyncIterator[Served]:
    app = build(Settings(data_dir=tmp_path), pod="kubia-0", service=None, port=8080)
    async with serving(app) as (url, runner):
        yield Served(url, tmp_path, runner)


async def test_it_is_not_parsed_again(served: Served) -> None:
    (served.data_dir / "kubia.txt").write_text("1")
    async with client_of(served.url) as client:
        client.writer.write(post(b"1")[:-1])
        await asyncio.sleep(0.05)  # two packets, as many clients send head and body
        assert (await client.ask(b"1")).status == 200
        for number in range(100):
            assert (await client.ask(post(b"%03d" % number))).status == 200
        for _ in range(100):
            assert (await client.ask(DATA)).body == b"099"
    assert served.parsed < 100  # two a second, and the machine may be slow


@pytest.mark.parametrize("value", [b"the value", None], ids=["value", "none"])
@pytest.mark.parametrize("request_", READS)
async def test_nor_is_any_other_that_reads(served: Served, request_: bytes, value: bytes | None) -> None:
    async with client_of(served.url) as client:
        await client.ask(DELETE if value is None else post(value))
        for _ in range(100):
            await client.ask(request_)
    assert served.parsed < 50


async def test_clients_behind_a_proxy_may_differ_and_take_turns_on_each_connection(served: Served) -> None:
    requests = [DATA.replace(b"Host: a", b"Host: a\r\nUser-Agent: %d" % number) for number in range(16)]
    async with client_of(served.url) as first, client_of(served.url) as second:
        await first.ask(post(b"1"))
        for number in range(200):
            for client in (first, second):
                assert (await client.ask(requests[number % 16])).body == b"1"
    assert served.parsed < 200


async def test_several_hundred_clients_may_differ_and_more_take_no_more_memory(served: Served) -> None:
    def request(number: int, rest: bytes = b"") -> bytes:
        return DATA.replace(b"Host: a", b"Host: a\r\nX: %d%b" % (number, rest))

    before = kept("_Answer")
    async with client_of(served.url) as client:
        await client.ask(post(b"1"))
        for _ in range(2):
            parsed = served.parsed
            for number in range(200):
                await client.ask(request(number))
        assert served.parsed < parsed + 200
        for number in range(2000):
            await client.ask(request(number))
        assert (kept("_Answer") - before - 1) * REPLAY_OVERHEAD_BYTES <= MAX_REPLAYS_BYTES
        for number in range(2 * MAX_REPLAYS_BYTES // MAX_REPLAY_BYTES):
            await client.ask(request(number, b"x" * (MAX_REPLAY_BYTES - 100)))
        assert (kept("_Answer") - before - 1) * (MAX_REPLAY_BYTES - 100) <= MAX_REPLAYS_BYTES


async def test_no_value_is_kept_for_an_answer_without_a_body(served: Served) -> None:
    before = kept("Value")
    async with client_of(served.url) as client:
        for number in range(40):
            await client.ask(post(b"%d" % number * 100_000))
            asked = MATCH.replace(b"Host: a", b"Host: a\r\nUser-Agent: %d" % number)
            assert (await client.ask(asked)).status == 304
        assert kept("Value") < before + 10


@reads_proc
async def test_nor_for_the_last_request_of_each_connection(tmp_path: Path) -> None:
    with Pod(tmp_path / "data") as pod:
        async with AsyncExitStack() as stack, client_of(pod.url) as writer:
            clients = [await stack.enter_async_context(client_of(pod.url)) for _ in range(60)]
            before = memory(pod.process.pid)
            for number, client in enumerate(clients):
                await writer.ask(post(b"%d" % (number % 10) * 2**20))
                assert (await client.ask(WITH_BODY if number % 2 else DATA)).status == 200
            assert memory(pod.process.pid) - before < 30 * 2**20


def kept(name: str) -> int:
    gc.collect()
    return sum(type(each).__name__ == name for each in gc.get_objects())


async def test_a_change_is_given_again_to_the_client_that_made_it_alone(served: Served) -> None:
    """As the log names who did it."""
    async with client_of(served.url) as first, client_of(served.url) as second:
        for value in (b"", b"1"):
            for _ in range(5):
                await first.ask(post(value))
            parsed = served.parsed
            await second.ask(post(value))
            assert served.parsed == parsed + 1


async def test_an_empty_line_before_a_request_ends_the_short_cut_of_its_connection(served: Served) -> None:
    (served.data_dir / "kubia.txt").write_text("1")
    async with client_of(served.url) as client, client_of(served.url) as other:
        for request in (b"\r\n" + DATA, *[DATA] * 20, *[b"\r\n" + DATA] * 20):
            assert (await client.ask(request)).body == b"1"
        assert served.parsed == 41
        for _ in range(40):
            assert (await other.ask(DATA)).body == b"1"
        assert served.parsed < 41 + 40


async def test_a_write_that_fails_is_not_done_again(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    """It may still take effect: done again, it could undo another one that came between."""
    disk = Disk(monkeypatch)
    async with client_of(served.url) as client, client_of(served.url) as other:
        assert [(await client.ask(post(b"1"))).status for _ in range(3)] == [200] * 3
        parsed = served.parsed
        with disk.failing("file"):
            failed = await client.ask(post(b"2"))
            assert failed.status == 503
            assert b"Input/output error" in failed.body
        assert served.parsed == parsed + 1
        assert await counted(other, 'kubia_pet_commit_seconds_count{outcome="failed"}') == 1
        assert (await client.ask(post(b"3"))).status == 200
        assert (await client.ask(DATA)).body == b"3"


async def test_nothing_runs_between_the_end_of_a_request_and_its_answer(tmp_path: Path) -> None:
    """So aiohttp does it, and the short cut leans on it: what it remembers holds for what comes next."""
    app = build(Settings(data_dir=tmp_path), pod="kubia-0", service=None, port=8080)
    sent: list[int] = []

    @web.middleware
    async def watch(
        request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        response = await handler(request)
        asyncio.get_running_loop().call_soon(lambda: sent.append(request.writer.output_size))
        return response

    app.middlewares.insert(0, watch)
    got = []
    async with serving(app) as (url, _), client_of(url) as client:
        for request in (DATA, post(b"x" * 8000), HEAD, MATCH, DATA + HEAD, NOWHERE):
            answers = [await client.ask(request)]
            answers += [await client.answer(HEAD)] if request == DATA + HEAD else []
            got += [len(answer.header + answer.body) for answer in answers]
    assert sent == got


async def test_it_gets_a_new_value_at_once_whoever_changed_it_and_however(held: Pod) -> None:
    file = held.data_dir / "kubia.txt"
    async with client_of(held.url) as reader, client_of(held.url) as other, client_of(held.url) as writer:
        for number in range(30):
            value = b"%d" % number
            if number % 3 == 0:
                assert (await writer.ask(post(value))).status == 200
            elif number % 3 == 1:
                file.write_bytes(value)
            else:
                (held.data_dir / "new").write_bytes(value)
                (held.data_dir / "new").rename(file)
            assert [(await reader.ask(DATA)).body for _ in range(3)] == [value] * 3
            assert b"Data stored on this pod: %b\n" % value in (await other.ask(OVERVIEW)).body
        file.unlink()
        assert (await reader.ask(DATA)).status == 404
        assert (await reader.ask(DATA)).status == 404


async def test_it_is_told_of_a_fault_and_of_its_end(tmp_path: Path) -> None:
    with Pod(tmp_path / "data") as pod:
        async with client_of(pod.url) as client:
            await client.ask(post(b"1"))
            assert [(await client.ask(DATA)).status for _ in range(5)] == [200] * 5
            for request in (DATA, post(b"2")):
                pod.data_dir.rename(tmp_path / "away")
                assert [(await client.ask(request)).status for _ in range(5)] == [503] * 5
                assert b"is gone" in (await client.ask(request)).body
                (tmp_path / "away").rename(pod.data_dir)
                assert [(await client.ask(request)).status for _ in range(5)] == [200] * 5


async def test_a_value_is_written_once_whatever_comes_meanwhile(held: Pod) -> None:
    async with client_of(held.url) as client:
        await client.ask(post(b"00"))
        before = await counted(client, COMMITS)
        for number in range(50):
            client.writer.write(post(b"%02d" % number))
            await asyncio.sleep(number % 5 * 0.0005)  # the value is being written, or it was
            client.writer.write(DATA)
            assert (await client.answer(post(b""))).status == 200
            assert (await client.answer(DATA)).body == b"%02d" % number
        assert await counted(client, COMMITS) == before + 50


async def test_it_is_counted(held: Pod) -> None:
    async with client_of(held.url) as client:
        await client.ask(post(b"1"))
        before = await counted(client, LOOKS)
        for _ in range(50):
            await client.ask(DATA)
        assert await counted(client, LOOKS) == before + 50


async def test_clients_that_ask_by_turns_or_at_once_see_each_value_like_one_that_is_alone(held: Pod) -> None:
    async with client_of(held.url) as first, client_of(held.url) as second, client_of(held.url) as writer:
        for number in range(60):
            await writer.ask(post(b"%02d" % number))
            before = await counted(writer, LOOKS)
            by_turns = [await client.ask(DATA) for client in (first, second, first, first, second)]
            at_once = await asyncio.gather(*(client.ask(DATA) for client in (first, second)))
            assert {answer.body for answer in (*by_turns, *at_once)} == {b"%02d" % number}
            assert await counted(writer, LOOKS) == before + 7


@pytest.mark.parametrize(("request_", "route"), [(ALIVE, "/healthz"), (DATA, "/data")])
async def test_the_time_of_an_answer_is_counted_to_less_than_a_millisecond(
    held: Pod, request_: bytes, route: str
) -> None:
    total = f'kubia_pet_request_seconds_sum{{method="GET",route="{route}",status="200"}}'
    fractions = 0
    async with client_of(held.url) as client, client_of(held.url) as other:
        await client.ask(post(b"1"))
        for _ in range(20):
            before = await metric(other, total)
            await client.ask(request_)
            milliseconds = 1000 * (await metric(other, total) - before)
            fractions += abs(milliseconds - round(milliseconds)) > 1e-6
    assert fractions > 10  # about once a second an answer to DATA is made anew, and timed elsewhere


async def counted(client: Client, what: str) -> int:
    return int(await metric(client, what))


async def metric(client: Client, what: str) -> float:
    metrics = (await client.ask(b"GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n")).body.decode()
    found = re.search(rf"^{re.escape(what)} (\S+)", metrics, re.MULTILINE)
    return float(found[1]) if found else 0.0


# --- Order, whatever comes when --------------------------------------------------------------------


async def test_the_end_of_a_request_that_came_in_two_packets_is_no_request(held: Pod) -> None:
    await holds(held, b"1")
    async with client_of(held.url) as client:
        client.writer.write(DATA[:20])
        await asyncio.sleep(0.05)  # two packets
        assert (await client.ask(DATA[20:])).status == 200
        assert (await client.ask(DATA[20:])).status == 400


async def test_a_request_and_the_begin_of_one_are_no_request_and_a_begin_again(held: Pod) -> None:
    await holds(held, b"1")
    async with client_of(held.url) as client:
        assert [(await client.ask(DATA + b"GET /da")).status for _ in range(2)] == [200, 400]


async def test_a_body_in_chunks_that_comes_after_its_head_is_no_request(held: Pod) -> None:
    async with client_of(held.url) as client:
        await client.ask(post(b"1"))
        for _ in range(5):
            assert (await client.ask(CHUNKED[:-5])).body == b"1"
            client.writer.write(CHUNKED[-5:])
        assert (await client.ask(ALIVE)).body == b"alive\n"
    async with client_of(held.url) as client:
        assert (await client.ask(CHUNKED[:-5])).status == 200
        client.writer.write(CHUNKED[:-5])  # in the place of a chunk
        assert await client.reader.read() == b""


REQUESTS = [
    *[DATA] * 8,
    OVERVIEW,
    HEAD,
    MATCH,
    NOWHERE,
    ALIVE,
    WITH_BODY,
    *[CHUNKED] * 3,
    *[post(b"first"), post(b"other"), post(b"empty")] * 2,
    post(b"second"),
    post(b""),
]


def expected(request: bytes, value: bytes) -> tuple[int, bytes]:
    """The answer's status and body, where a pod holds this value."""
    match request:
        case _ if request in (DATA, WITH_BODY, CHUNKED):
            return 200, value
        case _ if request == OVERVIEW:
            return 200, b"You've hit kubia-0\nData stored on this pod: %b\n" % value
        case _ if request == HEAD:
            return 200, b""
        case _ if request == MATCH:
            return 304, b""
        case _ if request == NOWHERE:
            return 404, b"There is nothing here: see / and /openapi.json.\n"
        case _ if request == ALIVE:
            return 200, b"alive\n"
        case _:
            return 200, b"Data stored on pod kubia-0\n"


@settings(max_examples=150, deadline=None)
@given(
    sent=st.lists(
        st.tuples(st.sampled_from(REQUESTS), st.booleans(), st.sampled_from([0] * 20 + [1, 5, 20, 29, 40])),
        min_size=1,
        max_size=30,
    )
)
def test_however_requests_are_cut_and_pipelined_each_gets_its_own_answer(
    held: Pod, sent: Sequence[tuple[bytes, bool, int]]
) -> None:
    """Each request is sent in two pieces, cut at a place; before some the client awaits all answers."""

    async def play() -> None:
        value = b"zeroth"
        async with client_of(held.url) as client, asyncio.timeout(10):
            await client.ask(post(value))
            due: list[tuple[bytes, tuple[int, bytes]]] = []
            for request, waits, cut in sent:
                if waits:
                    await take(client, due)
                for piece in (request[:cut], request[cut:]):
                    client.writer.write(piece)
                    await asyncio.sleep(0)  # two packets, mostly
                if request.startswith(b"POST"):
                    value = request.rpartition(b"\n")[2]
                due.append((request, expected(request, value)))
            await take(client, due)
            assert (await client.ask(ALIVE)).body == b"alive\n"  # no answer is left over

    asyncio.run(play())


async def take(client: Client, due: list[tuple[bytes, tuple[int, bytes]]]) -> None:
    for request, answer in due:
        got = await client.answer(request)
        assert (got.status, got.body) == answer
    due.clear()


async def test_a_request_whose_answer_has_changed_does_not_count_against_itself(tmp_path: Path) -> None:
    with Pod(tmp_path / "data", "--max-connections=1") as pod:
        async with client_of(pod.url) as reader, client_of(pod.url) as writer:
            for number in range(20):
                assert (await writer.ask(post(b"%d" % number))).status == 200
                assert (await reader.ask(OVERVIEW)).body.endswith(b": %d\n" % number)


# --- Deadlines and bounds --------------------------------------------------------------------------


async def test_a_connection_is_kept_while_requests_come_and_closed_when_none_came_for_long(
    tmp_path: Path,
) -> None:
    with Pod(tmp_path / "data", "--client-timeout=1s") as pod:
        async with client_of(pod.url) as client:
            await client.ask(post(b"1"))
            for _ in range(20):
                await asyncio.sleep(0.1)  # twice the time-out in all
                last, _ = time.monotonic(), await client.ask(DATA)
            assert await client.reader.read() == b""
            assert 0.9 < time.monotonic() - last < 3


@reads_proc
async def test_answers_that_a_client_does_not_take_do_not_pile_up(tmp_path: Path) -> None:
    # Where asyncio copies what waits: elsewhere one answer that waits many times takes no more memory.
    with Pod(tmp_path / "data", "--client-timeout=60s", env=on("asyncio", tmp_path)) as pod:
        async with client_of(pod.url) as client:
            await client.ask(post(b"x" * 8_000))
        before = memory(pod.process.pid)
        with deaf_client(pod.url) as deaf:
            deaf.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            began = time.monotonic()
            while time.monotonic() - began < 3:
                deaf.sendall(DATA)
                await asyncio.sleep(0.003)  # so that each is a packet
            assert memory(pod.process.pid) - before < 4 * 2**20
            async with client_of(pod.url) as other:
                assert (await other.ask(ALIVE)).status == 200


async def test_a_pod_that_ends_says_so_in_the_next_answer(tmp_path: Path) -> None:
    with Pod(tmp_path / "data", "--drain=60s") as pod:
        async with client_of(pod.url) as client:
            await client.ask(post(b"1"))
            for _ in range(5):
                assert b"Connection: close" not in (await client.ask(DATA)).header
            os.kill(pod.process.pid, 15)
            until("the drain", lambda: "is ending" in pod.log.read_text())
            assert b"Connection: close" in (await client.ask(DATA)).header
            assert await client.reader.read() == b""
