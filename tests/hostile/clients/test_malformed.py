"""What is no HTTP, or two things at once, or only odd: refused, forgotten, and never a reason to fail."""

import asyncio
import random
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.hostile.clients.malformed import SMUGGLING, one_more
from tests.hostile.clients.raw_http import body_of, exchange, request, statuses
from tests.hostile.clients.vitals import memory, reads_proc
from tests.support.pod import Pod

OLD = b"the old value"
REQUESTS, AT_ONCE = 10_000, 16
HEADERS = [
    "Accept",
    "Origin",
    "Sec-Fetch-Site",
    "Host",
    "Expect",
    "Content-Encoding",
    "Content-Type",
    "Content-Length",
    "If-None-Match",
    "If-Match",
    "Range",
    "Cookie",
    "Connection",
    "Upgrade",
    "Transfer-Encoding",
    "TE",
    "Trailer",
    "X-Forwarded-For",
    "Authorization",
]


@pytest.fixture(scope="module")
def held(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pod]:
    """A pod that holds an old value, and whose log must not show that anybody was there."""
    with Pod(tmp_path_factory.mktemp("held") / "data", "--body-timeout=2s", "--client-timeout=2s") as pod:
        put = request("POST", "/", f"Content-Length: {len(OLD)}", body=OLD)
        assert statuses(asyncio.run(exchange(pod.url, put))) == [200]
        yield pod
        assert pod.process.poll() is None
        assert "Traceback" not in pod.log.read_text()
        assert "ERROR" not in pod.log.read_text()


def refused(answer: bytes) -> bool:
    """Whether the server, which closed the connection, said 4xx or nothing."""
    return all(400 <= status < 500 for status in statuses(answer))


@pytest.mark.parametrize("name", SMUGGLING)
async def test_what_two_parties_might_read_in_two_ways_is_refused(held: Pod, name: str) -> None:
    async with asyncio.timeout(5):
        answer = await exchange(held.url, SMUGGLING[name])
    assert len(statuses(answer)) <= 1
    assert refused(answer)
    assert body_of(await exchange(held.url, request("GET", "/data"))) == OLD


async def test_what_follows_a_refused_request_is_not_a_request(held: Pod) -> None:
    hidden = b"DELETE / HTTP/1.1\r\nHost: a\r\n\r\n"
    for name, sent in SMUGGLING.items():
        async with asyncio.timeout(5):
            assert refused(await exchange(held.url, sent + hidden)), name
            assert refused(await exchange(held.url, sent, hidden, pause=0.01)), name
    assert body_of(await exchange(held.url, request("GET", "/data"))) == OLD


@reads_proc
async def test_ten_thousand_malformed_requests_leave_no_trace(held: Pod) -> None:
    numbers = random.Random(5)
    log_before = held.log.stat().st_size

    async def send(count: int) -> None:
        for _ in range(count):
            sent = one_more(numbers)
            try:
                async with asyncio.timeout(10):
                    assert refused(await exchange(held.url, sent)), sent
            except TimeoutError:
                pytest.fail(f"not refused: {sent!r}")

    await asyncio.gather(*(send(1_000 // AT_ONCE) for _ in range(AT_ONCE)))
    before = memory(held.process.pid)
    await asyncio.gather(*(send(REQUESTS // AT_ONCE) for _ in range(AT_ONCE)))
    grown = memory(held.process.pid) - before
    print(f"{REQUESTS} malformed requests: {grown / 2**20:.1f} MiB more")  # noqa: T201 - the figure
    assert grown < 10 * 2**20
    assert held.log.stat().st_size == log_before
    assert body_of(await exchange(held.url, request("GET", "/data"))) == OLD


field = st.text(st.characters(codec="latin-1", exclude_characters="\r\n\0"), max_size=60)
header = st.tuples(st.sampled_from(HEADERS), field).map(": ".join)
method = st.sampled_from(["GET", "HEAD", "OPTIONS", "TRACE", "CONNECT", "PATCH", "PROPFIND", "SEARCH"])
path = st.one_of(
    st.sampled_from(["/", "/data", "/peers", "/metrics", "/readyz", "*", "http://a/data", "a:80"]),
    st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=60).map("/{}".format),
)


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(method=method, path=path, headers=st.lists(header, max_size=4), junk=st.binary(max_size=60))
def test_no_request_however_odd_is_a_fault_of_the_server(
    held: Pod, method: str, path: str, headers: list[str], junk: bytes
) -> None:
    sent = request(method, path, *headers) + junk
    answer = asyncio.run(exchange(held.url, sent))
    assert all(status < 500 for status in statuses(answer)), sent
    assert body_of(asyncio.run(exchange(held.url, request("GET", "/data")))) == OLD


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=4096))
def test_no_bytes_whatever_are_a_fault_of_the_server(held: Pod, sent: bytes) -> None:
    answer = asyncio.run(exchange(held.url, sent, end=True))
    assert all(status < 500 for status in statuses(answer)), sent
