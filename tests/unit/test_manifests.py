"""k8s/ without a cluster: valid for several Kubernetes versions, and true to the program's own settings."""

import json
import os
import re
import shutil
import subprocess
from collections.abc import Callable
from importlib import resources
from pathlib import Path
from typing import Any

import kubernetes_validate  # type: ignore[import-untyped] # it has annotations but no py.typed
import pytest
import yaml

from kubia_pet import limits
from kubia_pet.config import ENV_PREFIX, Settings
from tests.chart.helm import NEWEST, OLDEST

MANIFESTS = Path(__file__).parents[2] / "k8s"
SETTINGS = Settings()
MIB = 2**20

Manifest = dict[str, Any]


def resource(path: str) -> Manifest:
    loaded = yaml.safe_load((MANIFESTS / path).read_text())
    assert isinstance(loaded, dict)
    return loaded


ALL = sorted(
    str(path.relative_to(MANIFESTS))
    for path in MANIFESTS.rglob("*.yaml")
    if path.name != "kustomization.yaml"
)
STATEFUL_SET = resource("statefulset.yaml")
SPEC = STATEFUL_SET["spec"]
POD = SPEC["template"]["spec"]
(CONTAINER,) = POD["containers"]
HEADLESS = resource("service-headless.yaml")
PUBLIC = resource("service-public.yaml")


# Valid


@pytest.mark.parametrize("version", [OLDEST, "1.30", "1.33", NEWEST])
@pytest.mark.parametrize("path", ALL)
def test_each_manifest_fits_the_schema_of_each_kubernetes_version(path: str, version: str) -> None:
    kubernetes_validate.validate(resource(path), version, strict=True)


def test_a_field_that_does_not_exist_would_be_seen() -> None:
    wrong = resource("service-public.yaml")
    wrong["spec"]["ports"][0]["target"] = "http"
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(wrong, NEWEST, strict=True)


def test_each_manifest_is_applied_by_its_kustomization() -> None:
    applied = {
        str((kustomization.parent / each).relative_to(MANIFESTS))
        for kustomization in MANIFESTS.rglob("kustomization.yaml")
        for each in yaml.safe_load(kustomization.read_text()).get("resources", ())
    }
    assert applied == set(ALL)


def test_no_manifest_names_a_namespace() -> None:
    assert not [path for path in ALL if "namespace" in resource(path)["metadata"]]


# The names of the chapter


def test_names_are_those_of_the_chapter() -> None:
    names = {(each["kind"], each["metadata"]["name"]) for each in map(resource, ALL)}
    assert {("StatefulSet", "kubia"), ("Service", "kubia"), ("Service", "kubia-public")} <= names
    (claim,) = SPEC["volumeClaimTemplates"]
    assert claim["metadata"]["name"] == "data"


def test_the_stateful_sets_service_is_the_headless_one() -> None:
    assert SPEC["serviceName"] == HEADLESS["metadata"]["name"]
    assert HEADLESS["spec"]["clusterIP"] == "None"
    assert "clusterIP" not in PUBLIC["spec"]


def test_everything_selects_the_pods_by_their_labels() -> None:
    budget, policy = resource("disruption-budget.yaml"), resource("network-policy/network-policy.yaml")
    (spread,) = POD["topologySpreadConstraints"]
    assert SPEC["template"]["metadata"]["labels"] == {"app": "kubia"}
    for selector in (
        SPEC["selector"]["matchLabels"],
        spread["labelSelector"]["matchLabels"],
        HEADLESS["spec"]["selector"],
        PUBLIC["spec"]["selector"],
        budget["spec"]["selector"]["matchLabels"],
        policy["spec"]["podSelector"]["matchLabels"],
    ):
        assert selector == {"app": "kubia"}


# Held against the program


def test_every_port_leads_to_the_one_that_the_pet_listens_on() -> None:
    assert CONTAINER["ports"] == [{"name": "http", "containerPort": SETTINGS.port}]
    for service in (HEADLESS, PUBLIC):
        (port,) = service["spec"]["ports"]
        assert port["targetPort"] == "http"
    assert HEADLESS["spec"]["ports"][0]["name"] == "http"  # _http._tcp.kubia
    assert "name" not in PUBLIC["spec"]["ports"][0]  # as a name would have to be said in the API server's URL
    assert HEADLESS["spec"]["ports"][0]["port"] == SETTINGS.port
    assert PUBLIC["spec"]["ports"][0]["port"] == 80


