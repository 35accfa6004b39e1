"""Changes on a condition (RFC 9110 §13): over HTTP, alone, repeated and at the same time."""

import asyncio
import hashlib
import random
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.api.test_replay import Answer, Client, client_of
from tests.support.linearizability import Operation, is_linearizable
from tests.support.pod import Pod

OLD = b"the old value"
CHANGES = [("POST", "/"), ("PUT", "/"), ("PUT", "/data"), ("DELETE", "/"), ("DELETE", "/data")]


def etag(value: bytes) -> str:
    return f'"{hashlib.sha256(value).hexdigest()[:32]}"'


def message(method: str, path: str, *lines: str, body: bytes = b"") -> bytes:
    head = [f"{method} {path} HTTP/1.1", "Host: a", f"Content-Length: {len(body)}", *lines]
    return "\r\n".join(head).encode() + b"\r\n\r\n" + body


@pytest.fixture(scope="module")
def pod(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pod]:
    with Pod(tmp_path_factory.mktemp("conditions") / "data") as started:
        yield started


async def put(client: Client, value: bytes) -> None:
    assert (await client.ask(message("PUT", "/data", body=value))).status == 200


async def held(client: Client) -> bytes | None:
    answer = await client.ask(message("GET", "/data"))
    return answer.body if answer.status == 200 else None


def etag_of(answer: Answer) -> str | None:
    for line in answer.header.decode().splitlines():
        if line.lower().startswith("etag: "):
            return line[6:]
    return None


FALSE = [
    "If-None-Match: *",
    f"If-None-Match: {etag(OLD)}",
    f"If-None-Match: W/{etag(OLD)}",
    f'If-None-Match: "x", {etag(OLD)}',
    f"If-Match: {etag(b'another')}",
    f"If-Match: W/{etag(OLD)}",  # §13.1.1: strong comparison
    'If-Match: "x", "y"',
    'If-Match: "*"',
    f'If-Match: {etag(OLD)}\r\nIf-None-Match: "x", {etag(OLD)}',
]
TRUE = [
    "If-Match: *",
    f"If-Match: {etag(OLD)}",
    f'If-Match: "x" ,\t{etag(OLD)},,',
    f'If-Match: "x"\r\nIf-Match: {etag(OLD)}',
    f"If-None-Match: {etag(b'another')}",
    'If-Match: *\r\nIf-None-Match: "x", W/"y"',
    "If-Unmodified-Since: Sat, 29 Oct 1994 19:43:31 GMT",  # §13.1.4: no answer has a Last-Modified
]


@pytest.mark.parametrize(("method", "path"), CHANGES)
@pytest.mark.parametrize("condition", FALSE)
async def test_where_the_condition_does_not_hold_the_old_value_stands(
    pod: Pod, method: str, path: str, condition: str
) -> None:
    async with client_of(pod.url) as client:
        await put(client, OLD)
        for _ in range(3):
            answer = await client.ask(message(method, path, condition, body=b"new"))
            assert (answer.status, etag_of(answer)) == (412, etag(OLD))
            assert answer.body == b"The value is not the one that the condition asks for; it stands.\n"
        assert await held(client) == OLD


@pytest.mark.parametrize(("method", "path"), CHANGES)
@pytest.mark.parametrize("condition", TRUE)
async def test_where_it_holds_the_change_is_made(pod: Pod, method: str, path: str, condition: str) -> None:
    async with client_of(pod.url) as client:
        await put(client, OLD)
        assert (await client.ask(message(method, path, condition, body=b"new"))).status == 200
        assert await held(client) == (None if method == "DELETE" else b"new")


@pytest.mark.parametrize(("method", "path"), CHANGES)
async def test_without_a_value_if_match_never_holds_and_if_none_match_does(
    pod: Pod, method: str, path: str
) -> None:
    async with client_of(pod.url) as client:
        assert (await client.ask(message("DELETE", "/"))).status == 200
        for condition in ("If-Match: *", f"If-Match: {etag(OLD)}"):
            answer = await client.ask(message(method, path, condition, body=b"new"))
            assert (answer.status, etag_of(answer)) == (412, None)
        for condition in (f"If-None-Match: {etag(OLD)}", "If-None-Match: *"):
            assert (await client.ask(message("DELETE", "/"))).status == 200
            assert (await client.ask(message(method, path, condition, body=b"new"))).status == 200


@pytest.mark.parametrize("name", ["If-Match", "If-None-Match"])
@pytest.mark.parametrize("value", ["", ",", "abc", '"a', '"a" "b"', "*, *", '*, "a"', 'w/"a"', '"a b"'])
async def test_what_is_no_list_of_etags_is_no_condition_that_a_pod_guesses_at(
    pod: Pod, name: str, value: str
) -> None:
    async with client_of(pod.url) as client:
        await put(client, OLD)
        for method, path in (*CHANGES, ("GET", "/data")):
            answer = await client.ask(message(method, path, f"{name}: {value}", body=b"x"))
            assert (method, answer.status) == (method, 400)
            assert answer.body.startswith(f"{name} is neither * nor a list of ETags in quotes".encode())
        assert await held(client) == OLD


