"""What the package asks to be installed is what it uses."""

import re
import tomllib
from importlib.metadata import files
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
WANTED = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]


@pytest.mark.parametrize("name", [re.split("[<>=]", each)[0] for each in WANTED])
def test_every_dependency_is_imported(name: str) -> None:
    modules = {path.parts[0].removesuffix(".py") for path in files(name) or () if path.suffix == ".py"}
    sources = [path.read_text("utf-8") for path in (ROOT / "kubia_pet").rglob("*.py")]
    assert modules & set(re.findall(r"^ *(?:from|import) (\w+)", "\n".join(sources), re.MULTILINE))
