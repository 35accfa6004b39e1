"""`check --namespace`: real kubectl, a stand-in for the API server, real pods behind it."""

import asyncio
import json
import os
import pty
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import pytest

from kubia_pet.check.run import Wanted, run_checks
from kubia_pet.reach.way import Way
from tests.api.test_check_watch import Watching, watching
from tests.support.api_server import NAMESPACE, ApiServer
from tests.support.pod import Pod, until
from tests.support.verdict import PROGRAM, PetSet, Probing, Verdict, check

pytestmark = [
    pytest.mark.timeout(120),
    pytest.mark.skipif(
        shutil.which("kubectl") is None and "CI" not in os.environ, reason="kubectl is missing"
    ),
]
LABELS = {"app": "kubia"}
SPEC = {"serviceName": "kubia", "volumeClaimTemplates": [{}]}
Watched = Callable[..., AbstractContextManager[Watching]]
OWNER = [{"kind": "StatefulSet", "name": "kubia"}]


def pod(name: str, **members: Any) -> dict[str, Any]:
    metadata = {"name": name, "labels": LABELS, "ownerReferences": OWNER, "uid": f"uid-of-{name}"}
    mounts = [{"name": "data", "mountPath": "/var/data"}]
    volumes = [{"name": "data", "persistentVolumeClaim": {"claimName": f"data-{name}"}}]
    spec = {"nodeName": "node-1", "containers": [{"volumeMounts": mounts}], "volumes": volumes}
    status = {"phase": "Running", "podIP": "127.0.0.1", "podIPs": [{"ip": "127.0.0.1"}]}
    status |= {"conditions": [{"type": "Ready", "status": "True"}]}
    return {"metadata": metadata, "spec": spec, "status": status} | members


def service(name: str, **spec: Any) -> dict[str, Any]:
    return {
        "metadata": {"name": name},
        "spec": {"selector": LABELS, "clusterIP": "10.0.0.1", "ports": [{"port": 80}]} | spec,
    }


@pytest.fixture(scope="module")
def pets(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PetSet]:
    with PetSet(tmp_path_factory.mktemp("set"), "--faults") as started:
        yield started


@pytest.fixture
def api(pets: PetSet, tmp_path: Path) -> Iterator[ApiServer]:
    urls = {each.name: each.url for each in pets.pods}
    objects = {
        "pods": [pod(name) for name in urls],
        "statefulsets": [
            {"metadata": {"name": "kubia", "generation": 1}, "spec": SPEC | {"replicas": 3}},
        ],
        "services": [service("kubia", clusterIP="None"), service("kubia-public")],
    }
    with ApiServer(tmp_path, urls, objects, {"kubia-public": list(urls)}) as started:
        yield started


def change(method: str, url: str) -> None:
    urlopen(Request(url, method=method), timeout=10).close()  # noqa: S310 - our own


def checked(api: ApiServer, *arguments: str, env: Mapping[str, str] | None = None) -> Verdict:
    env = {**api.kubeconfig, "TMPDIR": str(api.directory), **(env or {})}
    return check("--namespace", NAMESPACE, *arguments, env=env)


def test_a_healthy_set_passes_and_no_process_or_socket_is_left(api: ApiServer) -> None:
    verdict = checked(api)
    assert verdict.exit == 0, verdict.members
    assert verdict.statuses["public"] == verdict.statuses["durable"] == "passed"
    assert verdict.members["target"] == "namespace zoo"
    assert not list(api.directory.glob("kubia-pet-*"))
    ours = f"KUBECONFIG={api.kubeconfig['KUBECONFIG']}".encode()
    running = [each for each in Path("/proc").glob("[0-9]*/environ") if _reads(each, ours)]
    assert running == []


def _reads(environ: Path, wanted: bytes) -> bool:
    try:
        return wanted in environ.read_bytes().split(b"\0")
    except OSError:
        return False


def test_pods_of_a_deployment_are_told_by_their_owner(api: ApiServer) -> None:
    owner = [{"kind": "ReplicaSet", "name": "kubia-7d9f8b6c5"}]
    for each in api.objects["pods"]:
        each["metadata"]["ownerReferences"] = owner
    verdict = checked(api)
    assert verdict.cause == "not-a-statefulset"
    assert "run by a ReplicaSet" in verdict.evidence("identity")


