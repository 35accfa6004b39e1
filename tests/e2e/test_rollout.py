"""A rolling update while clients go on."""

import json
import os
import time
from collections.abc import Callable

import pytest

from tests.e2e.helper_pod import HelperPod, result
from tests.e2e.kubectl import Namespace

LOSSES = ("lost", "stale", "torn", "misdirected", "overwritten")


ROLLOUTS = 20 if "KUBIA_PET_TORTURE" in os.environ else 1  # twenty take eight minutes


@pytest.mark.timeout(200 + 60 * ROLLOUTS)
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
    for number in range(ROLLOUTS):
        form = "text" if number % 2 else "json"
        namespace.kubectl("set", "env", "statefulset/kubia", f"KUBIAPET_LOG_FORMAT={form}")
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
        f"{ROLLOUTS} rolling updates of 2 pods: {seconds:.1f} s, {total['acknowledged']} writes through "
        f"the Service and {total['reads']} reads meanwhile, {sum(service.values())} requests to it failed, "
        f"{total['lost']} values lost, no answer for {total['longest_without_answer']:.2f} s at most"
    )
    assert total["acknowledged"] > 30, json.dumps(seen)
    assert service == {"refused": 0, "unknown": 0}
    assert {word: total[word] for word in LOSSES} == dict.fromkeys(LOSSES, 0), json.dumps(seen)
    assert all(seen["pods"][pod]["acknowledged"] for pod in ("kubia-0", "kubia-1"))
    assert [namespace.value(pod) for pod in ("kubia-0", "kubia-1")] == ["before", "before"]
