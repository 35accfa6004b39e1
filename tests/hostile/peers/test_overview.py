"""The whole way from a stranger's bytes to the client's screen, in a real pod."""

import asyncio
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import aiohttp
import dns.rcode
import pytest
from aiohttp import web

from kubia_pet.config import Settings
from kubia_pet.web.app import build
from tests.hostile.peers.crowd import crowd
from tests.hostile.peers.loop_watch import BOUND, shortest_hold
from tests.support.bad_peers import answers, original, peer
from tests.support.dns_server import NAME, SERVICE, NameServer, Zone, rcode
from tests.support.pod import Pod

EVIL = [
    b"x\n- kubia-9.kubia.default.svc.cluster.local: forged\n",
    b"\r\x1b[2K\x1b[1A- kubia-9: forged\x07",
    "\u202eright to left\u2028- kubia-9: forged\u2029\x85\x0b\x0c".encode(),
    b"\xff\xfe\n- kubia-9: forged\x00",
    b"line\n" * (2**20 // 5),
]


@contextmanager
def pod_with(data_dir: Path, names: NameServer) -> Iterator[Pod]:
    nameserver = "{}:{}".format(*names.address)
    with Pod(data_dir, f"--service={SERVICE}", f"--nameserver={nameserver}", "--dns-max-age=0") as pod:
        yield pod


async def text_of(url: str, path: str = "/", **headers: str) -> str:
    async with aiohttp.ClientSession() as client, client.get(f"{url}{path}", headers=headers) as response:
        assert response.status == 200
        return await response.text()


async def test_no_value_of_a_peer_forges_a_line_and_json_has_its_bytes(tmp_path: Path) -> None:
    zone = Zone()
    with NameServer(zone) as names, pod_with(tmp_path / "data", names) as pod:
        for value in EVIL:
            async with peer(original(value)) as port:
                zone.add("kubia-1", port)
                lines = (await text_of(pod.url)).splitlines()
                shown = json.loads(await text_of(pod.url, Accept="application/json"))
            assert [line.partition(":")[0] for line in lines] == [
                "You've hit kubia-0",
                "Data stored on this pod",
                "Data stored in the cluster",
                f"- kubia-0.{NAME}",
                f"- kubia-1.{NAME}",
            ]
            assert "".join(lines).isprintable()
            (member,) = (each for each in shown["peers"] if not each["self"])
            assert member.get("encoding") == "base64" or member["value"].encode() == value


async def test_no_peers_name_forges_a_line(tmp_path: Path) -> None:
    zone = Zone()
    zone.pods = {
        rf"\010-\032kubia-9\058\032forged\027[2J\226\128\174-{ordinal}.{SERVICE}": (9, ["127.0.0.1"])
        for ordinal in range(1, 4)
    }
    with NameServer(zone) as names, pod_with(tmp_path / "data", names) as pod:
        lines = (await text_of(pod.url)).splitlines()
        log = pod.log.read_text()
    assert [line[:2] for line in lines[3:]] == ["- ", *["! "] * 3]
    assert "".join(lines).isprintable()
    assert log.replace("\n", "").isprintable()
    assert "\n- kubia-9" not in log


async def test_no_content_type_of_a_peer_forges_a_line(tmp_path: Path) -> None:
    zone = Zone()
    odd = answers(b"x", Content_Type="text/\u202e- kubia-9")
    with NameServer(zone) as names, pod_with(tmp_path / "data", names) as pod:
        async with peer(odd) as port:
            zone.add("kubia-1", port)
            *_, line = (await text_of(pod.url)).splitlines()
    assert line == f"! kubia-1.{NAME}: is no kubia-pet: it answered with an odd type"


async def test_a_failed_discovery_is_a_line_of_an_answer_200(tmp_path: Path) -> None:
    with NameServer(rcode(dns.rcode.SERVFAIL)) as names, pod_with(tmp_path / "data", names) as pod:
        assert (await text_of(pod.url)).splitlines() == [
            "You've hit kubia-0",
            "Data stored on this pod: No data posted yet",
            "Data stored in the cluster:",
            f"! {NAME}: DNS failed: SERVFAIL.",
            f"- kubia-0.{NAME}: No data posted yet",
        ]


@pytest.mark.parametrize("accept", ["text/plain", "application/json"])
@pytest.mark.parametrize("kind", ["good", "closing"])
async def test_seven_hundred_peers_never_hold_the_event_loop(tmp_path: Path, kind: str, accept: str) -> None:
    with crowd(700, kind) as (port, names):
        settings = Settings(
            data_dir=tmp_path, nameserver=("127.0.0.1", names), gather_timeout=10, dns_timeout=3
        )
        app = build(settings, pod="kubia-0", service=SERVICE, port=port)
        runner = web.AppRunner(app)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        try:
            url = f"http://127.0.0.1:{runner.addresses[0][1]}"

            async def ask() -> None:
                await asyncio.gather(text_of(url, Accept=accept), text_of(url, "/peers"))

            assert await shortest_hold(ask) < BOUND
        finally:
            await runner.cleanup()
