"""`kubia-pet local` as a real process, for tests."""

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


def free_ports(count: int) -> int:
    """The first of `count` neighbouring ports that nothing listens on."""
    for first in range(20000 + os.getpid() % 5000, 32000, count):
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
        until("all pods to be ready", lambda: "Lines to paste" in self.log.read_text(), 60)
        return self

    def interrupt(self) -> int:
        """Ctrl-C, and the exit status."""
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(30)

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.interrupt()