async def test_a_read_on_a_condition_is_told_when_the_value_is_another(pod: Pod) -> None:
    async with client_of(pod.url) as client:
        await put(client, OLD)
        for condition, status in {
            f"If-Match: {etag(OLD)}": 200,
            f"If-Match: {etag(b'x')}": 412,
            f"If-Match: *\r\nIf-None-Match: {etag(OLD)}": 304,
            f"If-Match: {etag(b'x')}\r\nIf-None-Match: {etag(OLD)}": 412,
        }.items():
            answer = await client.ask(message("GET", "/data", condition))
            assert (condition, answer.status, etag_of(answer)) == (condition, status, etag(OLD))


async def test_a_refusal_for_another_reason_comes_before_the_condition(pod: Pod) -> None:
    """§13.2.1: what would not be answered with a 2xx is answered as it would be without the condition."""
    async with client_of(pod.url) as client:
        await put(client, OLD)
        for line, status in {"Content-Encoding: gzip": 415, "Origin: http://elsewhere": 403}.items():
            async with client_of(pod.url) as other:
                answer = await other.ask(message("PUT", "/data", "If-Match: *", line, body=b"x"))
                assert answer.status == status


async def test_a_repeated_request_keeps_to_its_condition(pod: Pod) -> None:
    """The same head again and again on one connection, and so the short cut, while others write."""
    async with client_of(pod.url) as client, client_of(pod.url) as other:
        await put(other, OLD)
        again = message("PUT", "/data", f"If-Match: {etag(OLD)}", body=OLD)
        for _ in range(10):
            assert (await client.ask(again)).status == 200
        await put(other, b"another")
        for _ in range(3):
            answer = await client.ask(again)
            assert (answer.status, etag_of(answer)) == (412, etag(b"another"))
        assert await held(other) == b"another"
        await put(other, OLD)
        assert (await client.ask(again)).status == 200


async def test_of_many_who_create_the_value_at_the_same_time_one_does(pod: Pod) -> None:
    clients = [client_of(pod.url) for _ in range(32)]
    opened = [await each.__aenter__() for each in clients]
    try:
        assert (await opened[0].ask(message("DELETE", "/"))).status == 200
        answers = await asyncio.gather(
            *(
                client.ask(message("PUT", "/data", "If-None-Match: *", body=b"by %d" % number))
                for number, client in enumerate(opened)
            )
        )
        (winner,) = [number for number, answer in enumerate(answers) if answer.status == 200]
        losers = [answer for answer in answers if answer.status == 412]
        assert len(losers) == 31
        assert {etag_of(answer) for answer in losers} == {etag(b"by %d" % winner)}
        assert await held(opened[0]) == b"by %d" % winner
    finally:
        for each in clients:
            await each.__aexit__(None, None, None)


class Rival:
    """A client that reads, and replaces what it read unless somebody else did."""

    def __init__(self, number: int, history: list[Operation]) -> None:
        self.number = number
        self.history = history
        self.made = 0
        self.refused = 0

    async def compete(self, url: str, seconds: float) -> None:
        dice = random.Random(self.number)
        until = time.monotonic() + seconds
        async with client_of(url) as client:
            seen = await self._read(client)
            for turn in range(10**6):
                if time.monotonic() > until:
                    return
                value = f"client {self.number} turn {turn}".encode()
                seen = await self._replace(client, seen, value) or await self._read(client)
                if dice.random() < 0.1:
                    seen = await self._read(client)

    async def _read(self, client: Client) -> bytes | None:
        called = time.monotonic()
        value = await held(client)
        self._note(called, is_write=False, value=value)
        return value

    async def _replace(self, client: Client, seen: bytes | None, value: bytes) -> bytes | None:
        condition = "If-None-Match: *" if seen is None else f"If-Match: {etag(seen)}"
        called = time.monotonic()
        answer = await client.ask(message("PUT", "/data", condition, body=value))
        if answer.status == 200:
            self.made += 1
            self._note(called, is_write=True, value=value, expected=seen)
            return value
        assert answer.status == 412
        assert etag_of(answer) != (None if seen is None else etag(seen))
        self.refused += 1
        return None

    def _note(self, called: float, *, is_write: bool, value: bytes | None, **expected: bytes | None) -> None:
        texts = {name: None if each is None else each.decode() for name, each in expected.items()}
        text = None if value is None else value.decode()
        self.history.append(
            Operation(is_write=is_write, value=text, called=called, returned=time.monotonic(), **texts)
        )


async def test_compare_and_set_of_concurrent_clients_is_linearizable(tmp_path: Path) -> None:
    history: list[Operation] = []
    rivals = [Rival(number, history) for number in range(6)]
    with Pod(tmp_path / "data") as pod:
        await asyncio.gather(*(rival.compete(pod.url, 2.0) for rival in rivals))
    made, refused = sum(each.made for each in rivals), sum(each.refused for each in rivals)
    assert made > 50, "there was something to compare"
    assert refused > 50, "they got into each other's way"
    assert is_linearizable(history)
    assert len({each.expected for each in history if each.is_write}) == made, "each value was replaced once"
