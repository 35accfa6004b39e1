"""What every request meets on its way in and out: refusals, deadlines, the cap on connections, the end."""

import asyncio
import json
import re
import signal
import socket
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import aiohttp
import pytest

from kubia_pet.config import Settings
from kubia_pet.limits import CONNECTION_RESERVE, MAX_SENDING_BYTES, SENDING_PATIENCE
from kubia_pet.web.server import listen
from tests.hostile.clients.raw_http import (
    address_of,
    body_of,
    deaf_client,
    exchange,
    header_of,
    request,
    statuses,
)
from tests.hostile.clients.vitals import reads_proc, sockets
from tests.support.pod import Pod, until

LIMIT = 4096
OLD = "the old value"
STRICT = (f"--max-value={LIMIT}", "--body-timeout=1s", "--client-timeout=1s")
Stream = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@pytest.fixture(scope="module")
def strict(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pod]:
    """A pod with a small limit and short deadlines."""
    with Pod(tmp_path_factory.mktemp("strict") / "data", *STRICT) as started:
        yield started


@pytest.fixture
async def holding(strict: Pod) -> AsyncIterator[str]:
    """The URL of the strict pod, that holds an old value and must do so afterwards."""
    async with aiohttp.ClientSession(strict.url) as session:
        async with session.post("/", data=OLD) as response:
            assert response.status == 200
        yield strict.url
        async with session.get("/data") as response:
            assert await response.text() == OLD


@pytest.fixture(params=["asyncio", "uvloop"])
def loop(request: pytest.FixtureRequest, tmp_path: Path) -> dict[str, str]:
    """The environment of a pod that runs on this event loop, uvloop where it is installed."""
    if request.param == "uvloop":
        return {}
    (tmp_path / "uvloop.py").write_text("raise ImportError")
    return {"PYTHONPATH": str(tmp_path)}


async def ask(url: str, method: str = "GET", path: str = "/data", *lines: str) -> bytes:
    return await exchange(url, request(method, path, *lines))


async def connect(url: str, sent: bytes = b"") -> Stream:
    """A connection on which `sent` was sent and that stays open."""
    reader, writer = await asyncio.open_connection(*address_of(url))
    writer.write(sent)
    await writer.drain()
    return reader, writer


async def begin_upload(url: str, host: str = "pet") -> Stream:
    """A connection whose request is being handled, as its body is not there yet: 100 Continue says so."""
    lines = ("Content-Length: 4", "Expect: 100-continue")
    reader, writer = await connect(url, request("POST", "/", *lines, host=host))
    assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 100")
    return reader, writer


async def is_closed(reader: asyncio.StreamReader, seconds: float = 0.5) -> bool:
    """Whether the server closes this connection within `seconds`, saying nothing."""
    try:
        async with asyncio.timeout(seconds):
            return await reader.read(1) == b""
    except ConnectionError:
        return True
    except TimeoutError:
        return False


def process_listens(pod: Pod) -> bool:
    try:
        socket.create_connection(address_of(pod.url), 1).close()
    except OSError:
        return False
    return True


# --- Values that are refused -----------------------------------------------------------------------


@pytest.mark.parametrize("expect", [(), ("Expect: 100-continue",)])
async def test_a_value_over_the_limit_is_refused_before_a_byte_of_it_is_sent(
    holding: str, expect: tuple[str, ...]
) -> None:
    answer = await exchange(holding, request("POST", "/", f"Content-Length: {LIMIT + 1}", *expect))
    assert statuses(answer) == [413]


async def test_a_value_over_the_limit_is_refused_while_it_streams(holding: str) -> None:
    endless = b"%x\r\n" % (LIMIT + 1) + b"x" * (LIMIT + 1) + b"\r\n"
    answer = await exchange(holding, request("PUT", "/", "Transfer-Encoding: chunked"), endless)
    assert statuses(answer) == [413]


