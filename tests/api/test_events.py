"""The cluster as it changes: what clients of `/events` are told, and what they cost."""

import asyncio
import contextlib
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import aiohttp
import pytest

from kubia_pet.limits import MAX_EVENT_BYTES, WATCHER_SEND_BYTES
from tests.hostile.clients.raw_http import address_of, request
from tests.hostile.clients.vitals import memory, reads_proc
from tests.support.dns_server import SERVICE, NameServer, Zone
from tests.support.events import Told, Watch, watching
from tests.support.local_set import LocalSet
from tests.support.pod import Pod, until

KIB = 1024


async def post(url: str, value: str | bytes) -> None:
    async with aiohttp.ClientSession() as session, session.post(url, data=value) as response:
        assert response.status == 200


async def get(url: str, **headers: str) -> tuple[int, str]:
    async with aiohttp.ClientSession() as session, session.get(url, headers=headers) as response:
        return response.status, await response.text()


async def next_state(watch: Watch) -> Told:
    async with asyncio.timeout(5):
        told = await watch.next()
    assert told.name == "state", told
    return told


async def test_the_whole_state_comes_at_the_beginning_then_each_change(pod: Pod) -> None:
    async with watching(pod.url) as watch:
        headers = watch.response.headers
        assert headers["Content-Type"] == "text/event-stream"
        assert headers["Cache-Control"] == "no-cache"
        assert headers["X-Accel-Buffering"] == "no"
        assert headers["Connection"] == "close"
        first = await next_state(watch)
        ledger = first.data["peers"][0].pop("ledger")
        assert (ledger["starts"], ledger["verdict"]) == (1, "good")
        own = {"name": "kubia-0", "ordinal": 0, "self": True, "state": "ready", "value": None, "etag": None}
        assert first.data == {
            "pod": "kubia-0", "service": None, "error": None, "findings": [], "records": [],
            "peers": [own], "omitted": 0, "faults": None,
        }  # fmt: skip
        await post(pod.url, "Hey there!")
        second = await next_state(watch)
    assert second.id != first.id
    assert second.data["peers"][0].pop("ledger") == ledger
    assert second.data["peers"][0] == own | {
        "value": "Hey there!", "size": 10, "etag": second.data["peers"][0]["etag"],
    }  # fmt: skip
    assert second.data["peers"][0]["etag"]


async def test_every_peer_is_told_of_with_the_records_that_name_it(tmp_path: Path) -> None:
    with LocalSet(tmp_path, replicas=2) as pets:
        await post(pets.url(1), "from the other pod")
        async with watching(pets.url(0)) as watch:
            state = (await next_state(watch)).data
            while len(state["records"]) < 2:  # until it is in DNS
                state = (await next_state(watch)).data
    service = "kubia.default.svc.cluster.local"
    assert [(each["name"], each["state"], each["value"]) for each in state["peers"]] == [
        (f"kubia-0.{service}", "ready", None),
        (f"kubia-1.{service}", "ready", "from the other pod"),
    ]
    assert [line.removeprefix("_http._tcp.") for line in state["records"]] == [
        f"{service}. 1 IN SRV 0 50 {port} kubia-{ordinal}.{service}."
        for ordinal, port in enumerate(pets.ports)
    ]


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (b"<script>alert(1)</script>", {"value": "<script>alert(1)</script>", "size": 25}),
        (b"\xff\xfe", {"value": "\\xff\\xfe", "size": 2, "binary": True}),
        ("\u202etxt".encode(), {"value": "\\u202etxt", "size": 6}),
        (b"x" * 2**20, {"value": "x" * 280, "size": 2**20, "cut": True}),
        (b"data: forged\n\nevent: ending\n", {"value": "data: forged\\n\\nevent: ending\\n", "size": 28}),
    ],
    ids=["HTML", "not UTF-8", "right to left", "1 MiB", "an event"],
)
async def test_a_value_is_told_in_part_and_safe_to_show(
    pod: Pod, value: bytes, shown: dict[str, object]
) -> None:
    await post(pod.url, value)
    async with watching(pod.url) as watch:
        peer = (await next_state(watch)).data["peers"][0]
    assert {name: peer[name] for name in peer.keys() & {"value", "size", "cut", "binary"}} == shown


async def test_a_volume_that_fails_is_a_state_too(pod: Pod) -> None:
    async with watching(pod.url) as watch:
        await next_state(watch)
        pod.data_dir.rename(pod.data_dir.with_name("elsewhere"))
        peer = (await next_state(watch)).data["peers"][0]
    assert (peer["state"], peer["error"]["code"]) == ("not-ready", "volume")
    assert peer["error"]["message"].endswith(".")


