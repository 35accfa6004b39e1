"""Containers on the local engine: made for one test, asked over HTTP, and removed whatever happens."""

import http.client
import secrets
from contextlib import suppress
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

import docker
import docker.errors
from docker.models.containers import Container
from docker.models.images import Image
from docker.models.networks import Network
from docker.models.volumes import Volume

from tests.support.pod import until

ROOT = Path(__file__).parents[2]
HARDENED: dict[str, Any] = {
    "read_only": True,
    "cap_drop": ["ALL"],
    "security_opt": ["no-new-privileges"],
    "pids_limit": 64,
    "mem_limit": "128m",
}


class Engine:
    """The engine that the environment names, and what a test made on it; its end removes all of that."""

    def __init__(self, client: docker.DockerClient) -> None:
        self.client = client
        self._containers: list[Container] = []
        self._volumes: list[Volume] = []
        self._networks: list[Network] = []

    def start(self, image: Image, *command: str, **options: Any) -> Container:
        """A container that was started; it may have ended already."""
        # The identity of an image has always its digest; its name another test may have given to a newer one.
        made = self.client.containers.create(str(image.id), list(command) or None, **options)
        self._containers.append(made)
        made.start()
        return made

    def pet(self, image: Image, **options: Any) -> "Pet":
        """A container of the pet, serving, its port published on loopback."""
        started = self.start(image, ports={"8080/tcp": ("127.0.0.1", None)}, **options)
        return Pet(started).ready()

    def volume(self) -> Volume:
        made = self.client.volumes.create(f"kubia-pet-test-{secrets.token_hex(4)}")
        self._volumes.append(made)
        return made

    def network(self) -> Network:
        made = self.client.networks.create(f"kubia-pet-test-{secrets.token_hex(4)}")
        self._networks.append(made)
        return made

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for container in self._containers:
            with suppress(docker.errors.NotFound):  # the test removed it
                container.remove(force=True, v=True)
        for volume in self._volumes:
            volume.remove(force=True)
        for network in self._networks:
            network.remove()


class Pet:
    """A container of the pet that serves."""

    def __init__(self, container: Container) -> None:
        self.container = container

    @property
    def url(self) -> str:
        """Where its port is published now: another place after each start."""
        self.container.reload()
        ports: dict[str, Any] = self.container.ports
        published, *_ = ports["8080/tcp"] or [{}]
        return f"http://127.0.0.1:{published['HostPort']}"

    def ready(self) -> Self:
        """Waits until it is ready."""
        until(f"{self.container.name} to be ready", self._is_ready, 30)
        return self

    def _is_ready(self) -> bool:
        self.container.reload()
        if self.container.status == "exited":
            raise AssertionError(f"it ended at its start: {log_of(self.container)}")
        try:
            return answer(f"{self.url}/readyz")[0] == 200
        except (OSError, http.client.HTTPException):
            return False

    def get(self, path: str = "/") -> str:
        status, text = answer(f"{self.url}{path}")
        assert status == 200, text
        return text

    def post(self, value: str) -> None:
        assert answer(f"{self.url}/", "POST", value.encode())[0] == 200

    def run(self, *command: str) -> tuple[int, str]:
        """Exit status and output of a command inside the container."""
        status, output = self.container.exec_run(list(command))
        assert isinstance(status, int)
        assert isinstance(output, bytes)
        return status, output.decode()


def answer(url: str, method: str = "GET", body: bytes | None = None) -> tuple[int, str]:
    """Status and text of one request on a connection of its own."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=10)
    try:
        connection.request(method, parts.path or "/", body)
        response = connection.getresponse()
        return response.status, response.read().decode()
    finally:
        connection.close()


def log_of(container: Container) -> str:
    logged = container.logs()
    assert isinstance(logged, bytes)
    return logged.decode()
