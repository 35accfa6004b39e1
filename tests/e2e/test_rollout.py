"""A rolling update while clients go on."""

import json
import time
from collections.abc import Callable

import pytest

from tests.e2e.helper_pod import HelperPod, result
from tests.e2e.kubectl import Namespace


@pytest.mark.timeout(300)
def test_a_rolling_update_under_load_loses_no_request_and_no_acknowledged_write(
    namespace: Namespace, deploy: Callable[..., None], figure: Callable[[str], None]
) -> None:
    deploy(namespace)
    helper = HelperPod(namespace)
    namespace.settled("kubia")
    for pod in ("kubia-0", "kubia-1"):
        namespace.post(pod, "before")
    load = helper.start("load", "kubia-public")
    before = namespace.kubectl(
        "get", "pods", "-l", "app=kubia", "-o", "jsonpath={.items[*].metadata.uid}"
    ).split()

    began = time.monotonic()
    namespace.kubectl("set", "env", "statefulset/kubia", "KUBIAPET_LOG_FORMAT=json")
    namespace.settled("kubia")
    seconds = time.monotonic() - began
    seen = result(load, timeout=60)

    after = namespace.kubectl(
        "get", "pods", "-l", "app=kubia", "-o", "jsonpath={.items[*].metadata.uid}"
    ).split()
    assert len(after) == 2
    assert not set(before) & set(after), "not every pod was replaced"
    figure(
        f"rolling update of 2 pods: {seconds:.1f} s, {seen['requests']} requests meanwhile, "
        f"{len(seen['lost'])} lost, the longest took {seen['longest']:.2f} s"
    )
    assert seen["requests"] > 100, json.dumps(seen)
    assert seen["lost"] == []
    assert seen["wrong"] == []
    assert set(seen["acknowledged"]) == {"kubia-0", "kubia-1"}
    for pod, value in seen["acknowledged"].items():
        assert namespace.value(pod) == value
