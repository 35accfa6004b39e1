"""Settings: how each is written, and what is refused."""

import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import pytest

from kubia_pet.config import ENV_PREFIX, Settings
from kubia_pet.parameters import Address, Duration, Size
from tests.support.pod import Pod

# What Kubernetes injects for Services of these names (docs: "Discovering services", environment variables).
SERVICES = ("KUBIA", "KUBIA_PUBLIC", "KUBIA_PET", "PET")


@pytest.mark.parametrize(
    ("text", "size"), [("4096", 4096), ("64KiB", 65536), ("1MiB", 2**20), ("1.5 kb", 1500), ("2gib", 2**31)]
)
def test_a_size_has_a_unit_or_none(text: str, size: int) -> None:
    assert Size().convert(text, None, None) == size


@pytest.mark.parametrize(("text", "seconds"), [("2", 2), ("500ms", 0.5), ("1.5s", 1.5), ("1m", 60)])
def test_a_time_has_a_unit_or_none(text: str, seconds: float) -> None:
    assert Duration().convert(text, None, None) == seconds


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("10.96.0.10:5353", ("10.96.0.10", 5353)),
        ("10.96.0.10", ("10.96.0.10", 53)),
        ("[fd00::10]:5353", ("fd00::10", 5353)),
        ("fd00::10", ("fd00::10", 53)),
    ],
)
def test_a_name_server_is_an_address_and_a_port(text: str, address: tuple[str, int]) -> None:
    assert Address().convert(text, None, None) == address


@pytest.mark.parametrize(
    ("option", "sentence"),
    [
        ("--max-value=1MB1", "'1MB1' is not a size: write bytes or a unit, as in 65536, 64KiB or 1MiB."),
        ("--max-value=0", "'0' is not a size"),
        ("--peer-timeout=-1s", "'-1s' is not a time: write seconds or a unit, as in 2, 500ms or 1m."),
        ("--peer-timeout=0", "'0' is not a time"),
        ("--nameserver=dns", "'dns' is not ADDRESS:PORT, as in 10.96.0.10:53 or [::1]:5353."),
        ("--nameserver=10.0.0.1:70000", "is not ADDRESS:PORT"),
        ("--nameserver=999.0.0.1:53", "is not ADDRESS:PORT"),
        ("--allowed-host=http://pet.example", "'http://pet.example' is not a host: write it without scheme"),
        ("--allowed-host=pet.example:80", "is not a host"),
        ("--allowed-host=*", "is not a host"),
        ("--port=70000", "70000 is not in the range"),
        ("--log-format=xml", "'xml' is not one of"),
    ],
)
def test_a_wrong_value_is_refused_with_a_sentence_at_the_start(option: str, sentence: str) -> None:
    command = [sys.executable, "-m", "kubia_pet", "serve", option]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 2
    assert sentence in " ".join(result.stderr.split())


def test_each_setting_is_an_environment_variable_too(tmp_path: Path) -> None:
    with Pod(tmp_path / "data", env={"KUBIAPET_MAX_VALUE": "4"}) as pod:
        result = subprocess.run(
            ["curl", "-s", "-d", "12345", pod.url], capture_output=True, text=True, check=True
        )
    assert result.stdout == "The value is over the limit of 4 bytes.\n"


def test_an_option_is_stronger_than_its_variable(tmp_path: Path) -> None:
    with Pod(tmp_path / "data", "--max-value=5", env={"KUBIAPET_MAX_VALUE": "4"}) as pod:
        result = subprocess.run(
            ["curl", "-s", "-d", "12345", pod.url], capture_output=True, text=True, check=True
        )
    assert result.stdout == "Data stored on pod kubia-0\n"


@pytest.mark.parametrize("service", SERVICES)
def test_kubernetes_injects_no_variable_that_is_a_setting(service: str) -> None:
    injected = (f"{service}_SERVICE_", f"{service}_PORT")
    for each in fields(Settings):
        assert not f"{ENV_PREFIX}_{each.name.upper()}".startswith(injected)


def test_a_service_set_to_nothing_by_its_variable_means_no_peers(tmp_path: Path) -> None:
    command = [sys.executable, "-c", SHOW_SERVICE]
    for value, shown in (("", "''"), ("kubia", "'kubia'")):
        result = subprocess.run(
            command, capture_output=True, text=True, check=True, env={"KUBIAPET_SERVICE": value}, cwd=tmp_path
        )
        assert result.stdout.strip() == shown
    result = subprocess.run(command, capture_output=True, text=True, check=True, env={}, cwd=tmp_path)
    assert result.stdout.strip() == "None"


SHOW_SERVICE = """
import click
from kubia_pet.config import settings_options
@click.command()
@settings_options
def show(**given):
    print(repr(given["service"]))
show()
"""