def test_the_claim_is_mounted_where_the_pet_keeps_its_value() -> None:
    assert CONTAINER["volumeMounts"] == [{"name": "data", "mountPath": str(SETTINGS.data_dir)}]


def test_probes_ask_routes_that_exist() -> None:
    paths = json.loads(resources.files("kubia_pet").joinpath("openapi.json").read_text())["paths"]
    probes = {
        kind: CONTAINER[kind]["httpGet"] for kind in ("livenessProbe", "readinessProbe", "startupProbe")
    }
    assert {kind: probe["path"] for kind, probe in probes.items()} == {
        "livenessProbe": "/healthz",
        "readinessProbe": "/readyz",
        "startupProbe": "/healthz",
    }
    assert all(probe["path"] in paths and probe["port"] == "http" for probe in probes.values())


def test_a_pod_that_hangs_on_purpose_for_the_default_time_is_restarted() -> None:
    probe = CONTAINER["livenessProbe"]
    in_vain = probe["periodSeconds"] * probe["failureThreshold"] + probe["timeoutSeconds"]
    assert in_vain < limits.DEFAULT_FAULT_TIME


def test_a_hung_volume_is_told_before_the_readiness_probe_gives_up() -> None:
    assert CONTAINER["readinessProbe"]["timeoutSeconds"] > SETTINGS.volume_timeout


def test_the_startup_probe_waits_longer_than_a_pod_may_wait_for_its_volume() -> None:
    probe = CONTAINER["startupProbe"]
    assert probe["periodSeconds"] * probe["failureThreshold"] >= limits.LOCK_WAIT + 10


def test_the_grace_period_is_the_sum_that_its_comment_says() -> None:
    text = (MANIFESTS / "statefulset.yaml").read_text()
    comment = text[text.index("# How a pod ends") : text.index("terminationGracePeriodSeconds")]
    parts = {sentence: int(seconds) for seconds, sentence in re.findall(r"# +(\d+)  (.*)", comment)}
    assert sum(parts.values()) == POD["terminationGracePeriodSeconds"]
    said = {
        match[1]: seconds
        for each, seconds in parts.items()
        if (match := re.match(rf"{ENV_PREFIX}_(\w+):", each))
    }
    assert said == {"DRAIN": limits.DRAIN_TIME, "FINISH": SETTINGS.finish}


def test_the_memory_limit_is_over_what_the_bounds_allow_at_once() -> None:
    allowed = limits.memory(
        max_value=SETTINGS.max_value,
        max_gathered=SETTINGS.max_gathered,
        max_connections=SETTINGS.max_connections,
        max_watchers=SETTINGS.max_watchers,
    )
    limit = re.fullmatch(r"(\d+)Mi", CONTAINER["resources"]["limits"]["memory"])
    assert limit
    assert int(limit[1]) * MIB >= allowed
    upgrading = Path(__file__).parents[2] / "docs" / "upgrading.md"
    assert f"The memory limit is {limit[0]}:" in upgrading.read_text()


def test_claims_outlive_scaling_and_deletion() -> None:
    kept = {"whenScaled": "Retain", "whenDeleted": "Retain"}
    assert SPEC["persistentVolumeClaimRetentionPolicy"] == kept


def test_peers_are_those_that_can_serve() -> None:
    assert HEADLESS["spec"]["publishNotReadyAddresses"] is False


# Hardened


def test_the_pod_fits_the_restricted_pod_security_standard() -> None:
    """https://kubernetes.io/docs/concepts/security/pod-security-standards/, what applies to this pod."""
    assert not {"hostNetwork", "hostPID", "hostIPC", "volumes", "initContainers"} & POD.keys()
    assert not any("hostPort" in port for port in CONTAINER["ports"])
    context, own = POD["securityContext"], CONTAINER["securityContext"]
    assert context["runAsNonRoot"] is True
    assert context["runAsUser"] > 0
    assert context["seccompProfile"] == {"type": "RuntimeDefault"}
    assert not {"sysctls", "seLinuxOptions", "windowsOptions"} & context.keys()
    assert own == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }


