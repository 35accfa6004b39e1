"""What the tests on an engine share."""

import os
from collections.abc import Callable, Iterator

import docker
import docker.errors
import pytest
from docker.models.images import Image

from tests.container.engine import ROOT, Engine

TAG = os.environ.get("KUBIA_PET_IMAGE", "kubia-pet:dev")
_FIGURES = pytest.StashKey[list[str]]()


@pytest.fixture(scope="session")
def client() -> Iterator[docker.DockerClient]:
    """The engine that DOCKER_HOST names, or the local one."""
    try:
        connected = docker.from_env()
    except docker.errors.DockerException as error:
        sentence = f"no Docker engine answers: {error}"
        if os.environ.get("CI"):
            pytest.fail(sentence)
        pytest.skip(sentence)
    yield connected
    connected.close()


@pytest.fixture(scope="session")
def image(client: docker.DockerClient) -> Image:
    """The image, built from this tree by the engine's classic builder."""
    built, _ = client.images.build(path=str(ROOT), tag=TAG, rm=True, forcerm=True)
    return built


@pytest.fixture
def engine(client: docker.DockerClient) -> Iterator[Engine]:
    with Engine(client) as made:
        yield made


@pytest.fixture(scope="session")
def figures(request: pytest.FixtureRequest) -> list[str]:
    """Lines that are printed after the tests."""
    return request.config.stash.setdefault(_FIGURES, [])


@pytest.fixture
def figure(figures: list[str]) -> Callable[[str], None]:
    return figures.append


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    for line in config.stash.get(_FIGURES, []):
        terminalreporter.write_line(f"measured: {line}")
