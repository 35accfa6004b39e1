"""Each value: a comment, a schema, and a case that shows what it does; each rendered object is valid."""

import json
import re
from typing import Any, NamedTuple

import kubernetes_validate  # type: ignore[import-untyped] # it has annotations but no py.typed
import pytest
import yaml

from kubia_pet import __version__
from tests.chart import operator_schema
from tests.chart.helm import CHART, NEWEST, OLDEST, HelmError, Manifest, helm, rendered

POD = "/spec/template/spec"
CONTAINER = f"{POD}/containers/0"
CLAIM = "/spec/volumeClaimTemplates/0/spec"
ON = True
DIGEST = "sha256:" + "0123456789abcdef" * 4
VALUES = yaml.safe_load((CHART / "values.yaml").read_text())
SCHEMA = json.loads((CHART / "values.schema.json").read_text())


class Case(NamedTuple):
    """A value given, and what stands then at a place (a JSON pointer) of an object."""

    given: Any
    object: str
    place: str
    expected: Any
    since: str = OLDEST  # the first Kubernetes that knows the field


SET, POLICY = "StatefulSet kubia", "NetworkPolicy kubia"
CASES = {
    "image.repository": Case(
        "registry.example/zoo/pet", SET, f"{CONTAINER}/image", f"registry.example/zoo/pet:{__version__}"
    ),
    "image.tag": Case("2", SET, f"{CONTAINER}/image", "kubia-pet:2"),
    "image.digest": Case(DIGEST, SET, f"{CONTAINER}/image", f"kubia-pet@{DIGEST}"),
    "image.pullPolicy": Case("Always", SET, f"{CONTAINER}/imagePullPolicy", "Always"),
    "imagePullSecrets": Case([{"name": "registry"}], SET, f"{POD}/imagePullSecrets", [{"name": "registry"}]),
    "fullnameOverride": Case("pets", "StatefulSet pets", "/spec/serviceName", "pets"),
    "replicas": Case(5, SET, "/spec/replicas", 5),
    "ordinals.start": Case(3, SET, "/spec/ordinals", {"start": 3}),
    "storage.size": Case("10Gi", SET, f"{CLAIM}/resources/requests/storage", "10Gi"),
    "storage.className": Case("fast", SET, f"{CLAIM}/storageClassName", "fast"),
    "storage.accessMode": Case("ReadWriteOncePod", SET, f"{CLAIM}/accessModes", ["ReadWriteOncePod"]),
    "claimRetention.whenScaled": Case(
        "Delete",
        SET,
        "/spec/persistentVolumeClaimRetentionPolicy",
        {"whenScaled": "Delete", "whenDeleted": "Retain"},
    ),
    "claimRetention.whenDeleted": Case(
        "Delete",
        SET,
        "/spec/persistentVolumeClaimRetentionPolicy",
        {"whenScaled": "Retain", "whenDeleted": "Delete"},
    ),
    "resources.requests.cpu": Case("1", SET, f"{CONTAINER}/resources/requests/cpu", "1"),
    "resources.requests.memory": Case("1Gi", SET, f"{CONTAINER}/resources/requests/memory", "1Gi"),
    "resources.limits.memory": Case("1Gi", SET, f"{CONTAINER}/resources/limits/memory", "1Gi"),
    **{
        f"probes.{probe}.{member}": Case(7, SET, f"{CONTAINER}/{probe}Probe/{member}", 7)
        for probe in ("liveness", "readiness", "startup")
        for member in ("periodSeconds", "timeoutSeconds", "failureThreshold")
    },
    "terminationGracePeriodSeconds": Case(60, SET, f"{POD}/terminationGracePeriodSeconds", 60),
    "extraEnv": Case(
        [{"name": "KUBIAPET_LOG_FORMAT", "value": "json"}],
        SET,
        f"{CONTAINER}/env/-1",
        {"name": "KUBIAPET_LOG_FORMAT", "value": "json"},
    ),
    "podMonitor.enabled": Case(
        ON,
        "PodMonitor kubia",
        "/spec/podMetricsEndpoints",
        [{"port": "http", "path": "/metrics", "interval": "30s"}],
    ),
    "podMonitor.interval": Case("5s", "PodMonitor kubia", "/spec/podMetricsEndpoints/0/interval", "5s"),
    "podMonitor.labels": Case({"release": "one"}, "PodMonitor kubia", "/metadata/labels/release", "one"),
    "prometheusRule.enabled": Case(
        ON, "PrometheusRule kubia", "/spec", yaml.safe_load((CHART / "files" / "rules.yaml").read_text())
    ),
    "prometheusRule.labels": Case(
        {"release": "one"}, "PrometheusRule kubia", "/metadata/labels/release", "one"
    ),
    "dashboard.enabled": Case(
        ON,
        "ConfigMap kubia-dashboard",
        "/data",
        {"kubia-pet.json": (CHART / "files" / "dashboard.json").read_text()},
    ),
    "dashboard.labels": Case(
        {"grafana": "yes"}, "ConfigMap kubia-dashboard", "/metadata/labels/grafana", "yes"
    ),
    "faults": Case(ON, SET, f"{CONTAINER}/env/-1", {"name": "KUBIAPET_FAULTS", "value": "true"}),
    "token.secret": Case("mine", SET, f"{POD}/volumes/0/secret/secretName", "mine"),
    "networkPolicy.namespaceClients": Case(ON, POLICY, "/spec/ingress/0/from/2", {"podSelector": {}}),
    "networkPolicy.clusterDns": Case(
        ON, POLICY, "/spec/egress/0/to/0/podSelector", {"matchLabels": {"k8s-app": "kube-dns"}}
    ),
    "networkPolicy.ingressFrom": Case(
        [{"ipBlock": {"cidr": "192.0.2.10/32"}}],
        POLICY,
        "/spec/ingress/0/from/2/ipBlock/cidr",
        "192.0.2.10/32",
    ),
    "networkPolicy.enabled": Case(ON, POLICY, "/spec/policyTypes", ["Ingress", "Egress"]),
    "openshift": Case(
        ON,
        SET,
        f"{POD}/securityContext",
        {
            "runAsNonRoot": True,
            "seccompProfile": {"type": "RuntimeDefault"},
            "fsGroupChangePolicy": "OnRootMismatch",
        },
    ),
    "spread": Case(
        [{"maxSkew": 2, "topologyKey": "topology.kubernetes.io/zone", "whenUnsatisfiable": "DoNotSchedule"}],
        SET,
        f"{POD}/topologySpreadConstraints",
        [
            {
                "maxSkew": 2,
                "topologyKey": "topology.kubernetes.io/zone",
                "whenUnsatisfiable": "DoNotSchedule",
                "labelSelector": {"matchLabels": {"app": "kubia"}},
            }
        ],
    ),
    "lostNodeSeconds": Case(
        0,
        SET,
        f"{POD}/tolerations",
        [
            {
                "key": f"node.kubernetes.io/{key}",
                "operator": "Exists",
                "effect": "NoExecute",
                "tolerationSeconds": 0,
            }
            for key in ("unreachable", "not-ready")
        ],
    ),
    "tolerations": Case([{"operator": "Exists"}], SET, f"{POD}/tolerations", [{"operator": "Exists"}]),
    "nodeSelector": Case({"disk": "ssd"}, SET, f"{POD}/nodeSelector", {"disk": "ssd"}),
    "affinity": Case({"nodeAffinity": {}}, SET, f"{POD}/affinity", {"nodeAffinity": {}}),
    "publicService.type": Case("NodePort", "Service kubia-public", "/spec/type", "NodePort"),
    "publicService.port": Case(8000, "Service kubia-public", "/spec/ports/0/port", 8000),
    "publicService.trafficDistribution": Case(
        "PreferClose", "Service kubia-public", "/spec/trafficDistribution", "PreferClose", "1.31"
    ),
}


