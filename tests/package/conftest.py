"""The package, built as a release builds it, and fresh environments of the interpreters that are here."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
OLDEST = (3, 11)


def run(*command: str | Path, timeout: float = 300) -> str:
    """What it prints; fails the test with what it complains of."""
    outside = {key: value for key, value in os.environ.items() if not key.startswith(("PYTHON", "COVERAGE"))}
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=timeout, check=False, env=outside, cwd="/"
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def interpreters() -> list[str]:
    """Those of PYTHONS; else this one and what pyenv has, one of each version that the package is for."""
    if given := os.environ.get("PYTHONS", "").split():
        return given
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    found = {sys.version_info[:2]: sys.executable}
    for python in sorted(pyenv.glob("3.*/bin/python")):
        major, minor, *_ = python.parents[1].name.split(".")
        if (int(major), int(minor)) >= OLDEST:
            found.setdefault((int(major), int(minor)), str(python))
    return [found[version] for version in sorted(found)]


@pytest.fixture(scope="session")
def distributions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with the sdist of this tree, as Git sees it, and the wheel that was built from that."""
    directory = tmp_path_factory.mktemp("build")
    tree, built = directory / "tree", directory / "dist"
    tracked = run("git", "-C", ROOT, "ls-files", "-z", "--cached", "--others", "--exclude-standard").split(
        "\0"
    )
    for each in filter(None, tracked):
        if (ROOT / each).is_file():
            (tree / each).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / each, tree / each)
    run(sys.executable, "-m", "build", "--outdir", built, tree)
    return built


@pytest.fixture(scope="session")
def wheel(distributions: Path) -> Path:
    (found,) = distributions.glob("*.whl")
    return found


@pytest.fixture(scope="session")
def sdist(distributions: Path) -> Path:
    (found,) = distributions.glob("*.tar.gz")
    return found


@pytest.fixture(scope="session", params=interpreters(), ids=lambda python: Path(python).parents[1].name)
def fresh(
    request: pytest.FixtureRequest, wheel: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Path]:
    """The programs of a new environment of that interpreter, with the wheel and what it needs."""
    environment = tmp_path_factory.mktemp("environment")
    run(request.param, "-m", "venv", environment)
    run(environment / "bin" / "pip", "install", "--quiet", "--disable-pip-version-check", wheel)
    yield environment / "bin"
    shutil.rmtree(environment)