def test_pods_that_call_themselves_otherwise(api: ApiServer, pets: PetSet) -> None:
    api.pods |= {"kubia-1": pets.pods[2].url, "kubia-2": pets.pods[1].url}
    verdict = checked(api)
    assert (verdict.cause, verdict.exit) == ("other-name", 1)
    assert "kubia-1 calls itself kubia-2" in verdict.evidence("identity")


@pytest.mark.parametrize(
    "instead", [{"status": {"phase": "Pending"}}, None], ids=["it is pending", "it is not there"]
)
def test_a_pod_that_does_not_run(api: ApiServer, instead: dict[str, Any] | None) -> None:
    last = api.objects["pods"].pop()
    if instead:
        api.objects["pods"].append(last | instead)
    verdict = checked(api)
    assert (verdict.cause, verdict.exit) == ("missing-pod", 1), verdict.members
    assert "kubia-2 does not run" in verdict.evidence("identity")


def test_a_pod_that_is_stopped(api: ApiServer, pets: PetSet) -> None:
    process = pets.pods[2].process
    process.send_signal(signal.SIGSTOP)
    try:
        verdict = checked(api)
    finally:
        process.send_signal(signal.SIGCONT)
    assert (verdict.cause, verdict.exit) == ("no-answer", 1), verdict.members
    assert verdict.statuses["identity"] == "unknown"
    assert "kubia-2" in verdict.evidence("identity")
    assert "kubia-0 does not reach kubia-2: timeout" in verdict.evidence("cluster.view")


def test_an_empty_dir_is_no_volume_where_no_ledger_has_seen_the_mount(api: ApiServer) -> None:
    api.hidden = {"ledger"}
    api.objects["pods"][1]["spec"]["volumes"] = [{"name": "data", "emptyDir": {}}]
    verdict = checked(api)
    assert verdict.cause == "not-a-volume"
    assert "kubia-1 has an emptyDir at /var/data" in verdict.evidence("volume.mounted")


@pytest.mark.parametrize("hidden", [set(), {"ledger"}], ids=["with a ledger", "without one"])
def test_an_empty_dir_beside_the_volume_is_none_of_its_business(api: ApiServer, hidden: set[str]) -> None:
    api.hidden = hidden
    for each in api.objects["pods"]:
        each["spec"]["volumes"].append({"name": "cache", "emptyDir": {}})
        each["spec"]["containers"][0]["volumeMounts"].append({"name": "cache", "mountPath": "/vault/secrets"})
    verdict = checked(api)
    assert verdict.exit == 0, verdict.members


def test_an_address_that_is_another_pods_is_told_from_what_the_api_server_knows(api: ApiServer) -> None:
    for each in api.objects["pods"][:2]:
        each["status"] |= {"podIP": "10.0.0.9", "podIPs": [{"ip": "10.0.0.9"}]}
    verdict = checked(api)
    assert verdict.cause == "other-pod", verdict.members
    assert "is told that kubia-1 is 127.0.0.1, which is kubia-2's" in verdict.evidence("dns.roundtrip")


def test_a_service_that_misses_a_pod_and_one_that_leads_elsewhere(api: ApiServer) -> None:
    api.services["kubia-public"] = ["kubia-0", "kubia-1"]
    verdict = checked(api)
    assert (verdict.cause, verdict.exit) == ("misses-pod", 1)
    assert "never leads to kubia-2" in verdict.evidence("public")


def test_a_service_that_leads_to_another_sets_pod(api: ApiServer, tmp_path: Path) -> None:
    with Pod(tmp_path / "web", name="web-0") as stranger:
        api.pods["web-0"] = stranger.url
        api.services["kubia-public"] = [*api.services["kubia-public"], "web-0"]
        verdict = checked(api)
    assert (verdict.cause, verdict.exit) == ("strangers", 1), verdict.members


def test_a_service_that_leads_to_a_pod_that_is_not_ready(api: ApiServer, pets: PetSet) -> None:
    last = pets.pods[2].url
    change("PUT", f"{last}/faults/not-ready?for=60s")
    try:
        verdict = checked(api)
    finally:
        change("DELETE", f"{last}/faults")
    assert (verdict.cause, verdict.exit) == ("reaches-unready", 1), verdict.members