def leaves(values: dict[str, Any], path: str = "") -> dict[str, Any]:
    """Each value by its dotted path; what holds nothing yet is one, too."""
    found: dict[str, Any] = {}
    for key, value in values.items():
        inner = isinstance(value, dict) and value and key != "labels"
        found |= leaves(value, f"{path}{key}.") if inner else {f"{path}{key}": value}
    return found


def nested(path: str, value: Any) -> Any:
    """The values that set this one."""
    for key in reversed(path.split(".")):
        value = {key: value}
    return value


def merged(*all_values: dict[str, Any]) -> dict[str, Any]:
    """All of the values, the later ones over the earlier."""
    result: dict[str, Any] = {}
    for values in all_values:
        for key, value in values.items():
            both = isinstance(value, dict) and isinstance(result.get(key), dict)
            result[key] = merged(result[key], value) if both else value
    return result


def at(member: Any, place: str) -> Any:
    """What stands at a JSON pointer, None where nothing does."""
    for key in place.split("/")[1:]:
        try:
            member = member[int(key)] if isinstance(member, list) else member[key]
        except (KeyError, IndexError):
            return None
    return member


def valid(objects: dict[str, Manifest], version: str) -> None:
    """Fails where an object does not fit the schema of that Kubernetes version."""
    for each in objects.values():
        if each["apiVersion"].startswith("monitoring.coreos.com/"):
            operator_schema.validate(each)
        else:
            kubernetes_validate.validate(each, version, strict=True)


