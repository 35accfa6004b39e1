"""A rolling update while clients go on."""

import json
import time
from collections.abc import Callable

import pytest

from tests.e2e.helper_pod import HelperPod, result
from tests.e2e.kubectl import Namespace

LOSSES = ("lost", "stale", "torn", "misdirected", "overwritten")


@pytest.mark.timeout(300)
def test_a_rolling_update_under_load_loses_no_request_and_no_acknowledged_write(
    namespace: Namespace, deploy: Callable[..., None], figure: Callable[[str], None]
) -> None:
    deploy(namespace)
    helper = HelperPod(namespace)
    namespace.settled("kubia")
    for pod in ("kubia-0", "kubia-1"):
        namespace.post(pod, "before")
    helper.reaches("kubia-public")
    probe = helper.probe("--service=kubia", "--through=public")
    before = namespace.kubectl(
        "get", "pods", "-l", "app=kubia", "-o", "jsonpath={.items[*].metadata.uid}"
    ).split()

    began = time.monotonic()
    namespace.kubectl("set", "env", "statefulset/kubia", "KUBIAPET_LOG_FORMAT=json")
    namespace.settled("kubia")
    seconds = time.monotonic() - began
    seen = result(probe, timeout=90)

    after = namespace.kubectl(
        "get", "pods", "-l", "app=kubia", "-o", "jsonpath={.items[*].metadata.uid}"
    ).split()
    assert len(after) == 2
    assert not set(before) & set(after), "not every pod was replaced"
    total, service = seen["total"], seen["service"]
    figure(
        f"rolling update of 2 pods: {seconds:.1f} s, {total['acknowledged']} writes through the Service "
        f"and {total['reads']} reads meanwhile, {sum(service.values())} requests to the Service failed, "
        f"{total['lost']} values lost, no answer for {total['longest_without_answer']:.2f} s at most"
    )
    assert total["acknowledged"] > 30, json.dumps(seen)
    assert service == {"refused": 0, "unknown": 0}
    assert {word: total[word] for word in LOSSES} == dict.fromkeys(LOSSES, 0), json.dumps(seen)
    assert all(seen["pods"][pod]["acknowledged"] for pod in ("kubia-0", "kubia-1"))
    assert [namespace.value(pod) for pod in ("kubia-0", "kubia-1")] == ["before", "before"]
