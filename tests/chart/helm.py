"""The chart as Helm renders it, without a cluster."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import yaml

from tests.support.tools import tool

ROOT = Path(__file__).parents[2]
CHART = ROOT / "charts" / "kubia-pet"
OLDEST, NEWEST = "1.27", "1.37"

Manifest = dict[str, Any]
Rendered = dict[str, Manifest]


class HelmError(Exception):
    """What Helm complains of."""


def helm(*arguments: str, values: Any = None, env: dict[str, str] | None = None, timeout: float = 60) -> str:
    """What `helm` prints, given the values as a file. Raises HelmError."""
    given = ["--values", "-"] if values is not None else []
    done = subprocess.run(
        [tool("helm"), *arguments, *given],
        input=json.dumps(values) if given else None,
        env=os.environ | (env or {}),
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
    if done.returncode:
        raise HelmError(done.stderr or done.stdout)
    return done.stdout


def rendered(
    values: Any = None, *, release: str = "kubia", kubernetes: str = NEWEST, chart: Path = CHART
) -> Rendered:
    """All objects, by kind and name."""
    text = helm("template", release, str(chart), "--kube-version", kubernetes, values=values or {})
    return by_name(text)


def by_name(text: str) -> Rendered:
    """The objects of a stream of YAML, by kind and name."""
    objects = [each for each in yaml.safe_load_all(text) if each is not None]
    found = {f"{each['kind']} {each['metadata']['name']}": each for each in objects}
    assert len(found) == len(objects), "two objects have one name"
    return found
