"""Load by wrk, and what it and the server's CPU time tell."""

import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from bench.machine import OTHER_CORES, cpu_seconds, pinned

_SCRIPT = Path(__file__).with_name("wrk.lua")
LEAST_ERROR = 400


class LoadError(Exception):
    """wrk is missing, or a request failed: figures of a server that fails would mean nothing."""


@dataclass(frozen=True)
class Server:
    """Something that answers at `url`; `pid` is its process where that is on this machine."""

    url: str
    pid: int | None = None


@dataclass(frozen=True)
class Request:
    """What is asked, again and again, with a body of `size` bytes; each answer must have the `status`.

    Connections that `differ` have a User-Agent each. wrk tells good from bad only, and waits for the body
    that an answer to HEAD announces.
    """

    server: Server
    path: str = "/data"
    method: str = "GET"
    headers: tuple[str, ...] = ()
    status: int = 200
    size: int = 0
    differ: bool = False


@dataclass(frozen=True)
class Sample:
    """Answers and their number a second, latencies in ms, the server's CPU time in µs a request if known."""

    requests: int
    rate: float
    p50: float
    p99: float
    cpu: float | None


Samples = dict[str, list[Sample]]


def load(request: Request, connections: int, seconds: int) -> Sample:
    """Each connection asks again when it was answered. Raises LoadError where anything failed."""
    wrk = shutil.which("wrk")
    if wrk is None:
        raise LoadError("wrk is not installed: it makes the load (https://github.com/wg/wrk)")
    pid, url = request.server.pid, request.server.url + request.path
    threads = connections if request.differ else 1
    command = [wrk, f"-t{threads}", f"-c{connections}", f"-d{seconds}s", "--timeout=10s", f"-s{_SCRIPT}"]
    command += [f"-H{header}" for header in request.headers]
    command += [url, "--", request.method, str(request.size), "differ" if request.differ else ""]
    before = cpu_seconds(pid) if pid else 0.0
    with pinned(OTHER_CORES):
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=seconds + 30)  # noqa: S603 - wrk
    used = cpu_seconds(pid) - before if pid else None
    found = re.search(r"^figures\t(.+)$", done.stdout, re.MULTILINE)
    if not found:
        raise LoadError(f"wrk said nothing of {url}: {done.stdout} {done.stderr}")
    requests, duration, p50, p99, failed, refused = map(float, found[1].split())
    failed += requests - refused if request.status >= LEAST_ERROR else refused
    if failed or not requests:
        raise LoadError(f"{failed:g} of {requests:g} requests to {url} failed")
    cpu = None if used is None else used / requests * 1e6
    return Sample(int(requests), requests / duration * 1e6, p50 / 1000, p99 / 1000, cpu)
