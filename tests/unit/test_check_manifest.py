"""k8s/check/: a Job under the restricted standard, beside the set and no part of it."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

from kubia_pet.check.command import check
from kubia_pet.limits import ASK_TIMEOUT, LATE_WRITE_TIME, RESTORE_TIMEOUT

K8S = Path(__file__).parents[2] / "k8s"


def resource(path: str) -> dict[str, Any]:
    loaded = yaml.safe_load((K8S / path).read_text())
    assert isinstance(loaded, dict)
    return loaded


JOB = resource("check/job.yaml")["spec"]
POD = JOB["template"]["spec"]
(CONTAINER,) = POD["containers"]


def test_its_verdict_is_final() -> None:
    assert (JOB["backoffLimit"], POD["restartPolicy"]) == (0, "Never")


def test_it_fits_the_restricted_standard_and_has_no_token() -> None:
    context = POD["securityContext"]
    assert context["runAsNonRoot"] is True
    assert context["runAsUser"] > 0
    assert context["seccompProfile"] == {"type": "RuntimeDefault"}
    assert CONTAINER["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert (POD["automountServiceAccountToken"], POD["enableServiceLinks"]) == (False, False)
    assert "volumes" not in POD


def test_no_service_or_budget_of_the_set_selects_it() -> None:
    labels = JOB["template"]["metadata"]["labels"]
    for path in ("service-headless.yaml", "service-public.yaml"):
        assert not resource(path)["spec"]["selector"].items() <= labels.items()


def test_the_network_policy_lets_it_in() -> None:
    (policy,) = [
        each for each in yaml.safe_load_all((K8S / "network-policy/network-policy.yaml").read_text()) if each
    ]
    sources = [source for rule in policy["spec"]["ingress"] for source in rule.get("from", ())]
    wanted = [each["key"] for source in sources for each in source["podSelector"].get("matchExpressions", ())]
    assert JOB["template"]["metadata"]["labels"].keys() >= set(wanted) > set()


def test_it_checks_the_headless_service_with_the_sets_own_image() -> None:
    assert CONTAINER["args"] == [
        "check",
        f"--service={resource('service-headless.yaml')['metadata']['name']}",
    ]
    assert resource("check/kustomization.yaml")["images"] == resource("kustomization.yaml")["images"]


def test_there_is_time_to_put_old_values_back_when_it_is_deleted() -> None:
    under_way = 2 * ASK_TIMEOUT
    late = LATE_WRITE_TIME + ASK_TIMEOUT
    assert POD["terminationGracePeriodSeconds"] > under_way + RESTORE_TIMEOUT + late


@pytest.mark.parametrize("argument", CONTAINER["args"][1:])
def test_its_arguments_are_options_of_the_command(argument: str) -> None:
    options = {option for each in check.params for option in each.opts}
    assert argument.partition("=")[0] in options


def test_the_command_without_a_set_is_a_wrong_use(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBIAPET_PORT", "1")
    result = CliRunner().invoke(check, [])
    assert result.exit_code == 2
    assert "Say which set" in result.stderr


def test_a_url_and_a_namespace_together_are_a_wrong_use() -> None:
    result = CliRunner().invoke(check, ["http://localhost:8080", "--namespace", "zoo"])
    assert result.exit_code == 2
    assert "not both" in result.stderr