@pytest.mark.parametrize("framing", ["Content-Length: 4096", "Transfer-Encoding: chunked"])
async def test_a_value_of_exactly_the_limit_is_stored(strict: Pod, framing: str) -> None:
    value = b"y" * LIMIT
    body = value if framing.startswith("Content") else b"1000\r\n" + value + b"\r\n0\r\n\r\n"
    assert statuses(await exchange(strict.url, request("POST", "/", framing, body=body))) == [200]
    assert body_of(await ask(strict.url)) == value


async def test_a_body_that_is_wanted_is_asked_for_once(strict: Pod) -> None:
    reader, writer = await begin_upload(strict.url)
    writer.write(b"four")
    answer = await reader.read()
    assert statuses(answer) == [200]
    assert body_of(await ask(strict.url)) == b"four"
    writer.close()


async def test_a_client_of_http_1_0_is_not_told_to_continue(strict: Pod) -> None:
    sent = b"POST / HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n1"
    assert statuses(await exchange(strict.url, sent)) == [200]


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
async def test_an_expectation_that_cannot_be_met_is_refused(strict: Pod, method: str) -> None:
    answer = await exchange(strict.url, request(method, "/", "Expect: x", "Content-Length: 1", body=b"1"))
    assert statuses(answer) == [417]


@pytest.mark.parametrize(
    ("framing", "begun"),
    [("Content-Length: 10", b"12345"), ("Transfer-Encoding: chunked", b"5\r\n12345\r\n")],
)
async def test_a_body_that_stalls_is_given_up(holding: str, framing: str, begun: bytes) -> None:
    answer = await exchange(holding, request("POST", "/", framing, body=begun))
    assert statuses(answer) == [408]


async def test_a_body_that_drips_gains_no_time(holding: str) -> None:
    began = time.monotonic()
    answer = await exchange(holding, request("POST", "/", "Content-Length: 99"), *([b"x"] * 40), pause=0.1)
    assert statuses(answer) in ([408], [])  # closed while it drips: the answer may not be read in time
    assert time.monotonic() - began < 1 + 2 + 0.5  # the deadline, two seconds more, the last pieces


async def test_a_body_that_breaks_off_is_not_a_value(holding: str) -> None:
    _, writer = await connect(holding, request("POST", "/", "Content-Length: 10", body=b"12345"))
    writer.close()
    await writer.wait_closed()
    answer = await exchange(
        holding, request("POST", "/", "Transfer-Encoding: chunked", body=b"5\r\n123456\r\n")
    )
    assert statuses(answer) in ([400], [])


async def test_an_encoded_value_is_refused(holding: str) -> None:
    lines = ("Content-Encoding: gzip", "Content-Length: 4")
    assert statuses(await exchange(holding, request("POST", "/", *lines, body=b"1234"))) == [415]


async def test_an_unknown_route_is_not_found(holding: str) -> None:
    for path in (
        "/nowhere",
        "//",
        "//data",
        "/data/",
        "/./data",
        "/x/../data",
        "/DATA",
        "/%",
        "/%00%0a",
        "/data%2f",
    ):
        for method in ("GET", "POST", "DELETE"):
            assert statuses(await ask(holding, method, path)) == [404], (method, path)


@pytest.mark.parametrize("path", ["/data", "/peers", "/healthz", "/readyz", "/metrics", "/openapi.json"])
async def test_a_wrong_method_is_told_the_right_ones(holding: str, path: str) -> None:
    for method in ("POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"):
        answer = await ask(holding, method, path)
        assert (statuses(answer), header_of(answer, "Allow")) == ([405], "GET, HEAD"), method


async def test_the_root_tells_all_its_methods(holding: str) -> None:
    answer = await ask(holding, "OPTIONS", "/")
    assert (statuses(answer), header_of(answer, "Allow")) == ([405], "DELETE, GET, HEAD, POST, PUT")