def test_the_pod_gets_no_token_and_no_variables_of_services() -> None:
    assert POD["automountServiceAccountToken"] is False
    assert POD["enableServiceLinks"] is False


def test_the_volume_becomes_writable_for_the_pods_group() -> None:
    context = POD["securityContext"]
    assert context["fsGroup"] == context["runAsGroup"]
    assert context["fsGroupChangePolicy"] == "OnRootMismatch"


# Other names


Kustomize = Callable[[dict[str, Any]], dict[str, Manifest]]


@pytest.fixture
def kustomize(tmp_path: Path) -> Kustomize:
    """What a kustomization of a user's own, in a directory beside k8s/, makes of it: by kind and name."""
    if shutil.which("kubectl") is None:
        if os.environ.get("CI"):
            pytest.fail("kubectl is needed here")
        pytest.skip("kubectl is not installed")

    def render(own: dict[str, Any]) -> dict[str, Manifest]:
        shutil.copytree(MANIFESTS, tmp_path / "k8s")
        (tmp_path / "own").mkdir()
        (tmp_path / "own" / "kustomization.yaml").write_text(json.dumps({"resources": ["../k8s"]} | own))
        done = subprocess.run(["kubectl", "kustomize", tmp_path / "own"], capture_output=True, check=False)
        assert done.returncode == 0, done.stderr.decode()
        return {
            f"{each['kind']} {each['metadata']['name']}": each for each in yaml.safe_load_all(done.stdout)
        }

    return render


@pytest.fixture
def overlay(kustomize: Kustomize) -> dict[str, Manifest]:
    return kustomize(
        {
            "namespace": "zoo",
            "namePrefix": "my-",
            "components": ["../k8s/network-policy"],
            "images": [{"name": "kubia-pet", "newName": "registry.example/zoo/pet", "newTag": "2"}],
            "labels": [{"pairs": {"set": "my"}, "includeSelectors": True}],
        }
    )


def test_another_kustomization_gives_other_names_namespace_and_image(overlay: dict[str, Manifest]) -> None:
    assert overlay.keys() == {
        "StatefulSet my-kubia",
        "Service my-kubia",
        "Service my-kubia-public",
        "PodDisruptionBudget my-kubia",
        "NetworkPolicy my-kubia",
    }
    assert {each["metadata"]["namespace"] for each in overlay.values()} == {"zoo"}
    spec = overlay["StatefulSet my-kubia"]["spec"]
    assert spec["serviceName"] == "my-kubia"
    assert spec["template"]["spec"]["containers"][0]["image"] == "registry.example/zoo/pet:2"


def test_a_label_tells_two_sets_in_one_namespace_apart(overlay: dict[str, Manifest]) -> None:
    labels = {"app": "kubia", "set": "my"}
    spec = overlay["StatefulSet my-kubia"]["spec"]
    assert spec["template"]["metadata"]["labels"] == labels
    (spread,) = spec["template"]["spec"]["topologySpreadConstraints"]
    assert spread["labelSelector"]["matchLabels"] == labels
    policy = overlay["NetworkPolicy my-kubia"]["spec"]
    assert policy["podSelector"]["matchLabels"] == labels
    assert policy["egress"][1]["to"][0]["podSelector"]["matchLabels"] == labels
    assert overlay["PodDisruptionBudget my-kubia"]["spec"]["selector"]["matchLabels"] == labels
    for service in ("my-kubia", "my-kubia-public"):
        assert overlay[f"Service {service}"]["spec"]["selector"] == labels


def test_on_openshift_user_and_groups_are_the_namespaces(kustomize: Kustomize) -> None:
    context = kustomize({"components": ["../k8s/openshift"]})["StatefulSet kubia"]["spec"]["template"][
        "spec"
    ]["securityContext"]
    assert context["runAsNonRoot"] is True
    assert not {"runAsUser", "runAsGroup", "fsGroup"} & context.keys()


