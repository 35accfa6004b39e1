"""Load from this process or a child of it: wrk where it is installed, otherwise a small generator of ours."""

import asyncio
import re
import shutil
import subprocess
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

from bench import loop
from bench.figures import percentile

WRK = shutil.which("wrk")
_SCRIPT = Path(__file__).with_name("wrk.lua")
_GRACE = 5.0  # seconds for the last answers


class LoadError(Exception):
    """A request failed: figures of a server that fails would mean nothing."""


@dataclass(frozen=True)
class Load:
    """What a load saw: how many answers in how many seconds, and their latencies in ms."""

    requests: int
    seconds: float
    p50: float
    p99: float

    @property
    def rate(self) -> float:
        """Answers a second."""
        return self.requests / self.seconds


def load(url: str, connections: int, seconds: float, *, size: int | None = None) -> Load:
    """GET `url`, or POST values of `size` bytes; each connection asks again when it was answered."""
    if WRK and seconds >= 1:  # it takes whole seconds
        return _by_wrk(WRK, url, connections, round(seconds), size)
    return loop.run(_by_ours(url, connections, seconds, size))


def _by_wrk(wrk: str, url: str, connections: int, seconds: int, size: int | None) -> Load:
    command = [wrk, "-t1", f"-c{connections}", f"-d{seconds}s", "-s", str(_SCRIPT), url]
    command += [] if size is None else ["--", str(size)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=seconds + 30)  # noqa: S603 - wrk
    found = re.search(r"^figures\t(.+)$", done.stdout, re.MULTILINE)
    if not found:
        raise LoadError(f"wrk said nothing of {url}: {done.stdout} {done.stderr}")
    requests, duration, p50, p99, failed = map(float, found[1].split())
    if failed or not requests:
        raise LoadError(f"{failed:g} of {requests:g} requests to {url} failed")
    return Load(int(requests), duration / 1e6, p50 / 1000, p99 / 1000)


async def _by_ours(url: str, connections: int, seconds: float, size: int | None) -> Load:
    where = urlsplit(url)
    request = f"{'GET' if size is None else 'POST'} {where.path or '/'} HTTP/1.1\r\nHost: {where.netloc}\r\n"
    request += "\r\n" if size is None else f"Content-Length: {size}\r\n\r\n{'x' * size}"
    began = time.perf_counter()
    clients = [_Client(request.encode(), began + seconds) for _ in range(connections)]
    create = asyncio.get_running_loop().create_connection
    for client in clients:
        await create(partial(_itself, client), where.hostname or "", where.port or 80)
    await asyncio.wait([client.ended for client in clients], timeout=seconds + _GRACE)
    took = time.perf_counter() - began
    for client in clients:
        client.abort()
    for client in clients:
        if client.error is not None:
            raise client.error
    latencies = [latency for client in clients for latency in client.latencies]
    return Load(len(latencies), took, percentile(latencies, 50), percentile(latencies, 99))


def _itself(client: "_Client") -> "_Client":
    return client


class _Client(asyncio.Protocol):
    """One connection, kept alive: the next request is sent when the last one was answered."""

    def __init__(self, request: bytes, until: float) -> None:
        self.latencies: list[float] = []  # in ms
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._request = request
        self._until = until
        self._received = b""
        self.error: LoadError | None = LoadError("no answer, or not a whole one")  # until it has ended well

    def abort(self) -> None:
        self._transport.abort()

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as documented
        self._transport = transport
        self._send()

    def _send(self) -> None:
        self._began = time.perf_counter()
        self._transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        self._received += data
        if not _is_whole(self._received):
            return
        now = time.perf_counter()
        self.latencies.append((now - self._began) * 1000)
        status, self._received = self._received[9:12], b""
        if status != b"200":
            self.error = LoadError(f"answered {status.decode()}")
            self._transport.close()
        elif now >= self._until:
            self.error = None
            self._transport.close()
        else:
            self._send()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - the protocol's signature
        self.ended.set_result(None)


def _is_whole(answer: bytes) -> bool:
    head, end, body = answer.partition(b"\r\n\r\n")
    if not end:
        return False
    if length := re.search(rb"\r\ncontent-length: *(\d+)", head, re.IGNORECASE):
        return len(body) >= int(length[1])
    return body.endswith(b"0\r\n\r\n")  # chunked