async def test_a_quiet_stream_is_pinged(pod: Pod) -> None:
    loop = asyncio.get_running_loop()
    async with watching(pod.url) as watch:
        await next_state(watch)
        began = loop.time()
        assert (await watch.next()).text == ": ping"
    assert 14 < loop.time() - began < 16


async def test_one_more_than_max_watchers_is_told_so_and_let_in_when_there_is_room(tmp_path: Path) -> None:
    with Pod(tmp_path / "data", "--max-watchers=1") as pod:
        async with watching(pod.url) as watch:
            await next_state(watch)
            status, sentence = await get(f"{pod.url}/events")
            assert (status, sentence) == (
                503, "1 watch this pod already, which is the most it allows: try again later.\n",
            )  # fmt: skip
            metrics = (await get(f"{pod.url}/metrics"))[1]
            assert "kubia_pet_watchers 1.0\n" in metrics
            assert 'kubia_pet_refused_total{what="watchers"} 1.0\n' in metrics
        until("its end to be noticed", lambda: _watchers(pod) == 0)
        async with watching(pod.url) as watch:
            await next_state(watch)


async def test_watchers_are_not_busy_and_no_latency(tmp_path: Path) -> None:
    with Pod(tmp_path / "data", "--max-connections=1") as pod:
        async with contextlib.AsyncExitStack() as streams:
            for _ in range(3):
                await next_state(await streams.enter_async_context(watching(pod.url)))
            assert (await get(f"{pod.url}/"))[0] == 200
        assert 'route="/events"' not in (await get(f"{pod.url}/metrics"))[1]


async def test_at_sigterm_streams_end_with_an_event_and_hold_up_nothing(tmp_path: Path) -> None:
    with Pod(tmp_path / "data", "--drain=1s") as pod:
        async with watching(pod.url) as watch:
            await next_state(watch)
            pod.process.terminate()
            async with asyncio.timeout(0.5):
                last = await watch.next()
                with pytest.raises(EOFError):
                    await watch.next()
            assert (last.name, last.data) == ("ending", {"pod": "kubia-0"})
            assert await get(f"{pod.url}/events") == (503, "Pod kubia-0 is ending.\n")
            assert (await get(f"{pod.url}/"))[0] == 200, "it drains"
        assert pod.process.wait(2) == 0


async def test_without_a_drain_streams_end_whole_too(pod: Pod) -> None:
    async with watching(pod.url) as watch:
        await next_state(watch)
        pod.process.terminate()
        assert (await watch.next()).name == "ending"
        with pytest.raises(EOFError):
            await watch.next()
    assert pod.process.wait(2) == 0


async def test_a_watcher_that_does_not_read_is_cut(tmp_path: Path) -> None:
    # Each character of this value is eleven bytes of an event.
    value = "\U000e0001" * 280
    with Pod(tmp_path / "data", "--client-timeout=1s") as pod, _deaf(pod):
        until("the watcher", lambda: _watchers(pod) == 1)
        for number in range(40):
            await post(pod.url, f"{number}{value}")
            await asyncio.sleep(0.5)  # one tick
            if not _watchers(pod):
                break
        assert _watchers(pod) == 0


@reads_proc
async def test_watchers_that_do_not_read_cost_64_kib_each_at_most(tmp_path: Path) -> None:
    number = 200
    value = "\U000e0001" * 280
    with Pod(tmp_path / "data", "--client-timeout=30s") as pod:
        async with watching(pod.url) as watch:
            await next_state(watch)
            before = memory(pod.process.pid)
            with contextlib.ExitStack() as stack:
                for _ in range(number):
                    stack.enter_context(_deaf(pod))
                until("all of them", lambda: _watchers(pod) == number + 1)
                for change in range(16):  # more than fits into the buffers of both kernels
                    await post(pod.url, f"{change}{value}")
                    while not (await next_state(watch)).data["peers"][0]["value"].startswith(f"{change}\\"):
                        pass
                grown = memory(pod.process.pid) - before
    assert MAX_EVENT_BYTES + 2 * WATCHER_SEND_BYTES <= 64 * KIB
    assert grown < number * 64 * KIB


@contextlib.contextmanager
def _deaf(pod: Pod) -> Iterator[None]:
    with socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        client.connect(address_of(pod.url))
        client.sendall(request("GET", "/events"))
        yield


