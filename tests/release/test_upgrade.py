"""The documented lines that upgrade by Helm: to the new chart's image, with the values that were given."""

import json
import re
import shlex
from pathlib import Path

import pytest
import yaml

from release import ROOT, chart
from tests.chart.api_server import api_server
from tests.chart.helm import by_name, helm, rendered

OLD, NEW = (f"sha256:{digit * 64}" for digit in "12")
GIVEN = {"replicas": 5, "token": {"secret": "mine"}}


def lines(document: str) -> list[list[str]]:
    """The words of each line of the document that upgrades a release."""
    text = (ROOT / "docs" / document).read_text().replace("\\\n", "")
    return [shlex.split(line) for line in re.findall(r"^helm (upgrade .*)$", text, re.MULTILINE)]


@pytest.mark.parametrize("document", ["upgrading.md", "watching.md"])
def test_an_upgrade_runs_the_new_image_and_keeps_the_values_that_were_given(
    document: str, tmp_path: Path
) -> None:
    for digest in (OLD, NEW):
        chart.with_image("registry.example/kubia-pet", digest, tmp_path / digest)
    (line,) = lines(document)
    releases = tmp_path / "releases.yaml"
    releases.write_text("[]")
    there = rendered(GIVEN, chart=tmp_path / OLD)["StatefulSet kubia"]
    with api_server(there) as url:

        def dry(*words: str, values: object = None) -> dict[str, object]:
            told: dict[str, object] = json.loads(
                helm(
                    *words,
                    "--namespace=zoo",
                    "--dry-run=server",
                    "--output=json",
                    f"--kube-apiserver={url}",
                    values=values,
                    env={"HELM_DRIVER": "memory", "HELM_MEMORY_DRIVER_DATA": str(releases)},
                )
            )
            return told

        first = dry("install", "kubia", str(tmp_path / OLD), values=GIVEN)
        first["info"] = {"status": "deployed"}
        releases.write_text(yaml.safe_dump([first]))
        words = [str(tmp_path / NEW) if each == "charts/kubia-pet" else each for each in line]
        spec = by_name(str(dry(*words)["manifest"]))["StatefulSet kubia"]["spec"]
    pod = spec["template"]["spec"]
    assert spec["replicas"] == GIVEN["replicas"]
    assert pod["volumes"][0]["secret"]["secretName"] == "mine"
    assert pod["containers"][0]["image"] == f"registry.example/kubia-pet@{NEW}"