# --- Pages of other sites --------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
@pytest.mark.parametrize(
    "said",
    [
        ("Sec-Fetch-Site: cross-site",),
        ("Sec-Fetch-Site: Cross-Site", "Origin: http://pet"),
        ("Origin: http://elsewhere",),
        ("Origin: http://pet:81",),
        ("Origin: http://pet.elsewhere",),
        ("Origin: http://elsewhere/pet",),
        ("Origin: http://pet@elsewhere",),
        ("Origin: null",),
        ("Origin:",),
        ("Origin: http://[",),
        ("Origin: pet",),
        ("Origin: file://pet",),
        ("Sec-Fetch-Site: same-site", "Origin: http://other.pet"),
    ],
)
async def test_a_page_of_another_site_changes_nothing(
    holding: str, method: str, said: tuple[str, ...]
) -> None:
    answer = await ask(holding, method, "/", *said)
    assert statuses(answer) == [403]


async def test_a_page_without_an_origin_is_no_page_of_a_host_without_a_name(holding: str) -> None:
    assert statuses(await exchange(holding, request("DELETE", "/", "Origin: null", host=""))) == [403]
    assert statuses(await exchange(holding, b"DELETE / HTTP/1.0\r\nOrigin: null\r\n\r\n")) == [403]


@pytest.mark.parametrize(
    "said",
    [
        (),
        ("Sec-Fetch-Site: same-origin", "Origin: http://pet"),
        ("Sec-Fetch-Site: none",),
        ("Origin: https://PET",),
    ],
)
async def test_curl_peers_and_its_own_pages_may_change_the_value(strict: Pod, said: tuple[str, ...]) -> None:
    answer = await exchange(strict.url, request("POST", "/", *said, "Content-Length: 1", body=b"1"))
    assert statuses(answer) == [200]


async def test_any_page_may_read(strict: Pod) -> None:
    answer = await ask(strict.url, "GET", "/", "Sec-Fetch-Site: cross-site", "Origin: http://elsewhere")
    assert statuses(answer) == [200]
    assert header_of(answer, "Access-Control-Allow-Origin") is None  # its browser keeps the answer from it


# --- The form of errors ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        (None, "text/plain"),
        ("*/*", "text/plain"),
        ("text/plain", "text/plain"),
        ("application/json", "application/problem+json"),
        ("application/problem+json", "application/problem+json"),
        ("application/*", "application/problem+json"),
        ("application/json, text/plain, */*", "text/plain"),
        ("application/json, */*", "application/problem+json"),
        ("application/json;q=0.5, text/plain", "text/plain"),
        ("text/plain;q=0.5, application/json;q=0.6", "application/problem+json"),
        ("text/plain;q=0, application/json;q=0.001", "application/problem+json"),
        ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", "text/plain"),
        ("image/png", "text/plain"),
        ("application/json;q=0", "text/plain"),
        ("application/json;q=nan", "application/problem+json"),
        (",;q=,/,", "text/plain"),
        ("\xff\x80", "text/plain"),
        (";" * 4000 + '"', "text/plain"),
    ],
)
async def test_an_error_has_the_form_its_client_prefers(strict: Pod, accept: str | None, kind: str) -> None:
    answer = await ask(strict.url, "GET", "/nowhere", *(() if accept is None else (f"Accept: {accept}",)))
    assert statuses(answer) == [404]
    assert (header_of(answer, "Content-Type") or "").partition(";")[0] == kind


async def test_problem_details_say_what_the_sentence_says(strict: Pod) -> None:
    sentence = body_of(await ask(strict.url, "DELETE", "/data")).decode()
    answer = await ask(strict.url, "DELETE", "/data", "Accept: application/json")
    assert json.loads(body_of(answer)) == {
        "type": "about:blank",
        "title": "Method Not Allowed",
        "status": 405,
        "detail": sentence.rstrip("\n"),
    }
    assert sentence == "/data takes GET, HEAD.\n"


async def test_what_is_no_http_is_told_so_in_one_sentence(strict: Pod) -> None:
    answer = await exchange(strict.url, b"GET /data HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n")
    assert statuses(answer) == [400]
    assert body_of(answer) == b"This is no request as HTTP/1.1 has it.\n"


