"""The end of a pod, and a signal at its start."""

import asyncio
import contextlib
import http.client
import os
import re
import shutil
import signal
import socket
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from kubia_pet import __version__
from tests.hostile.clients.raw_http import (
    address_of,
    body_of,
    deaf_client,
    exchange,
    header_of,
    request,
    statuses,
)
from tests.hostile.clients.vitals import reads_proc, threads
from tests.support.pod import Pod, until
from tests.support.streams import ask, begin_upload, connect


def process_listens(pod: Pod) -> bool:
    try:
        socket.create_connection(address_of(pod.url), 1).close()
    except OSError:
        return False
    return True


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


@reads_proc
def test_a_signal_is_handled_before_anything_is_loaded_that_takes_its_time(tmp_path: Path) -> None:
    starting = Pod(tmp_path / "data").launch()
    try:
        until("the process to handle signals", lambda: handles_sigterm(starting.process.pid))
        starting.process.send_signal(signal.SIGSTOP)
        assert "aiohttp" not in Path(f"/proc/{starting.process.pid}/maps").read_text()
        starting.process.send_signal(signal.SIGCONT)
        assert starting.terminate() == 0
        assert starting.log.read_text() == ""
    finally:
        starting.kill()


@pytest.mark.skipif(shutil.which("unshare") is None or os.geteuid() != 0, reason="makes a PID namespace")
def test_process_1_ends_by_a_signal_at_any_moment_of_its_start(tmp_path: Path) -> None:
    """The kernel drops what process 1 does not handle."""
    for moment in (0.1, 0.2, 0.3, 0.4, 0.6):
        namespace = Pod(tmp_path / "data", prefix=("unshare", "--pid", "--fork", "--kill-child")).launch()
        try:
            (child,) = wait_for_child(namespace.process.pid)
            until("its first line", partial(handles_sigterm, child))
            time.sleep(moment - 0.1)  # that moment is what is tested
            os.kill(child, signal.SIGTERM)
            assert namespace.process.wait(3) == 0
        finally:
            namespace.kill()


def test_a_signal_while_it_waits_for_the_volume_ends_it(tmp_path: Path) -> None:
    with Pod(tmp_path / "data"):
        waiting = Pod(tmp_path / "data", "--lock-wait=60s", name="kubia-1").launch()
        try:
            until("the second pod to wait", lambda: threads(waiting.process.pid) > 1)
            assert waiting.terminate() == 0
        finally:
            waiting.kill()


def wait_for_child(pid: int) -> list[int]:
    children = Path(f"/proc/{pid}/task/{pid}/children")
    until("the child", children.read_text)
    return [int(child) for child in children.read_text().split()]


def handles_sigterm(pid: int) -> bool:
    caught = re.search(r"SigCgt:\s*(\w+)", Path(f"/proc/{pid}/status").read_text())
    return bool(caught and int(caught[1], 16) >> (signal.SIGTERM - 1) & 1)


def ends_after(pod: Pod, asked: Callable[[float], None]) -> float:
    """Seconds from SIGTERM to the end; `asked(seconds)` is called all the time while it serves on."""
    pod.process.send_signal(signal.SIGTERM)
    began = time.monotonic()
    with contextlib.suppress(OSError, http.client.HTTPException):  # its end
        while pod.process.poll() is None:
            asked(time.monotonic() - began)
            time.sleep(0.1)
    pod.process.wait(10)
    return time.monotonic() - began


def asking(pod: Pod, path: str, until: float = 60.0, agent: str = "curl/8") -> Callable[[float], None]:
    """Asks for this path with each call, for so many seconds."""

    def ask_once(seconds: float) -> None:
        if seconds < until:
            connection = http.client.HTTPConnection(*address_of(pod.url), timeout=2)
            with contextlib.closing(connection):
                connection.request("GET", path, headers={"User-Agent": agent})
                connection.getresponse().read()

    return ask_once


@contextlib.contextmanager
def pod_with_the_default_drain(tmp_path: Path) -> Iterator[Pod]:
    with Pod(tmp_path / "data", env={"KUBIAPET_DRAIN": ""}) as pod:
        yield pod


def test_the_default_drain_ends_after_two_seconds_in_which_no_client_asked(tmp_path: Path) -> None:
    with pod_with_the_default_drain(tmp_path) as pod:
        assert 2 <= ends_after(pod, lambda _: None) < 3.5


@pytest.mark.parametrize(
    ("path", "agent"),
    [("/healthz", "kube-probe/1.36"), ("/readyz", "kube-probe/1.36"), ("/metrics", "Prometheus/3"),
     ("/data", f"kubia-pet/{__version__}"), ("/events", "Mozilla/5.0")],
)  # fmt: skip
def test_probes_peers_and_pages_that_try_to_watch_again_are_no_clients(
    tmp_path: Path, path: str, agent: str
) -> None:
    with pod_with_the_default_drain(tmp_path) as pod:
        assert 2 <= ends_after(pod, asking(pod, path, agent=agent)) < 3.5


def test_it_lasts_for_five_seconds_where_clients_ask(tmp_path: Path) -> None:
    with pod_with_the_default_drain(tmp_path) as pod:
        assert 5 <= ends_after(pod, asking(pod, "/data")) < 6.5


def test_each_client_makes_it_two_seconds_more(tmp_path: Path) -> None:
    with pod_with_the_default_drain(tmp_path) as pod:
        assert 3 <= ends_after(pod, asking(pod, "/", until=1.2)) < 4.7


def test_a_drain_that_is_set_is_kept_whole(tmp_path: Path) -> None:
    with Pod(tmp_path / "data", "--drain=4s") as pod:
        assert 4 <= ends_after(pod, lambda _: None) < 5.5