@pytest.mark.parametrize("path", CASES)
def test_a_value_does_what_its_case_says_and_fits_oldest_and_newest_kubernetes(path: str) -> None:
    given, name, place, expected, since = CASES[path]
    assert at(rendered().get(name, {}), place) != expected, "the default is no case"
    option = path.split(".", maxsplit=1)[0]
    enabled = (
        {option: {"enabled": True}}
        if isinstance(VALUES[option], dict) and "enabled" in VALUES[option]
        else {}
    )
    for version in {since, NEWEST}:
        objects = rendered(merged(enabled, nested(path, given)), kubernetes=version)
        assert at(objects[name], place) == expected
        valid(objects, version)


def test_every_value_has_a_case_and_every_case_a_value() -> None:
    assert CASES.keys() == leaves(VALUES).keys()


@pytest.mark.parametrize("version", [OLDEST, "1.30", "1.33", NEWEST])
def test_with_its_defaults_each_object_fits_each_kubernetes_version(version: str) -> None:
    valid(rendered(kubernetes=version), version)


def test_an_older_kubernetes_is_refused() -> None:
    helm("template", "kubia", str(CHART), "--kube-version", OLDEST)
    text = (CHART / "Chart.yaml").read_text()
    assert f'kubeVersion: ">={OLDEST}.0-0"' in text


def test_all_values_together_fit_too() -> None:
    objects = rendered(merged(*(nested(path, case.given) for path, case in CASES.items())))
    assert len(objects["StatefulSet pets"]["spec"]["template"]["spec"]["tolerations"]) == 3
    valid(objects, NEWEST)


def test_every_value_has_a_comment_or_its_block_has_one() -> None:
    commented: set[str] = set()
    above = False
    way: list[str] = []
    for line in (CHART / "values.yaml").read_text().splitlines():
        if found := re.match(r"( *)(\w+):", line):
            way = [*way[: len(found[1]) // 2], found[2]]
            if above:
                commented.add(".".join(way))
        above = line.strip().startswith("#") or (above and not found and bool(line.strip()))
    assert [each for each in leaves(VALUES) if not {each, each.rpartition(".")[0]} & commented] == []


def described(schema: dict[str, Any], path: str = "") -> set[str]:
    """Each value that the schema knows by name, as `leaves` has them."""
    inner = schema.get("properties")
    if not inner:
        return {path.removesuffix(".")}
    return set().union(*(described(each, f"{path}{key}.") for key, each in inner.items()))


def test_the_schema_knows_every_value_and_no_other() -> None:
    known = described(SCHEMA) - {"global"}
    assert {each for each in leaves(VALUES) if not each.startswith("resources.")} == known - {"resources"}


@pytest.mark.parametrize(
    ("values", "complaint"),
    [
        ({"replica": 3}, "replica"),
        ({"image": {"digest": "1.1.0"}}, "digest"),
        ({"replicas": -1}, "replicas"),
        ({"storage": {"size": "much"}}, "size"),
        ({"storage": {"size": "1.1Gi"}}, "size"),  # the API server would keep it in thousandths of a byte
        ({"storage": {"accessMode": "ReadWriteMany"}}, "accessMode"),
        ({"probes": {"liveness": {"httpGet": {"path": "/"}}}}, "httpGet"),
        ({"claimRetention": {"whenScaled": "Keep"}}, "whenScaled"),
        ({"publicService": {"port": 0}}, "port"),
        ({"fullnameOverride": "Kubia"}, "fullnameOverride"),
        ({"fullnameOverride": "1pets"}, "fullnameOverride"),
    ],
)
def test_what_the_schema_does_not_allow_is_refused_by_name(values: Any, complaint: str) -> None:
    with pytest.raises(HelmError, match=complaint):
        rendered(values)


@pytest.mark.parametrize("release", ["1pets", "a.b"])
def test_a_releases_name_that_no_service_can_have_is_refused_unless_another_is_given(release: str) -> None:
    with pytest.raises(HelmError, match="set fullnameOverride"):
        rendered(release=release)
    assert "Service pets" in rendered({"fullnameOverride": "pets"}, release=release)


def test_the_chart_passes_lint() -> None:
    assert "0 chart(s) failed" in helm("lint", "--strict", str(CHART), "--kube-version", NEWEST)
