"""How long a gathering may take, alone or among others, and what becomes of peers that do not answer."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import aiohttp
import pytest

from tests.support.bad_peers import Behaviour, answers, black_hole, hangs, peer, refusing, request
from tests.support.dns_server import NAME, SERVICE, NameServer, Zone
from tests.support.gathering import View, view_of
from tests.support.pod import Pod

pytestmark = pytest.mark.alone

GOOD = answers(b"Hey there!", Content_Type="text/plain")
DEADLINE = 1.2
GRACE = 0.05 + 0.25  # 50 ms as promised, the rest for a busy machine


def slow(seconds: float, values: Iterator[bytes] | None = None) -> Behaviour:
    """Answers each request so much later, with the value of the moment in which it began to."""

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            await request(reader)
            value = next(values) if values else b"late"
            await asyncio.sleep(seconds)
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(value), value))

    return behave


@contextlib.asynccontextmanager
async def pod_among(tmp_path: Path, *ports: int) -> AsyncIterator[str]:
    """The URL of a real pod, kubia-0, with peers at these ports."""
    zone = Zone()
    for ordinal, port in enumerate(ports, start=1):
        zone.add(f"kubia-{ordinal}", port)
    with NameServer(zone) as names:
        options = (
            f"--service={SERVICE}", "--nameserver={}:{}".format(*names.address),
            f"--peer-timeout={DEADLINE}s", f"--connect-timeout={DEADLINE / 2}s",
        )  # fmt: skip
        with Pod(tmp_path / "data", *options) as pod:
            yield pod.url


async def clients(url: str, number: int, seconds: float) -> list[tuple[float, str]]:
    """What each of so many clients saw that ask for so long: how long each answer took, and its text."""
    seen: list[tuple[float, str]] = []
    until = time.monotonic() + seconds

    async def ask(start: float) -> None:
        await asyncio.sleep(start)
        while (began := time.monotonic()) < until:
            async with client.get(url) as response:
                text = await response.text()
            seen.append((time.monotonic() - began, text))

    async with aiohttp.ClientSession() as client:
        await asyncio.gather(*(ask(0.07 * each) for each in range(number)))
    return seen


@contextmanager
def silent(kind: str) -> Iterator[int]:
    """The port of a peer that gives no connection."""
    with ExitStack() as stack:
        yield stack.enter_context({"is a black hole": black_hole, "refuses": refusing}[kind]())


async def test_eight_clients_wait_for_one_black_hole_no_longer_than_the_deadline_and_only_once(
    tmp_path: Path,
) -> None:
    with black_hole() as lost:
        async with peer(GOOD) as good, pod_among(tmp_path, good, lost) as url:
            seen = await clients(url, 8, 2.0)
    assert max(took for took, _ in seen) < DEADLINE / 2 + GRACE
    assert sum(took > GRACE for took, _ in seen) <= 8  # each once, as long as it was not known
    for _, text in seen:
        assert f"- kubia-1.{NAME}: Hey there!\n! kubia-2.{NAME}: no connection within 0.6 s\n" in text


async def test_eight_clients_wait_for_a_peer_that_hangs_no_longer_than_the_deadline_and_only_once(
    tmp_path: Path,
) -> None:
    async with peer(GOOD) as good, peer(hangs) as hung, pod_among(tmp_path, good, hung) as url:
        seen = await clients(url, 8, 3.0)
    assert max(took for took, _ in seen) < DEADLINE + GRACE
    assert sum(took > GRACE for took, _ in seen) <= 8
    for _, text in seen:
        assert f"- kubia-1.{NAME}: Hey there!\n! kubia-2.{NAME}: no answer within 1.2 s\n" in text


async def test_a_slow_peer_is_waited_for_once_and_nobody_waits_for_those_who_came_before(
    tmp_path: Path,
) -> None:
    async with peer(slow(1.0)) as late, pod_among(tmp_path, late) as url:
        seen = await clients(url, 8, 4.0)
    assert all(f"- kubia-1.{NAME}: late\n" in text for _, text in seen)
    assert max(took for took, _ in seen) < DEADLINE + GRACE


async def test_who_asks_after_a_write_sees_it_though_an_older_question_is_still_waited_for() -> None:
    """Gatherings overlap here, and share what peers say: never what was asked for before they began."""
    values = (b"%d" % number for number in range(1000))
    async with peer(slow(0.3, values)) as late, view_of({"kubia-1": late}) as view:
        began: list[tuple[int, asyncio.Task[dict[str, str]]]] = []
        for number in range(6):
            began.append((number, asyncio.create_task(view.labels())))
            await asyncio.sleep(0.05)
        for number, gathering in began:
            assert int((await gathering)["kubia-1"]) >= number


async def asked_until_back(view: View, seconds: float) -> float:
    began = time.monotonic()
    async with asyncio.timeout(seconds):
        while (await view.labels())["kubia-1"] != "Hey there!":
            assert view.took < GRACE
            await asyncio.sleep(0.01)
    return time.monotonic() - began


async def test_a_peer_that_hung_is_back_within_half_a_second_and_meanwhile_nobody_waits() -> None:
    well = asyncio.Event()

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if not well.is_set():
            await hangs(reader, writer)
        await GOOD(reader, writer)

    async with peer(behave) as port, view_of({"kubia-1": port}, each=DEADLINE) as view:
        assert await view.labels() == {"kubia-1": "(timeout)"}
        for _ in range(30):
            assert await view.labels() == {"kubia-1": "(timeout)"}
            assert view.took < GRACE
            await asyncio.sleep(0.05)
        well.set()
        assert await asked_until_back(view, 5) < 0.5 + GRACE


async def test_a_peer_that_moved_is_no_suspect_at_its_new_address() -> None:
    with black_hole() as lost:
        async with peer(GOOD) as good, view_of({"kubia-1": lost}) as view:
            assert await view.labels() == {"kubia-1": "(timeout)"}
            view.place({"kubia-1": good})
            assert await view.labels() == {"kubia-1": "Hey there!"}


async def test_a_suspect_is_asked_anew_twice_a_second_by_nobodys_leave_and_not_for_ever(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("kubia_pet.peers.suspects.SUSPICION_TIME", 1.2)
    asked = []

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(await request(reader))
        await hangs(reader, writer)

    async with peer(behave) as port, view_of({"kubia-1": port}, each=0.3) as view:
        await view.labels()
        await asyncio.sleep(1.1)  # bounded: this is the time that is measured
        assert 2 <= len(asked) <= 4
        await asyncio.sleep(1.0)
        known = len(asked)
        await asyncio.sleep(0.7)
        assert len(asked) == known


async def test_who_refuses_is_tried_each_time() -> None:
    with refusing() as refused:
        async with view_of({"kubia-1": refused}) as view:
            assert await view.labels() == {"kubia-1": "(refused)"}
            async with peer(GOOD) as good:
                view.place({"kubia-1": good})
                assert await view.labels() == {"kubia-1": "Hey there!"}


async def test_a_hundred_peers_that_hang_are_waited_for_once_each() -> None:
    async with peer(hangs) as hung, peer(GOOD) as good:
        ports = {f"kubia-{ordinal}": hung for ordinal in range(1, 101)} | {"kubia-101": good}
        async with view_of(ports, each=0.3, together=0.7, max_age=60) as view:
            await view.labels()
            assert view.took < 0.7 + 0.3 + GRACE  # 0.3 for a name server in Python
            async with asyncio.timeout(4):
                while view.took > GRACE:  # for those whose turn did not come before
                    labels = await view.labels()
            for _ in range(20):
                labels = await view.labels()
                assert view.took < GRACE
            assert labels["kubia-101"] == "Hey there!"
            assert set(labels.values()) == {"(timeout)", "Hey there!"}


async def test_a_pod_that_has_anothers_address_by_now_says_so_and_no_value_is_under_a_wrong_name(
    tmp_path: Path,
) -> None:
    """DNS tells for kubia-1 the address of kubia-2, and for kubia-3 that of the asking pod itself."""
    zone = Zone()
    with NameServer(zone) as names:
        options = f"--service={SERVICE}", "--nameserver={}:{}".format(*names.address), "--peer-timeout=9s"
        with (
            Pod(tmp_path / "0" / "data", *options) as asking,
            Pod(tmp_path / "2" / "data", *options, name="kubia-2") as other,
        ):
            for ordinal, url in ((1, other.url), (2, other.url), (3, asking.url)):
                zone.add(f"kubia-{ordinal}", int(url.rpartition(":")[2]))
            async with aiohttp.ClientSession() as client:
                for pod in (asking, other):
                    async with client.post(pod.url, data=f"value of {pod.name}") as response:
                        assert response.status == 200
                async with client.get(asking.url, headers={"Accept": "application/json"}) as response:
                    peers = (await response.json())["peers"]
    shown = {peer["name"].partition(".")[0]: peer.get("value") or peer["error"]["code"] for peer in peers}
    assert shown == {
        "kubia-0": "value of kubia-0",
        "kubia-1": "other-pod",
        "kubia-2": "value of kubia-2",
        "kubia-3": "other-pod",
    }