def _watchers(pod: Pod) -> int:
    text = subprocess.run(
        ["curl", "-s", f"{pod.url}/metrics"], capture_output=True, text=True, check=True
    ).stdout
    return int(float(text.partition("\nkubia_pet_watchers ")[2].partition("\n")[0]))


async def test_a_peer_that_was_told_to_end_is_ending_as_long_as_it_serves(tmp_path: Path) -> None:
    zone = Zone()
    with NameServer(zone) as names, contextlib.ExitStack() as stack:
        host, port = names.address
        options = (f"--service={SERVICE}", f"--nameserver={host}:{port}", "--drain=3s")
        first, second = (
            stack.enter_context(Pod(tmp_path / name, *options, name=name)) for name in ("kubia-0", "kubia-1")
        )
        for each in (first, second):
            zone.add(each.name, address_of(each.url)[1], "127.0.0.1")
        async with watching(first.url) as watch:
            await _until_state(watch, "ready", "ready")
            second.process.terminate()
            await _until_state(watch, "ready", "ending")
            second.process.wait(5)
            await _until_state(watch, "ready", "no-answer")


async def _until_state(watch: Watch, *states: str) -> None:
    while tuple(each["state"] for each in (await next_state(watch)).data["peers"]) != states:
        pass


async def test_faults_are_told_with_the_time_of_their_end(tmp_path: Path) -> None:
    with Pod(tmp_path / "data", "--faults") as pod:
        async with watching(pod.url) as watch, aiohttp.ClientSession() as session:
            first = (await next_state(watch)).data["faults"]
            assert first["active"] == []
            assert {"not-ready", "slow"} <= {each["name"] for each in first["available"]}
            async with session.put(f"{pod.url}/faults/not-ready?for=2s") as response:
                assert response.status == 200
            second = (await next_state(watch)).data
            (active,) = second["faults"]["active"]
            assert active["name"] == "not-ready"
            assert 0 < active["ends"] - time.time() <= 2.1
            assert second["peers"][0]["state"] == "not-ready"
            third = (await next_state(watch)).data
    assert third["faults"]["active"] == []
    assert third["peers"][0]["state"] == "ready"


async def test_a_pod_whose_volume_is_full_is_not_ready_though_its_value_can_be_read(tmp_path: Path) -> None:
    with Pod(tmp_path / "data", "--faults") as pod:
        await post(pod.url, "stands")
        async with aiohttp.ClientSession() as session, watching(pod.url) as watch:
            assert (await next_state(watch)).data["peers"][0]["value"] == "stands"
            async with session.put(f"{pod.url}/faults/disk-full?for=20s") as response:
                assert response.status == 200
            async with session.post(pod.url, data="finds no room") as response:
                assert response.status == 507
            async with asyncio.timeout(10):
                while (await next_state(watch)).data["peers"][0]["state"] != "not-ready":
                    pass


async def test_a_peers_ledger_is_told_and_anew_when_it_has_started_again(tmp_path: Path) -> None:
    zone = Zone()
    with NameServer(zone) as names, contextlib.ExitStack() as stack:
        host, port = names.address
        options = (f"--service={SERVICE}", f"--nameserver={host}:{port}")

        def start(name: str, node: str) -> Pod:
            pod = stack.enter_context(Pod(tmp_path / name, *options, f"--node={node}", name=name))
            zone.add(name, address_of(pod.url)[1], "127.0.0.1")
            return pod

        first, second = start("kubia-0", "node-1"), start("kubia-1", "node-1")
        async with watching(first.url) as watch:
            _, before = await _ledgers(watch, starts=[1, 1])
            second.kill()
            start("kubia-1", "node-2")
            own, after = await _ledgers(watch, starts=[1, 2])
    assert (before["node"], after["node"], own["node"]) == ("node-1", "node-2", "node-1")
    assert before["volume"] == after["volume"] != own["volume"]
    assert before["created"] == after["created"]
    assert before["start"] != after["start"]


async def _ledgers(watch: Watch, *, starts: list[int]) -> list[dict[str, object]]:
    """What is told of the pods' ledgers, as soon as they have started so often and all peers were asked."""
    while True:
        told = await watch.next()
        if told.name != "state":  # a ping
            continue
        ledgers = [each.get("ledger") or {} for each in told.data["peers"]]
        if [(each.get("starts"), each.get("verdict")) for each in ledgers] == [(n, "good") for n in starts]:
            return ledgers
