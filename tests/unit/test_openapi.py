"""The OpenAPI document, held against a running server."""

import json
import re
import subprocess
import sys
from importlib import resources
from pathlib import Path

import pytest

from kubia_pet.config import Settings
from kubia_pet.model.diagnostic import ErrorCode
from kubia_pet.model.fault import Fault
from kubia_pet.store.errors import CODES
from kubia_pet.web.app import build
from kubia_pet.web.problem import Code
from tests.support.pod import Pod

DOCUMENT = json.loads(resources.files("kubia_pet").joinpath("openapi.json").read_text())


@pytest.mark.timeout(180)
@pytest.mark.parametrize("accept", ["text/plain", "application/json"])
def test_the_running_server_is_as_its_document_says(pod: Pod, tmp_path: Path, accept: str) -> None:
    # 412 is no refusal of what was sent, but of the moment.
    (tmp_path / "schemathesis.toml").write_text(
        '[checks.positive_data_acceptance]\nexpected-statuses = ["2xx", "3xx", "403", "404", "412", "5xx"]\n'
    )
    result = subprocess.run(
        [
            *(sys.executable, "-m", "schemathesis.cli", "run", f"{pod.url}/openapi.json"),
            *("--checks", "all", "--max-examples", "25", "--seed", "7", "--generation-database", "none"),
            *("-H", f"Accept: {accept}"),
            *("--exclude-path", "/events"),  # it has no end: tests/api/test_events.py
        ],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    assert "Traceback" not in pod.log.read_text()


def test_each_error_code_is_in_the_document_and_no_other() -> None:
    assert DOCUMENT["components"]["schemas"]["Finding"]["properties"]["code"]["enum"] == [*ErrorCode]


async def test_the_document_has_every_route_of_the_server_and_no_other(tmp_path: Path) -> None:
    app = build(Settings(data_dir=tmp_path, faults=True), pod="kubia-0", service=None, port=8080)
    served = {(route.method, resource.canonical) for resource in app.router.resources() for route in resource}
    documented = {
        (method.upper(), path)
        for path, methods in DOCUMENT["paths"].items()
        for method in methods
        if method != "parameters"
    }
    # HEAD goes with every GET (RFC 9110 §9.1); the document names it where it is of use.
    assert documented <= served
    assert {each for each in served if each[0] != "HEAD"} == {
        each for each in documented if each[0] != "HEAD"
    }


def test_what_changes_something_may_want_the_token_and_refuses_pages_of_other_sites() -> None:
    for path, methods in DOCUMENT["paths"].items():
        for method in methods.keys() & {"post", "put", "patch", "delete"}:
            of = methods[method]
            assert of.get("security") == [{}, {"bearer": []}, {"header": []}], (method, path)
            assert {"401", "403", "421", "503"} <= of["responses"].keys(), (method, path)


def test_the_document_and_the_readme_name_each_code_of_an_error() -> None:
    codes = [*CODES, *Code]
    assert DOCUMENT["components"]["schemas"]["Problem"]["properties"]["code"]["enum"] == codes
    readme = (Path(__file__).parents[2] / "README.md").read_text()
    (named,) = re.findall(r"^Problem details of a 503 .*?\n\n", readme, re.MULTILINE | re.DOTALL)
    assert set(re.findall("`([a-z-]+)`", named)) - {"code"} == set(codes)


def test_the_document_names_each_fault() -> None:
    assert DOCUMENT["components"]["schemas"]["Fault"]["enum"] == list(Fault)
