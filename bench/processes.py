"""The processes of one measurement: pods, the bare server, a name server, simulated peers."""

import re
import subprocess
import sys
import time
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from bench.machine import Cores, cores, pinned
from bench.names import SERVICE

SERVER_CORE, OTHER_CORES = cores()
_ROOT = Path(__file__).parents[1]
_START = 30.0  # seconds
_DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))


@dataclass(frozen=True)
class Server:
    """Something that answers at `url`; `pid` is its process where that is on this machine."""

    url: str
    pid: int | None = None


@dataclass(frozen=True, kw_only=True)
class Pod(Server):
    """A pod of ours; a line to `process` asks a watched one how long its loop was held."""

    volume: Path
    process: subprocess.Popen[str]


class Processes:
    """Starts processes, each pinned from its first moment, and kills them all at its exit."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._started: list[subprocess.Popen[str]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        while self._started:
            self.end(self._started[-1])

    def bare(self, *, commits: bool = False) -> Server:
        """The bare protocol, in the place of a pod; that of one which `commits` what it is sent."""
        options = ["--commit", str(self._new_volume("bare"))] if commits else []
        process = self._python("-m", "bench.bare", *options, on=SERVER_CORE)
        return Server(f"http://127.0.0.1:{said(process)}", process.pid)

    def crowd(self, number: int) -> list[int]:
        """The ports of so many simulated peers."""
        return [int(port) for port in said(self._python("-m", "bench.crowd", f"{number}")).split()]

    def names(self) -> tuple[int, subprocess.Popen[str]]:
        """The name server's port and its process."""
        process = self._python("-m", "bench.names")
        return int(said(process)), process

    def pod(
        self,
        name: str = "kubia-0",
        *,
        nameserver: int | None = None,
        command: str = "kubia_pet",
        on: Cores = SERVER_CORE,
    ) -> Pod:
        """A pod on a new volume, listening; without a name server it looks for no peers."""
        volume = self._new_volume(name)
        log = volume.with_suffix(".log")
        options = ["--host=127.0.0.1", "--port=0", f"--pod={name}", f"--data-dir={volume}"]
        options += [f"--nameserver=127.0.0.1:{nameserver}"] if nameserver else []
        options += [f"--service={SERVICE}." if nameserver else "--service="]
        process = self._python("-m", command, "serve", *options, log=log, on=on)
        url = _listening(process, log)
        return Pod(url, process.pid, volume=volume, process=process)

    def end(self, process: subprocess.Popen[str]) -> None:
        """Kills it."""
        self._started.remove(process)
        process.kill()
        process.communicate()

    def _new_volume(self, name: str) -> Path:
        volume = self._directory / f"{len(list(self._directory.iterdir()))}-{name}"
        volume.mkdir()
        return volume

    def _python(self, *args: str, log: Path | None = None, on: Cores = OTHER_CORES) -> subprocess.Popen[str]:
        errors = log.open("w") if log else None
        with pinned(on):
            process = subprocess.Popen(  # noqa: S603 - modules of this repository
                [sys.executable, *args],
                cwd=_ROOT,
                text=True,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                start_new_session=True,  # Ctrl-C ends the bench, which ends them
            )
        if errors:
            errors.close()
        self._started.append(process)
        return process


def said(process: subprocess.Popen[str], asked: str | None = None) -> str:
    """The process's next line, after telling it one."""
    assert process.stdin is not None and process.stdout is not None  # noqa: S101, PT018 - both are pipes
    if asked is not None:
        process.stdin.write(f"{asked}\n")
        process.stdin.flush()
    if not (line := process.stdout.readline()):
        raise RuntimeError(f"{process.args!r} has ended")
    return line.strip()


def ask(url: str, value: bytes | None = None) -> str:
    """The answer to a GET, or to the POST of a value."""
    request = urllib.request.Request(url, data=value)  # noqa: S310 - http, from the options
    with _DIRECT.open(request, timeout=30) as response:
        text: str = response.read().decode()
    return text


def _listening(process: subprocess.Popen[str], log: Path) -> str:
    deadline = time.monotonic() + _START
    while time.monotonic() < deadline and process.poll() is None:
        if found := re.search(r"listens on (http://\S+),", log.read_text()):
            return found[1]
        time.sleep(0.001)
    raise RuntimeError(f"a pod did not start: {log.read_text()}")
