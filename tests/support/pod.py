"""Real pods for tests: processes of `kubia-pet serve`, started, asked, killed and waited for."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Self


def until(what: str, ready: Callable[[], object], seconds: float = 10.0) -> None:
    """Polls until `ready` returns something true; fails the test after `seconds`."""
    deadline = time.monotonic() + seconds
    while not ready():
        if time.monotonic() > deadline:
            raise AssertionError(f"gave up after {seconds:g} s waiting for {what}")
        time.sleep(0.01)


def files_on(volume: Path) -> list[str]:
    """What lies on a volume, by name, the ledger's directory aside."""
    return sorted(each.name for each in volume.iterdir() if each.name != ".kubia-pet")


class Pod:
    """One `kubia-pet serve` process on port 0; `url` is where it listens."""

    def __init__(
        self,
        data_dir: Path,
        *options: str,
        name: str = "kubia-0",
        prefix: Sequence[str] = (),
        program: Sequence[str] = (sys.executable, "-m", "kubia_pet"),
        env: dict[str, str] | None = None,
    ) -> None:
        self.name = name
        self.data_dir = data_dir
        self.options = options
        self.program = (*prefix, *program)
        self.env = env or {}
        self.log = data_dir.parent / f"{name}.log"
        self.process: subprocess.Popen[bytes]
        self.url = ""

    def launch(self) -> Self:
        """Starts the process without waiting for it to serve."""
        self.data_dir.mkdir(parents=True, exist_ok=True)
        settings = {"host": "127.0.0.1", "port": "0", "service": ""}
        defaults = {
            "KUBIAPET_LOCK_WAIT": "0",
            "KUBIAPET_DRAIN": "0",
        }  # not as an option, which nothing could unset
        given = [f"--{key}={value}" for key, value in settings.items()]
        command = [*self.program, "serve", *given]
        command += [f"--pod={self.name}", f"--data-dir={self.data_dir}", *self.options]
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                command, stderr=log, stdout=log, env=os.environ | defaults | self.env
            )
        return self

    def start(self) -> Self:
        """Starts it and waits until it listens."""
        self.launch()
        self.listening()
        return self

    def listening(self) -> None:
        """Waits until it listens."""
        until(f"{self.name} to listen: {self.log}", self._listening, 20)

    def _listening(self) -> bool:
        if self.process.poll() is not None:
            raise AssertionError(f"{self.name} ended at its start: {self.log.read_text()}")
        found = re.search(r"listens on (http://\S+),", self.log.read_text())
        if found:
            self.url = found[1]
        return bool(found)

    def kill(self) -> None:
        """SIGKILL, and waits for its end."""
        self.process.kill()
        self.process.wait()

    def terminate(self, timeout: float = 20.0) -> int:
        """SIGTERM, and its exit status."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.kill()
