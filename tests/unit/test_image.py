"""What the image is made of, without an engine: Dockerfile, lock and .dockerignore against the program."""

import fnmatch
import importlib.util
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.markers import Marker
from packaging.requirements import Requirement

from kubia_pet import __version__
from kubia_pet.config import Settings
from kubia_pet.limits import LOCK_WAIT
from tests.unit.test_manifests import POD

ROOT = Path(__file__).parents[2]
SETTINGS = Settings()
INSTRUCTIONS: list[tuple[str, str]] = re.findall(
    r"^([A-Z]+) +(.*)$", (ROOT / "Dockerfile").read_text().replace("\\\n", " "), re.MULTILINE
)
LOCKS = ("requirements.lock", "requirements-build.lock")


def last(instruction: str) -> str:
    return [arguments for name, arguments in INSTRUCTIONS if name == instruction][-1]


def locked(path: str) -> dict[str, tuple[Requirement, int]]:
    """Each package of a lock by its name: the requirement, and its number of hashes."""
    entries = re.split(r"\n(?=\S)", re.sub(r"^ *#.*\n", "", (ROOT / path).read_text(), flags=re.MULTILINE))
    found = {}
    for entry in entries:
        line, *options = (part.strip() for part in re.split(r"\\\n", entry.strip()))
        requirement = Requirement(line)
        assert all(re.fullmatch(r"--hash=sha256:[0-9a-f]{64}", option) for option in options), options
        found[requirement.name] = requirement, len(options)
    return found


def needed() -> list[Requirement]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return [Requirement(each) for each in project["dependencies"] + project["optional-dependencies"]["fast"]]


@pytest.mark.parametrize("path", LOCKS)
def test_every_locked_package_has_one_version_and_its_hashes(path: str) -> None:
    packages = locked(path)
    assert len(packages) >= 5
    for requirement, hashes in packages.values():
        assert [each.operator for each in requirement.specifier] == ["=="]
        assert hashes


def test_the_lock_satisfies_what_the_project_needs() -> None:
    packages = locked("requirements.lock")
    for requirement in needed():
        (version,) = (each.version for each in packages[requirement.name][0].specifier)
        assert version in requirement.specifier, requirement


def test_the_lock_leaves_nothing_out_on_linux() -> None:
    for requirement, _ in locked("requirements.lock").values():
        for machine in ("x86_64", "aarch64"):
            marker = requirement.marker or Marker("os_name == 'posix'")
            linux = {"os_name": "posix", "sys_platform": "linux", "platform_machine": machine}
            assert marker.evaluate(linux), requirement


def test_everything_that_is_copied_is_let_in() -> None:
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    let_in = {line[1:] for line in lines if line.startswith("!")}
    sources = {
        source
        for name, arguments in INSTRUCTIONS
        if name == "COPY" and not arguments.startswith("--from")
        for source in arguments.split()[:-1]
    }
    assert "*" in lines
    assert sources == let_in
    assert all((ROOT / source).exists() for source in sources)
    assert any(fnmatch.fnmatch("kubia_pet/__pycache__", line) for line in lines)


def test_the_image_runs_as_the_user_that_the_manifests_name() -> None:
    context = POD["securityContext"]
    assert last("USER") == f"{context['runAsUser']}:{context['runAsGroup']}"


def test_port_volume_and_version_are_the_programs() -> None:
    assert last("EXPOSE") == str(SETTINGS.port)
    assert last("VOLUME") == str(SETTINGS.data_dir)
    assert f'org.opencontainers.image.version="{__version__}"' in last("LABEL")


def test_a_health_check_waits_for_the_volumes_lock() -> None:
    found = re.search(r"--start-period=(\d+)s", last("HEALTHCHECK"))
    assert found
    assert int(found[1]) > LOCK_WAIT


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="strips what the image has: ELF")
def test_a_stripped_library_is_shorter_and_loads(tmp_path: Path) -> None:
    for module in ("aiohttp._http_parser", "httptools.parser.parser"):
        found = importlib.util.find_spec(module)
        assert found
        assert found.origin
        copy = tmp_path / Path(found.origin).name
        shutil.copy(found.origin, copy)
        subprocess.run([sys.executable, ROOT / "image/strip.py", tmp_path], check=True)
        assert copy.stat().st_size < Path(found.origin).stat().st_size / 2
        load = (
            "import importlib.util as u, sys\n"
            f"spec = u.spec_from_file_location({module!r}, {str(copy)!r})\n"
            "module = u.module_from_spec(spec)\n"
            "spec.loader.exec_module(module)\n"
            "print(module.__file__)"
        )
        done = subprocess.run([sys.executable, "-c", load], check=True, capture_output=True, text=True)
        assert done.stdout.strip() == str(copy)


def test_what_is_no_library_is_not_cut(tmp_path: Path) -> None:
    (tmp_path / "text.so").write_bytes(b"INPUT(libother.so)".ljust(100))
    done = subprocess.run(
        [sys.executable, ROOT / "image/strip.py", tmp_path], check=False, capture_output=True, text=True
    )
    assert done.returncode
    assert "ValueError" in done.stderr
    assert (tmp_path / "text.so").read_bytes().startswith(b"INPUT")