def test_the_token_is_mounted_where_the_pet_is_told_to_read_it(kustomize: Kustomize) -> None:
    stateful_set = kustomize({"components": ["../k8s/token"], "namePrefix": "my-"})["StatefulSet my-kubia"]
    pod = stateful_set["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    (volume,) = pod["volumes"]
    assert volume["secret"] == {"secretName": "kubia-token", "defaultMode": 0o440}
    mounts = {each["name"]: each for each in container["volumeMounts"]}
    assert mounts.keys() == {"data", "token"}
    mount = mounts["token"]
    assert (mount["name"], mount["readOnly"], "subPath" in mount) == (volume["name"], True, False)
    told = {each["name"]: each.get("value") for each in container["env"]}
    assert told[f"{ENV_PREFIX}_TOKEN_FILE"] == f"{mount['mountPath']}/token"
    kubernetes_validate.validate(stateful_set, NEWEST, strict=True)


def test_every_component_goes_with_every_other(kustomize: Kustomize) -> None:
    components = sorted(
        f"../{path.parent.relative_to(MANIFESTS.parent)}"
        for path in MANIFESTS.rglob("kustomization.yaml")
        if "kind: Component\n" in path.read_text()
    )
    assert {"../k8s/token", "../k8s/faults"} <= set(components)
    for manifest in kustomize({"components": components, "namespace": "zoo"}).values():
        kubernetes_validate.validate(manifest, NEWEST, strict=True)


# Who is let in


def rules(policy: Manifest, direction: str, end: str) -> list[tuple[Any, list[int | str]]]:
    """(whom, the ports) of each rule; whom is None where a rule lets everybody in."""
    return [(rule.get(end), [port["port"] for port in rule["ports"]]) for rule in policy["spec"][direction]]


PEER = {"podSelector": {"matchLabels": {"app": "kubia"}}}
CLIENT = {"podSelector": {"matchExpressions": [{"key": "kubia-client", "operator": "Exists"}]}}
DNS_PORTS = [53, 53, 5353, 5353]


def test_only_peers_and_labelled_clients_are_let_in(kustomize: Kustomize) -> None:
    policy = kustomize({"components": ["../k8s/network-policy"]})["NetworkPolicy kubia"]
    assert policy["spec"]["policyTypes"] == ["Ingress", "Egress"]
    assert rules(policy, "ingress", "from") == [([PEER, CLIENT], ["http"])]
    assert rules(policy, "egress", "to") == [(None, DNS_PORTS), ([PEER], ["http"])]


def test_clients_of_several_sets_need_one_label_only(overlay: dict[str, Manifest]) -> None:
    ((allowed, _),) = rules(overlay["NetworkPolicy my-kubia"], "ingress", "from")
    assert allowed == [{"podSelector": {"matchLabels": {"app": "kubia", "set": "my"}}}, CLIENT]


def test_all_pods_of_the_namespace_may_be_clients(kustomize: Kustomize) -> None:
    components = ["../k8s/network-policy", "../k8s/network-policy/namespace-clients"]
    policy = kustomize({"components": components, "namePrefix": "my-"})["NetworkPolicy my-kubia"]
    assert rules(policy, "ingress", "from") == [([PEER, CLIENT, {"podSelector": {}}], ["http"])]


def test_dns_may_be_the_clusters_only(kustomize: Kustomize) -> None:
    components = ["../k8s/network-policy", "../k8s/network-policy/cluster-dns"]
    policy = kustomize({"components": components, "namePrefix": "my-"})["NetworkPolicy my-kubia"]
    cluster_dns = {
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "kube-system"}},
        "podSelector": {"matchLabels": {"k8s-app": "kube-dns"}},
    }
    assert rules(policy, "egress", "to") == [([cluster_dns], DNS_PORTS), ([PEER], ["http"])]


def test_the_policy_says_whom_it_locks_out_and_how_to_let_them_in() -> None:
    text = (MANIFESTS / "network-policy" / "network-policy.yaml").read_text()
    said = re.sub(r"\s*# ?", " ", text.partition("apiVersion")[0])
    for word in ("kubectl proxy", "Prometheus", "kubectl port-forward", "cannot stop", "ipBlock"):
        assert word in said
    (example,) = re.findall(r"# {3}(ingress:\n(?:# {3}.*\n)+)", text)
    rule = yaml.safe_load(re.sub(r"^#   ", "", example, flags=re.MULTILINE))
    policy = resource("network-policy/network-policy.yaml")
    policy["spec"] |= rule | {"policyTypes": ["Ingress"]}
    kubernetes_validate.validate(policy, NEWEST, strict=True)
