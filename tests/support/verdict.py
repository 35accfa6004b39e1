"""`kubia-pet check` and `probe` as a user runs them, against sets of real pods whose DNS a test holds."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

from tests.support.dns_server import NAME, NameServer, Zone
from tests.support.pod import Pod

PROGRAM = (sys.executable, "-m", "kubia_pet")


@dataclass(frozen=True)
class Verdict:
    """What `check --output json` said."""

    exit: int
    members: Mapping[str, Any]

    @property
    def statuses(self) -> dict[str, str]:
        """The status of each check."""
        return {each["id"]: each["status"] for each in self.members["checks"]}

    @property
    def cause(self) -> str | None:
        """The cause of the first that failed."""
        cause: str | None = self.members["cause"]
        return cause

    @property
    def warnings(self) -> dict[str, str]:
        """The causes of the warnings, by check."""
        return {each["id"]: each["cause"] for each in self.members["checks"] if each["status"] == "warning"}

    def evidence(self, check: str) -> str:
        """The lines of this check."""
        (found,) = (each for each in self.members["checks"] if each["id"] == check)
        return "\n".join([found["message"], *found["evidence"]])

    @property
    def followed(self) -> set[str]:
        """The checks that were skipped as they follow from another."""
        return {each["id"] for each in self.members["checks"] if each["message"].startswith("follows from")}


def check(*arguments: str, env: Mapping[str, str] | None = None, timeout: float = 60) -> Verdict:
    """Runs the command to its end."""
    done = subprocess.run(
        [*PROGRAM, "check", "--output=json", *arguments],
        capture_output=True,
        text=True,
        timeout=timeout,
        env=os.environ | {"KUBIAPET_PORT": "1"} | dict(env or {}),  # whoever has 8080 here is none of ours
        check=False,
    )
    assert done.stdout, done.stderr
    assert "Traceback" not in done.stderr, done.stderr
    return Verdict(done.returncode, json.loads(done.stdout))


class Probing:
    """`kubia-pet probe --output json`, running."""

    def __init__(self, *arguments: str) -> None:
        self.process = subprocess.Popen(
            [*PROGRAM, "probe", "--output=json", *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.exit = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate()

    def end(self, timeout: float = 60) -> dict[str, Any]:
        """Ctrl-C, and what it has seen."""
        self.process.send_signal(signal.SIGINT)
        return self.wait(timeout)

    def wait(self, timeout: float = 60) -> dict[str, Any]:
        """What it has seen, at its end."""
        printed, complained = self.process.communicate(timeout=timeout)
        self.exit = self.process.returncode
        assert printed, complained
        members: dict[str, Any] = json.loads(printed)
        return members


class PetSet:
    """Pods of one set as processes, and the name server that they ask, which can be made to lie."""

    def __init__(
        self,
        directory: Path,
        *options: str,
        replicas: int = 3,
        named: Sequence[str] = (),
        service: str | None = f"{NAME}.",
        prefix: Sequence[str] = (),
        volumes: Mapping[int, Path] | None = None,
        env: Mapping[str, str] | None = None,
    ) -> None:
        self.zone = Zone(ttl=0)
        self.names = NameServer(self.zone)
        self.nameserver = "{}:{}".format(*self.names.address)
        found = () if service is None else (f"--service={service}", f"--nameserver={self.nameserver}")
        self.pods = [
            Pod(
                (volumes or {}).get(ordinal, directory / f"data-{name}"),
                *found,
                "--dns-max-age=0",
                *options,
                name=name,
                prefix=prefix,
                env=dict(env or {}),
            )
            for ordinal, name in enumerate(named or [f"kubia-{ordinal}" for ordinal in range(replicas)])
        ]
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            stack.enter_context(self.names)
            for pod in self.pods:
                stack.callback(pod.__exit__)
                pod.launch()
            for pod in self.pods:
                pod.listening()
                self.zone.add(pod.name, self.port(pod))
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def replace(self, ordinal: int, *, prefix: Sequence[str] = (), volume: Path | None = None) -> Pod:
        """Ends the pod and starts it again, on another volume or as somebody else if that is said."""
        pod = self.pods[ordinal]
        pod.terminate()
        pod.program = (*prefix, *pod.program)
        pod.data_dir = volume or pod.data_dir
        pod.start()
        self.zone.add(pod.name, self.port(pod))
        return pod

    def port(self, pod: Pod) -> int:
        """Where the pod listens."""
        port = urlsplit(pod.url).port
        assert port
        return port

    @property
    def inside(self) -> tuple[str, ...]:
        """The arguments that lead to this set as from inside the cluster."""
        return f"--service={NAME}", f"--nameserver={self.nameserver}"
