"""The labs that need `make run` alone, command by command, as a learner would type them."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.console import sections
from tests.support.labs import LABS, make_desk, needs_cluster
from tests.support.local_set import LocalSet
from tests.support.reader import Reader
from tests.support.shell import Shell

pytestmark = pytest.mark.timeout(180)  # a minute, on a machine that has nothing else to do


@pytest.fixture
def reader(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Reader]:
    """In a directory that has the command where a clone has it, beside what `make run` starts."""
    with LocalSet(tmp_path, 3, "--faults") as pets, Shell(tmp_path, make_desk(tmp_path)) as shell:
        (tmp_path / "kubia-pet-data").symlink_to(pets.data_dir)
        ports = {"8053": pets.nameserver_port, "8080": pets.port}
        ports |= {str(8081 + ordinal): port for ordinal, port in enumerate(pets.ports)}
        typed = {shown: str(port) for shown, port in ports.items()}
        printed = {port: shown for shown, port in typed.items()} | {str(pets.data_dir): "kubia-pet-data"}
        yield Reader(shell, request.param, typed, printed)


@pytest.mark.parametrize(
    "reader", [lab for lab in LABS if not needs_cluster(lab)], ids=lambda lab: lab.stem, indirect=True
)
def test_every_command_prints_what_the_lab_shows(reader: Reader) -> None:
    for section in sections(reader.document.read_text()):
        reader.follow(section)
