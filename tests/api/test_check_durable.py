"""What goes wrong with values: each cause is made to happen, and `check` names it first."""

import asyncio
import json
import subprocess
import urllib.error
import urllib.request
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from tests.support.pod import until
from tests.support.two_faced import two_faced
from tests.support.verdict import PROGRAM, PetSet, Verdict, check

pytestmark = pytest.mark.timeout(120)
MARK = b"kubia-pet check "


def ask(method: str, url: str, data: bytes | None = None) -> bytes:
    """The body of the answer; empty where that is an error."""
    try:
        with urllib.request.urlopen(urllib.request.Request(url, data, method=method), timeout=10) as answer:  # noqa: S310 - our own
            body: bytes = answer.read()
            return body
    except urllib.error.HTTPError:
        return b""


def test_a_value_that_was_acknowledged_and_is_gone(tmp_path: Path) -> None:
    """kubia-1 forgets what it acknowledged, while kubia-0 keeps the check from reading it too early."""
    with PetSet(tmp_path, "--faults", "--volume-timeout=10s", replicas=2) as pets:
        first, second = (pod.url for pod in pets.pods)
        for url in (first, second):
            ask("PUT", f"{url}/data", b"before")
        ask("PUT", f"{second}/faults/forget?for=60s")
        ask("PUT", f"{first}/faults/disk-slow?for=60s")
        running = subprocess.Popen(
            [*PROGRAM, "check", "--output=json", second], stdout=subprocess.PIPE, text=True
        )
        until("kubia-1 to acknowledge", lambda: MARK in ask("GET", f"{second}/data"), 30)
        ask("DELETE", f"{second}/faults")
        ask("DELETE", f"{first}/faults")
        printed, _ = running.communicate(timeout=60)
    verdict = Verdict(running.returncode, json.loads(printed))
    assert (verdict.cause, verdict.exit) == ("not-durable", 1), verdict.members
    assert "kubia-1 has 'before' instead of 'kubia-pet check " in verdict.evidence("durable")


async def test_a_value_that_a_pod_tells_of_another(tmp_path: Path) -> None:
    with PetSet(tmp_path) as pets:
        urls = [pod.url for pod in pets.pods]

        async def value_of_kubia_1(session: aiohttp.ClientSession) -> web.Response:
            async with session.get(f"{urls[1]}/data") as response:
                headers = {"Content-Type": response.headers["Content-Type"]}
                return web.Response(status=response.status, body=await response.read(), headers=headers)

        async with two_faced(urls[2], value_of_kubia_1) as address:
            pets.zone.add("kubia-2", pets.port(pets.pods[2]), address)
            verdict = await asyncio.to_thread(check, *pets.inside)
    assert (verdict.cause, verdict.exit) == ("misdirected", 1), verdict.members
    assert "kubia-0 says that kubia-2 has 'kubia-pet check" in verdict.evidence("durable")