# --- Odd requests that are right -------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/", "/data", "/peers", "/healthz", "/readyz", "/metrics", "/openapi.json"])
async def test_head_is_get_without_its_body(strict: Pod, path: str) -> None:
    await exchange(strict.url, request("POST", "/", "Content-Length: 1", body=b"1"))
    get, head = await ask(strict.url, "GET", path), await ask(strict.url, "HEAD", path)
    assert (statuses(head), body_of(head)) == ([200], b"")
    assert header_of(head, "Content-Type") == header_of(get, "Content-Type")
    if path != "/metrics":  # it counts these two requests
        assert header_of(head, "Content-Length") == header_of(get, "Content-Length") == str(len(body_of(get)))


@pytest.mark.parametrize("target", ["/%64ata", "/data?x=1#y", "http://elsewhere/data", "/d%61t%61?"])
async def test_a_path_may_be_written_in_other_ways(holding: str, target: str) -> None:
    assert body_of(await ask(holding, "GET", target)) == OLD.encode()


async def test_http_1_0_is_served_and_its_connection_closed(holding: str) -> None:
    answer = await exchange(holding, b"GET /data HTTP/1.0\r\n\r\n")
    assert (statuses(answer), body_of(answer)) == ([200], OLD.encode())


async def test_pipelined_requests_are_answered_in_their_order(holding: str) -> None:
    _, port = address_of(holding)
    sent = b"".join(
        f"GET /{each} HTTP/1.1\r\nHost: a:{port}\r\n\r\n".encode() for each in ("data", "healthz", "x")
    )
    answer = await exchange(holding, sent + request("GET", "/readyz"))
    assert statuses(answer) == [200, 200, 404, 200]
    assert answer.index(OLD.encode()) < answer.index(b"alive") < answer.index(b"ready")


async def test_no_path_forges_a_line_of_the_log(tmp_path: Path) -> None:
    with Pod(tmp_path / "data", "--log-level=debug") as pod:
        await ask(pod.url, "GET", "/%0a%0d%1b[2JFORGED%e2%80%a8FORGED")
        until("the request to be logged", lambda: "FORGED" in pod.log.read_text())
        assert all(
            re.match(r"\d{4}-\d\d-\d\dT\S+Z [A-Z]+ ", line) for line in pod.log.read_text().splitlines()
        )


# --- Deadlines -------------------------------------------------------------------------------------


