"""What the image is made of, without an engine: Dockerfile, lock and .dockerignore against the program."""

import fnmatch
import hashlib
import io
import json
import re
import subprocess
import sys
import tarfile
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
LOCKS = ("requirements.lock", "requirements-build.lock", "requirements-release.lock")


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


def test_both_stages_are_of_the_base_image_that_is_given_the_releases_without_its_digest() -> None:
    assert last("ARG") == f"BASE={release_base().partition('@')[0]}"
    assert [arguments.split()[0] for name, arguments in INSTRUCTIONS if name == "FROM"] == ["${BASE}"] * 2


def test_a_release_is_built_on_an_image_by_its_digest() -> None:
    assert re.fullmatch(r"python:3\.\d+-slim@sha256:[0-9a-f]{64}", release_base())


def release_base() -> str:
    """What image/base names."""
    (base,) = re.findall(r"^FROM (\S+)$", (ROOT / "image/base/Dockerfile").read_text(), re.MULTILINE)
    assert isinstance(base, str)
    return base


def layout(directory: Path, content: bytes, layers: int = 1) -> Path:
    """An OCI layout of so many layers, each with the one file."""
    blobs = directory / "blobs" / "sha256"
    blobs.mkdir(parents=True)

    def stored(data: bytes) -> dict[str, str]:
        digest = hashlib.sha256(data).hexdigest()
        (blobs / digest).write_bytes(data)
        return {"digest": f"sha256:{digest}"}

    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        entry = tarfile.TarInfo("opt/pet")
        entry.size = len(content)
        archive.addfile(entry, io.BytesIO(content))
    manifest = {"layers": [stored(packed.getvalue())] * layers}
    index = {"manifests": [stored(json.dumps(manifest).encode())]}
    (directory / "index.json").write_text(json.dumps(index))
    return directory


def test_two_images_are_the_same_or_the_file_that_differs_is_named(tmp_path: Path) -> None:
    one, same, other = (
        layout(tmp_path / str(number), text) for number, text in enumerate((b"1", b"1", b"2"))
    )

    def compared(with_image: Path) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, str(ROOT / "image" / "compare.py"), str(one), str(with_image)]
        return subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)

    assert compared(same).stdout.endswith("All layers are the same.\n")
    assert compared(same).returncode == 0
    assert "opt/pet: " in compared(other).stdout
    assert compared(other).returncode == 1
    longer = compared(layout(tmp_path / "longer", b"1", layers=2))
    assert (longer.returncode, longer.stderr) == (1, "")
    assert "One image has 1 layers, the other 2." in longer.stdout
    index = json.loads((other / "index.json").read_text())
    (other / "index.json").write_text(json.dumps({"manifests": index["manifests"] * 2}))
    assert compared(other).stderr.endswith("holds 2 images: give one --platform.\n")


@pytest.mark.parametrize("status", [0, 1])
def test_the_build_without_a_registry_ends_as_the_comparison_did_and_leaves_nothing(
    status: int, tmp_path: Path
) -> None:
    (trap,) = re.findall(r"^trap .*$", (ROOT / ".ci" / "reproducible").read_text(), re.MULTILINE)
    work = tmp_path / "work"
    work.mkdir()
    script = f"docker() {{ false; }}; work=$1; sleep 60 & daemon=$!\n{trap}\nexit {status}"
    done = subprocess.run(["bash", "-euo", "pipefail", "-c", script, "bash", work], timeout=30, check=False)
    assert done.returncode == status
    assert not work.exists()
