"""`kubia-pet local` as a real process, for tests."""

import itertools
import os
import re
import signal
import socket
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Self

from tests.support.pod import until

_OWN_PORTS = 1000  # of each worker of pytest-xdist, so that no two look at the same ones at once
_FIRST = 20000 + _OWN_PORTS * int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
_starts = itertools.cycle(range(_FIRST, _FIRST + _OWN_PORTS - 20, 20))


def free_ports(count: int) -> int:
    """The first of `count` neighbouring ports, 20 at most, that nothing listens on."""
    for first in itertools.islice(_starts, _OWN_PORTS // 20):
        with ExitStack() as sockets:
            try:
                for port in range(first, first + count):
                    sockets.enter_context(socket.create_server(("127.0.0.1", port)))
            except OSError:
                continue
            return first
    raise AssertionError("no neighbouring free ports")


class LocalSet:
    """A local StatefulSet; `port` reaches any pod, `ports[n]` pod n."""

    def __init__(self, directory: Path, replicas: int = 3, *options: str) -> None:
        first = free_ports(replicas + 2)
        self.nameserver_port, self.port = first, first + 1
        self.ports = [self.port + 1 + ordinal for ordinal in range(replicas)]
        self.data_dir = directory / "pets"
        self.log = directory / "local.log"
        self.command = (
            *(sys.executable, "-m", "kubia_pet", "local", f"--replicas={replicas}", f"--port={self.port}"),
            *(f"--nameserver-port={self.nameserver_port}", f"--data-dir={self.data_dir}", *options),
        )
        self.process: subprocess.Popen[bytes]

    def url(self, ordinal: int) -> str:
        return f"http://127.0.0.1:{self.ports[ordinal]}"

    @property
    def public_url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def pids(self) -> dict[str, int]:
        """The last process of each pod, as the log says."""
        return {
            name: int(pid) for name, pid in re.findall(r"(kubia-\d+) is process (\d+)", self.log.read_text())
        }

    def serves(self, ordinal: int) -> bool:
        """Whether this pod takes connections."""
        with socket.socket() as client:
            return client.connect_ex(("127.0.0.1", self.ports[ordinal])) == 0

    def __enter__(self) -> Self:
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(self.command, stdout=log, stderr=log)
        try:
            until("all pods to be ready", self._is_up, 45)
        except BaseException:
            self.__exit__()
            raise
        return self

    def _is_up(self) -> bool:
        log = self.log.read_text()
        assert self.process.poll() is None, f"kubia-pet local has ended:\n{log}"
        return "Lines to paste" in log

    def interrupt(self) -> int:
        """Ctrl-C, and the exit status."""
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(30)

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.interrupt()