def test_the_public_service_is_the_one_that_selects_most_pods(api: ApiServer) -> None:
    for each in api.objects["pods"]:
        each["metadata"]["labels"] = LABELS | {"name": each["metadata"]["name"]}
    only_one = service("a-pod-of-its-own", selector={"name": "kubia-0"})
    api.objects["services"] = [only_one, *api.objects["services"]]
    api.services["a-pod-of-its-own"] = ["kubia-0"]
    verdict = checked(api)
    assert verdict.statuses["public"] == "passed"
    assert "/services/kubia-public/" in verdict.evidence("public")


def test_nothing_is_written_to_a_pod_from_which_it_could_not_be_removed(api: ApiServer) -> None:
    api.forbidden = {"delete"}
    verdict = checked(api)
    assert verdict.statuses["volume.writable"] == verdict.statuses["durable"] == "skipped", verdict.members
    assert "do not suffice to remove one again" in verdict.evidence("volume.writable")
    probed = subprocess.run(
        [*PROGRAM, "probe", "--namespace", NAMESPACE],
        capture_output=True,
        text=True,
        env=os.environ | api.kubeconfig,
        check=False,
    )
    assert (probed.returncode, probed.stdout) == (3, "")
    assert "do not suffice to remove one" in probed.stderr


# Disruptions


