"""What is published: built, checked, installed in fresh environments, and run there."""

import subprocess
import sys
import tarfile
import urllib.request
import zipfile
from pathlib import Path

import pytest

from kubia_pet import __version__
from tests.package.conftest import ROOT, run
from tests.support.local_set import free_ports
from tests.support.pod import Pod, until

pytestmark = pytest.mark.timeout(600)
OUTSIDE = {"PYTHONPATH": "", "COVERAGE_PROCESS_START": ""}


def test_twine_and_check_wheel_contents_find_nothing(sdist: Path, wheel: Path) -> None:
    scripts = Path(sys.executable).parent
    run(scripts / "twine", "check", "--strict", sdist, wheel)
    run(scripts / "check-wheel-contents", wheel)


def test_the_wheel_has_the_program_and_its_files_and_nothing_else(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    tracked = run("git", "-C", ROOT, "ls-files", "kubia_pet").split()
    assert {name for name in names if not name.startswith(f"kubia_pet-{__version__}.dist-info/")} == set(
        tracked
    )
    assert {"kubia_pet/py.typed", "kubia_pet/openapi.json"} <= names
    assert any(name.endswith("LICENSE") for name in names)


def test_the_sdist_has_what_the_wheel_is_built_from_and_nothing_else(sdist: Path) -> None:
    with tarfile.open(sdist) as archive:
        names = {each.name.partition("/")[2] for each in archive if each.isfile()}
    tracked = run("git", "-C", ROOT, "ls-files", "kubia_pet").split()
    beside = {"pyproject.toml", "README.md", "LICENSE", "CHANGELOG.md", "PKG-INFO", ".gitignore"}
    assert names == {*tracked, *beside}


def test_two_builds_are_equal_byte_for_byte(wheel: Path, sdist: Path, tmp_path: Path) -> None:
    with tarfile.open(sdist) as archive:
        archive.extractall(tmp_path, filter="data")
    (tree,) = tmp_path.iterdir()
    run(sys.executable, "-m", "build", "--wheel", "--outdir", tmp_path / "again", tree)
    assert (tmp_path / "again" / wheel.name).read_bytes() == wheel.read_bytes()


def test_the_program_says_its_version_and_what_it_can_do(fresh: Path) -> None:
    assert run(fresh / "kubia-pet", "--version").strip().endswith(__version__)
    helped = run(fresh / "kubia-pet", "--help")
    assert {"serve", "local", "health"} <= set(helped.split())


def test_a_pod_serves_durable_values_without_uvloop(fresh: Path, tmp_path: Path) -> None:
    without = subprocess.run([fresh / "python", "-c", "import uvloop"], capture_output=True, check=False)
    assert without.returncode, "uvloop is there, though nobody asked for it"
    program = (str(fresh / "kubia-pet"),)
    with Pod(tmp_path / "data", program=program, env=OUTSIDE) as pod:
        urllib.request.urlopen(pod.url, b"Hey there!", timeout=10).close()  # noqa: S310 - http
        pod.kill()
    with Pod(tmp_path / "data", program=program, env=OUTSIDE) as pod:
        with urllib.request.urlopen(f"{pod.url}/data", timeout=10) as answer:  # noqa: S310 - http
            assert answer.read() == b"Hey there!"
        assert pod.terminate() == 0


def test_a_local_set_runs(fresh: Path, tmp_path: Path) -> None:
    serves_a_local_set((str(fresh / "kubia-pet"),), tmp_path)


def test_uvx_runs_a_local_set(wheel: Path, tmp_path: Path) -> None:
    uvx = Path(sys.executable).with_name("uvx")
    cache = f"--cache-dir={tmp_path / 'cache'}"
    serves_a_local_set(
        (str(uvx), "--quiet", cache, f"--python={sys.executable}", f"--from={wheel}", "kubia-pet"), tmp_path
    )


def serves_a_local_set(program: tuple[str, ...], directory: Path) -> None:
    """Fails where `PROGRAM local` does not make three pods that list each other."""
    first = free_ports(5)
    options = (f"--nameserver-port={first}", f"--port={first + 1}", f"--data-dir={directory / 'pets'}")
    log = directory / "local.log"
    with log.open("wb") as output:
        process = subprocess.Popen([*program, "local", *options], stdout=output, stderr=output, cwd=directory)
    try:
        until(f"the set to be ready: {log}", lambda: "Lines to paste" in log.read_text(), 120)
        with urllib.request.urlopen(f"http://127.0.0.1:{first + 1}", timeout=10) as answer:
            listed = answer.read().decode()
        assert [f"- kubia-{number}." in listed for number in range(3)] == [True] * 3, listed
    finally:
        process.terminate()
        process.wait(30)