@pytest.mark.parametrize("before", [b"", b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n"], ids=["new", "reused"])
async def test_a_header_that_drips_gains_no_time(tmp_path: Path, loop: dict[str, str], before: bytes) -> None:
    with Pod(tmp_path / "data", *STRICT, env=loop) as pod:
        reader, writer = await connect(pod.url, before)
        if before:
            await reader.readuntil(b"alive\n")
        began = time.monotonic()
        writer.write(b"GET / HTTP/1.1\r\n")
        while not await is_closed(reader, 0.1):
            assert time.monotonic() - began < 1 + 2
            writer.write(b"a")
        assert time.monotonic() - began > 0.5
        writer.close()


@reads_proc
@pytest.mark.parametrize("size", [1 << 20, 60_000], ids=["one large answer", "many small ones"])
async def test_a_client_that_does_not_read_is_given_up(
    tmp_path: Path, loop: dict[str, str], size: int
) -> None:
    with Pod(tmp_path / "data", "--client-timeout=1s", env=loop) as pod:
        stored = request("POST", "/", f"Content-Length: {size}", body=bytes(size))
        assert statuses(await exchange(pod.url, stored)) == [200]
        open_before = sockets(pod.process.pid)
        with deaf_client(pod.url) as client:
            client.sendall(b"GET /data HTTP/1.1\r\nHost: a\r\n\r\n" * (1 if size > 1 << 16 else 30))
            assert client.recv(1)
            assert sockets(pod.process.pid) == open_before + 1
            for _ in range(20):  # it takes a little now and then, and gains no time by it
                await asyncio.sleep(0.05)
                client.recv(100)
            until("the server to end it", lambda: sockets(pod.process.pid) == open_before, 2)


# --- The cap on connections ------------------------------------------------------------------------


async def test_connections_without_a_request_make_room_before_those_that_are_used(
    tmp_path: Path, loop: dict[str, str]
) -> None:
    with Pod(tmp_path / "data", "--max-connections=1", env=loop) as pod:
        cap = 1 + CONNECTION_RESERVE
        used = await connect(pod.url)
        for _ in range(3):
            used[1].write(b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n")
            await used[0].readuntil(b"alive\n")
        idle = [await connect(pod.url) for _ in range(cap - 1)]
        assert not await is_closed(idle[0][0], 0.1)
        more = [await connect(pod.url) for _ in range(5)]
        assert [await is_closed(reader) for reader, _ in idle[:5]] == [True] * 5
        assert not await is_closed(idle[5][0], 0.1)
        used[1].write(b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n")
        await used[0].readuntil(b"alive\n")
        assert pod.log.read_text().count("Over 65 connections") == 1
        for _, writer in (used, *idle, *more):
            writer.transport.abort()


async def test_a_probe_may_take_its_time_though_others_use_up_all_connections(
    tmp_path: Path, loop: dict[str, str]
) -> None:
    asked = b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n"
    with Pod(tmp_path / "data", "--max-connections=1", env=loop) as pod:
        used = [await connect(pod.url, asked) for _ in range(1 + CONNECTION_RESERVE)]
        for reader, _ in used:
            await reader.readuntil(b"alive\n")
        probe = await connect(pod.url)
        others = [await connect(pod.url) for _ in range(20)]
        assert await is_closed(used[20][0])
        probe[1].write(asked)
        await probe[0].readuntil(b"alive\n")
        for _, writer in (probe, *used, *others):
            writer.transport.abort()


async def test_a_burst_of_connections_does_not_pass_the_cap(tmp_path: Path, loop: dict[str, str]) -> None:
    with Pod(tmp_path / "data", "--max-connections=1", env=loop) as pod:
        pod.process.send_signal(signal.SIGSTOP)  # they all wait in the backlog
        burst = [await connect(pod.url) for _ in range(300)]
        pod.process.send_signal(signal.SIGCONT)
        assert statuses(await ask(pod.url, "GET", "/healthz")) == [200]
        still_open = [not await is_closed(reader, 0.01) for reader, _ in burst]
        assert sum(still_open) <= 1 + CONNECTION_RESERVE
        for _, writer in burst:
            writer.transport.abort()


async def test_probes_and_peers_are_answered_though_every_request_lasts(
    tmp_path: Path, loop: dict[str, str]
) -> None:
    with Pod(tmp_path / "data", "--max-connections=2", env=loop) as pod:
        busy = [await begin_upload(pod.url) for _ in range(2)]
        assert statuses(await ask(pod.url, "GET", "/readyz")) == [200]
        answer = await ask(pod.url, "GET", "/")
        assert (statuses(answer), header_of(answer, "Retry-After")) == ([503], "1")
        for path in ("/healthz", "/readyz", "/metrics"):
            assert statuses(await ask(pod.url, "GET", path)) == [200]
        assert statuses(await ask(pod.url, "GET", "/data")) == [404]  # no value yet: that is an answer
        for _, writer in busy:
            writer.transport.abort()


async def test_when_all_are_busy_the_longest_busy_one_makes_room(
    tmp_path: Path, loop: dict[str, str]
) -> None:
    size = 500_000
    with Pod(tmp_path / "data", "--max-connections=1", env=loop) as pod:
        await exchange(pod.url, request("POST", "/", f"Content-Length: {size}", body=bytes(size)))
        deaf = []
        for _ in range(1 + CONNECTION_RESERVE):
            client = deaf_client(pod.url)
            client.sendall(b"GET /data HTTP/1.1\r\nHost: a\r\n\r\n")
            assert client.recv(1)  # its answer has begun
            deaf.append(client)
        for path in ("/healthz", "/readyz", "/metrics"):
            assert statuses(await ask(pod.url, "GET", path)) == [200]
        for client in deaf:
            client.close()


async def test_clients_that_do_not_read_large_answers_do_not_keep_others_from_theirs(
    tmp_path: Path, loop: dict[str, str]
) -> None:
    size = 1 << 20
    with Pod(tmp_path / "data", env=loop) as pod:
        await exchange(pod.url, request("POST", "/", f"Content-Length: {size}", body=bytes(size)))
        deaf = [deaf_client(pod.url) for _ in range(MAX_SENDING_BYTES // size)]
        for client in deaf:
            client.sendall(b"GET /data HTTP/1.1\r\nHost: a\r\n\r\n")
            assert client.recv(1)
        refused = await ask(pod.url, "GET", "/data")
        assert (statuses(refused), header_of(refused, "Retry-After")) == ([503], "1")
        await asyncio.sleep(SENDING_PATIENCE)  # the others might have been slow, until now
        assert len(body_of(await ask(pod.url, "GET", "/data"))) == size
        for client in deaf:
            client.close()


@reads_proc
@pytest.mark.parametrize("limit", ["-S -n 200", "-n 200"], ids=["soft", "hard"])
async def test_connections_leave_the_store_files_to_open(
    tmp_path: Path, loop: dict[str, str], limit: str
) -> None:
    shell = ("sh", "-c", f'ulimit {limit}; exec "$@"', "sh")
    with Pod(tmp_path / "data", prefix=shell, env=loop) as pod:
        idle = [await connect(pod.url) for _ in range(300)]
        stored = await exchange(pod.url, request("POST", "/", "Content-Length: 1", body=b"1"))
        assert statuses(stored) == [200]
        assert body_of(await ask(pod.url)) == b"1"
        assert "Traceback" not in pod.log.read_text()
        for _, writer in idle:
            writer.transport.abort()


# --- The end ---------------------------------------------------------------------------------------


async def test_a_pod_that_drains_is_not_ready_but_serves(tmp_path: Path) -> None:
    with Pod(tmp_path / "data", "--drain=60s") as pod:
        await exchange(pod.url, request("POST", "/", "Content-Length: 1", body=b"1"))
        pod.process.send_signal(signal.SIGTERM)
        until("the drain", lambda: "is ending" in pod.log.read_text())
        kept = await connect(pod.url, b"GET /data HTTP/1.1\r\nHost: a\r\n\r\n")
        answer = await kept[0].read()
        assert (statuses(answer), body_of(answer), header_of(answer, "Connection")) == ([200], b"1", "close")
        assert statuses(await ask(pod.url, "GET", "/readyz")) == [503]
        assert statuses(await ask(pod.url, "GET", "/healthz")) == [200]
        assert statuses(await exchange(pod.url, request("POST", "/", "Content-Length: 1", body=b"2"))) == [
            200
        ]
        kept[1].close()
        began = time.monotonic()
        assert pod.terminate() == 0  # the second signal
        assert time.monotonic() - began < 2


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_an_upload_under_way_at_the_signal_is_acknowledged(
    tmp_path: Path, loop: dict[str, str], number: signal.Signals
) -> None:
    with Pod(tmp_path / "data", env=loop) as pod:
        reader, writer = await begin_upload(pod.url)
        idle = await connect(pod.url)
        pod.process.send_signal(number)
        await asyncio.to_thread(until, "the listener to close", lambda: not process_listens(pod))
        for byte in b"four":
            writer.write(bytes([byte]))
            await writer.drain()
            await asyncio.sleep(0.1)  # the upload lasts: that is what is tested
        answer = await reader.read()
        assert statuses(answer) == [200]
        assert await asyncio.to_thread(pod.process.wait, 5) == 0
        assert (pod.data_dir / "kubia.txt").read_bytes() == b"four"
        for each in (writer, idle[1]):
            each.transport.abort()


async def test_a_large_answer_under_way_at_the_signal_is_sent_whole(
    tmp_path: Path, loop: dict[str, str]
) -> None:
    size = 1 << 20
    with Pod(tmp_path / "data", env=loop) as pod:
        await exchange(pod.url, request("POST", "/", f"Content-Length: {size}", body=b"x" * size))
        slow = deaf_client(pod.url)
        slow.sendall(request("GET", "/data"))
        answer = bytearray(await asyncio.to_thread(slow.recv, 1))
        pod.process.send_signal(signal.SIGTERM)
        await asyncio.to_thread(until, "the listener to close", lambda: not process_listens(pod))
        while some := await asyncio.to_thread(slow.recv, 1 << 16):
            answer += some
        slow.close()
        assert len(body_of(bytes(answer))) == size
        assert await asyncio.to_thread(pod.process.wait, 5) == 0


async def test_a_request_that_never_ends_does_not_delay_the_end(tmp_path: Path, loop: dict[str, str]) -> None:
    with Pod(tmp_path / "data", "--finish=500ms", env=loop) as pod:
        _, writer = await begin_upload(pod.url)
        began = time.monotonic()
        assert await asyncio.to_thread(pod.terminate) == 0
        assert 0.4 < time.monotonic() - began < 0.5 + 2
        assert "Traceback" not in pod.log.read_text()
        writer.transport.abort()


async def test_a_further_signal_ends_the_wait_for_what_is_in_flight(tmp_path: Path) -> None:
    with Pod(tmp_path / "data", "--finish=60s") as pod:
        _, writer = await begin_upload(pod.url)
        pod.process.send_signal(signal.SIGTERM)
        await asyncio.to_thread(until, "the listener to close", lambda: not process_listens(pod))
        began = time.monotonic()
        assert await asyncio.to_thread(pod.terminate) == 0
        assert time.monotonic() - began < 2
        writer.transport.abort()


async def test_connections_that_idle_do_not_delay_the_end(tmp_path: Path, loop: dict[str, str]) -> None:
    with Pod(tmp_path / "data", env=loop) as pod:
        idle = [await connect(pod.url, b"GET /" * (each % 2)) for each in range(20)]
        kept = await connect(pod.url, b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n")
        await kept[0].readuntil(b"alive\n")
        began = time.monotonic()
        assert await asyncio.to_thread(pod.terminate) == 0
        assert time.monotonic() - began < 2
        for _, writer in (kept, *idle):
            writer.transport.abort()


def test_a_signal_during_the_start_ends_it(tmp_path: Path) -> None:
    with Pod(tmp_path / "data"):
        waiting = Pod(tmp_path / "data", "--lock-wait=60s", name="kubia-1").launch()
        try:
            until("the second pod to handle signals", lambda: _handles_sigterm(waiting.process.pid))
            assert waiting.terminate() == 0
        finally:
            waiting.kill()


def _handles_sigterm(pid: int) -> bool:
    status = Path(f"/proc/{pid}/status")
    if not status.exists():
        pytest.skip("needs /proc to know when the process handles signals")
    caught = re.search(r"SigCgt:\s*(\w+)", status.read_text())
    return bool(caught and int(caught[1], 16) >> (signal.SIGTERM - 1) & 1)


# --- Where it listens ------------------------------------------------------------------------------


def test_a_taken_port_is_a_clear_sentence(tmp_path: Path) -> None:
    with Pod(tmp_path / "data") as pod:
        _, port = address_of(pod.url)
        second = Pod(tmp_path / "other", f"--port={port}", name="kubia-1").launch()
        assert second.process.wait(20) == 1
        (line,) = second.log.read_text().splitlines()
        assert line.endswith(f" ERROR Cannot listen on 127.0.0.1, port {port}: Address already in use.")


@pytest.mark.skipif(not socket.has_dualstack_ipv6(), reason="this machine has no IPv6")
def test_without_a_host_it_listens_on_ipv4_and_ipv6() -> None:
    with listen(Settings(port=0)) as listener:
        listener.settimeout(5)
        for host in ("127.0.0.1", "::1"):
            with socket.create_connection((host, listener.getsockname()[1]), 5), listener.accept()[0]:
                pass


@pytest.mark.skipif(not socket.has_dualstack_ipv6(), reason="this machine has no IPv6")
async def test_an_ipv6_host_is_served_and_shown_in_brackets(tmp_path: Path) -> None:
    with Pod(tmp_path / "data", "--host=::1") as pod:
        assert pod.url.startswith("http://[::1]:")
        assert statuses(await ask(pod.url, "GET", "/healthz")) == [200]