def test_a_pod_that_does_not_come_back(
    api: ApiServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """In this process, as that is given up after minutes only."""
    kubectl = tmp_path / "kubectl"
    kubectl.write_text(
        f'#!/bin/sh\ncase "$*" in *delete*) ;; *) exec {shutil.which("kubectl")} "$@";; esac\n'
    )
    kubectl.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setenv("KUBECONFIG", api.kubeconfig["KUBECONFIG"])
    monkeypatch.setattr("kubia_pet.check.disrupt.DISRUPTION_TIMEOUT", 2.0)
    exit_ = asyncio.run(run_checks(Way(namespace=NAMESPACE), Wanted("json", ("delete",))))
    verdict = Verdict(exit_, json.loads(capsys.readouterr().out))
    assert (verdict.cause, verdict.exit) == ("not-back", 1), verdict.members
    assert "kubia-2 is not back" in verdict.evidence("disrupt.delete")


@pytest.fixture
def watched(api: ApiServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Watched:
    """`--watch` by way of this API server."""
    monkeypatch.setenv("KUBECONFIG", api.kubeconfig["KUBECONFIG"])
    return partial(watching, tmp_path, "--namespace", NAMESPACE)


def replaced(api: ApiServer, *ordinals: int, ready: str = "True") -> None:
    """Other pods, of the same names."""
    for ordinal in ordinals:
        found = api.objects["pods"][ordinal]
        found["metadata"]["uid"] += "-another"
        found["status"]["conditions"] = [{"type": "Ready", "status": ready}]


def test_a_pod_that_comes_back_on_the_node_where_it_was(api: ApiServer, watched: Watched) -> None:
    with watched("--disrupt=move") as watch:
        assert "kubectl cordon node-1" in watch.said
        assert f"kubectl --namespace {NAMESPACE} delete pod kubia-2" in watch.said
        replaced(api, 2)
        verdict = watch.verdict()
    assert (verdict.cause, verdict.exit) == ("not-moved", 1), verdict.members


@pytest.mark.parametrize(("kind", "ordinals"), [("scale", [2]), ("rollout", [2, 1, 0])])
def test_a_set_was_scaled_or_rolled_out_where_it_was_changed(
    api: ApiServer, watched: Watched, kind: str, ordinals: list[int]
) -> None:
    with watched(f"--disrupt={kind}") as watch:
        api.objects["statefulsets"][0]["metadata"]["generation"] += 1
        replaced(api, *ordinals)
        verdict = watch.verdict()
    assert (verdict.exit, verdict.statuses) == (0, {f"disrupt.{kind}": "passed"}), verdict.members


@pytest.mark.parametrize(
    ("kind", "ordinals", "said"),
    [("scale", [2], "it was not scaled"), ("rollout", [2, 1, 0], "it was not rolled out")],
)
def test_pods_that_were_only_deleted_prove_nothing_else(
    api: ApiServer, watched: Watched, kind: str, ordinals: list[int], said: str
) -> None:
    with watched(f"--disrupt={kind}") as watch:
        replaced(api, *ordinals)
        verdict = watch.verdict()
    assert (verdict.exit, verdict.statuses) == (3, {f"disrupt.{kind}": "unknown"}), verdict.members
    assert said in verdict.evidence(f"disrupt.{kind}")


def test_who_may_not_see_the_set_is_told_that_it_is_not_known(api: ApiServer, watched: Watched) -> None:
    api.forbidden.add("statefulsets")
    with watched("--disrupt=scale") as watch:
        replaced(api, 2)
        verdict = watch.verdict()
    assert (verdict.exit, verdict.statuses) == (3, {"disrupt.scale": "unknown"}), verdict.members
    assert "Whether it was scaled is not known" in verdict.evidence("disrupt.scale")


def test_what_was_judged_before_it_was_interrupted_is_said(api: ApiServer, watched: Watched) -> None:
    with watched("--disrupt=delete,scale") as watch:
        replaced(api, 2)
        until("the next one to be watched", lambda: watch.said.count("Watching kubia") == 2, 30)
        assert watch.interrupt() == 128 + signal.SIGINT
        assert "disrupt.delete passed kubia-2 came back" in watch.said
        assert "Interrupted: nothing was changed by this command." in watch.said


def test_a_pod_is_back_when_the_cluster_calls_it_ready(api: ApiServer, watched: Watched) -> None:
    """It answers a moment before: a second command would find a set that is not whole."""
    with watched() as watch:
        replaced(api, 2, ready="False")
        looked = api.looked
        until("it to be looked at again", lambda: api.looked > looked + 6, 30)
        assert watch.running
        replaced(api, 2)
        verdict = watch.verdict()
    assert verdict.exit == 0, verdict.members


# What is silent, or may not be seen


def test_a_pod_that_runs_but_does_not_answer_is_told_with_its_last_words(api: ApiServer) -> None:
    api.objects["pods"].append(pod("kubia-3"))
    api.pods["kubia-3"] = "http://127.0.0.1:9"
    (api.directory / "kubia-3.log").write_text(
        "2026-01-01T00:00:00Z ERROR /var/data cannot be written (Permission denied): it belongs to 0:0\n"
    )
    verdict = checked(api)
    assert verdict.cause == "not-permitted", verdict.members
    assert "it belongs to 0:0" in verdict.evidence("volume.writable")


def test_the_log_of_a_silent_pod_is_no_proof_where_it_tells_no_error(api: ApiServer) -> None:
    api.objects["pods"].append(pod("kubia-3"))
    api.pods["kubia-3"] = "http://127.0.0.1:9"
    (api.directory / "kubia-3.log").write_text("2026-01-01T00:00:00Z INFO The fault disk-full has ended\n")
    verdict = checked(api)
    assert verdict.cause != "full", verdict.members
    assert verdict.statuses["volume.writable"] == "unknown"


def test_rights_that_are_missing_cost_what_they_would_show_and_no_more(api: ApiServer) -> None:
    api.forbidden = {"statefulsets", "services"}
    verdict = checked(api)
    assert verdict.exit == 0
    assert verdict.statuses["public"] == "skipped"
    assert "--public" in verdict.evidence("public")
    assert checked(api, "--public=kubia-public").statuses["public"] == "passed"


def wrapped(directory: Path, script: str) -> dict[str, str]:
    """An environment in which this comes before the real kubectl."""
    path = directory / "bin" / "kubectl"
    path.parent.mkdir()
    path.write_text(f'#!/bin/sh\n{script}\nexec {shutil.which("kubectl")} "$@"\n')
    path.chmod(0o755)
    return {"PATH": f"{path.parent}:{os.environ['PATH']}"}


def test_a_login_may_ask_whoever_sits_at_the_terminal(api: ApiServer, tmp_path: Path) -> None:
    code = tmp_path / "code"
    login = f"""case $* in
        *--raw*) printf 'Your code: ' >&2; read code; echo "$code" > {code};;
        *proxy*) [ -e {code} ] || exit 1;;
    esac"""
    env = os.environ | api.kubeconfig | wrapped(tmp_path, login)
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [*PROGRAM, "check", "--namespace", NAMESPACE, "--output=json"],
        stdin=theirs,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=env,
    ) as running:
        os.close(theirs)
        asked = b""
        while b"Your code: " not in asked:
            asked += os.read(running.stderr.fileno(), 1000) if running.stderr else b""
        os.write(ours, b"4711\n")
        printed, _ = running.communicate(timeout=60)
    os.close(ours)
    assert json.loads(printed)["verdict"] == "passed"
    assert code.read_text() == "4711\n"


def test_a_kubectl_that_complains_of_each_request_is_no_obstacle(api: ApiServer, tmp_path: Path) -> None:
    """As it does while the API server is away: a pipe holds 64 KiB, and asyncio as much again."""
    complaining = 'case $* in *proxy*) head -c 1000000 /dev/zero | tr "\\0" "\\n" >&2;; esac'
    assert checked(api, env=wrapped(tmp_path, complaining)).exit == 0


def test_a_context_that_is_switched_meanwhile_changes_nothing(api: ApiServer, tmp_path: Path) -> None:
    switching = f"""case $* in *proxy*)
        {shutil.which("kubectl")} config set-context other --cluster=nowhere
        {shutil.which("kubectl")} config use-context other;; esac"""
    verdict = checked(api, env=wrapped(tmp_path, switching))
    assert verdict.exit == 0, verdict.members


@pytest.mark.parametrize(
    ("forbidden", "arguments", "said"),
    [
        ({"pods"}, (), "You may not list pods in namespace zoo"),
        (set(), ("--selector=app=other",), "No pod with the label app=other runs in namespace zoo"),
    ],
)
def test_where_nothing_can_be_seen_there_is_no_verdict(
    api: ApiServer, forbidden: set[str], arguments: tuple[str, ...], said: str
) -> None:
    api.forbidden = forbidden
    done = subprocess.run(
        [*PROGRAM, "check", "--namespace", NAMESPACE, *arguments],
        capture_output=True,
        text=True,
        env=os.environ | api.kubeconfig,
        check=False,
    )
    assert done.returncode == 3
    assert said in done.stderr


def test_a_server_that_nobody_reaches_is_told(tmp_path: Path) -> None:
    done = subprocess.run(
        [*PROGRAM, "check", "--namespace", NAMESPACE],
        capture_output=True,
        text=True,
        env=os.environ | {"KUBECONFIG": str(tmp_path / "none")},
        check=False,
    )
    assert done.returncode == 3
    assert done.stderr.startswith("Error: The API server ")


def test_a_probe_goes_through_the_api_server_too(
    api: ApiServer, pets: PetSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, text in api.kubeconfig.items():
        monkeypatch.setenv(name, text)
    with Probing("--namespace", NAMESPACE) as probe:
        files = [each.data_dir / "kubia.txt" for each in pets.pods]
        until("values on all pods", lambda: all(file.exists() for file in files), 30)
        seen = probe.end()
    assert (probe.exit, seen["total"]["lost"]) == (0, 0)
    assert len(seen["pods"]) == 3
    assert not any(file.exists() for file in files)


def test_a_pod_that_the_api_server_does_not_know_for_a_while_has_lost_nothing(
    api: ApiServer, pets: PetSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As after a forced delete: the API server's 404 is not the pod's, which says that there is no value."""
    for name, text in api.kubeconfig.items():
        monkeypatch.setenv(name, text)
    last = pets.pods[-1]
    with Probing("--namespace", NAMESPACE) as probe:
        until("a value", (last.data_dir / "kubia.txt").exists, 30)
        url = api.pods.pop(last.name)
        until("questions about nobody", lambda: api.asked_for_nobody > 10, 30)
        api.pods[last.name] = url
        seen = probe.end()
    assert seen["pods"][last.name]["refused"] > 0
    assert (probe.exit, seen["total"]["lost"], seen["total"]["stale"]) == (0, 0, 0)


def test_an_api_server_that_refuses_for_a_while_is_no_reason_to_give_up_the_account(
    api: ApiServer, pets: PetSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, text in api.kubeconfig.items():
        monkeypatch.setenv(name, text)
    file = pets.pods[0].data_dir / "kubia.txt"
    with Probing("--namespace", NAMESPACE) as probe:
        until("a value", file.exists, 30)
        api.refuses_changes = True
        until("refusals", lambda: api.refused > 10, 30)
        seen = file.read_bytes()
        api.refuses_changes = False
        until("a new value", lambda: file.read_bytes() != seen, 30)
        account = probe.end()
    assert (probe.exit, account["verdict"]) == (0, "kept")
    assert account["total"]["refused"] > 3
