"""The page through the API server, at a pod and at a Service, and what happens in the cluster meanwhile."""

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser

from tests.browser.visitor import visiting
from tests.e2e.kubectl import Namespace
from tests.support.browser import chromium

pytestmark = pytest.mark.timeout(300)
Deploy = Callable[..., None]
SLOW = 90_000  # ms: pods are scheduled, volumes attached


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as running:
        yield running


@pytest.mark.parametrize("slash", ["/", ""], ids=["with a slash", "without"])
def test_the_chapter_clicked_through_kubectl_proxy(
    namespace: Namespace, deploy: Deploy, browser: Browser, slash: str
) -> None:
    deploy(namespace)
    namespace.settled("kubia")
    url = namespace.url("pods/kubia-0")
    with visiting(browser, f"{url}{slash}") as visitor:
        visitor.page.set_default_timeout(SLOW)
        assert visitor.page.inner_text("h1") == "You've hit kubia-0"
        assert visitor.store("Hey there! This greeting was submitted to kubia-0.") == "Stored on kubia-0."
        visitor.wait_seen("kubia-0 has a new value")
        assert namespace.post("kubia-1", "kept by kubia-1's claim").status == 200
        visitor.wait_seen("kubia-1 has a new value")

        namespace.delete("kubia-1")
        visitor.wait_seen("kubia-1 is (ending|gone)")
        visitor.wait_seen(r"kubia-1 is back after \d+(\.\d)? s with its value.*")
        assert "kept by kubia-1's claim" in visitor.drawn(1)

        namespace.kubectl("scale", "statefulset/kubia", "--replicas=3")
        visitor.wait_seen("kubia-2 has come")
        namespace.kubectl("scale", "statefulset/kubia", "--replicas=2")
        visitor.wait_seen("kubia-2 is gone")
        assert visitor.page.locator(".pod.gone").count() == 1, "its volume stays"

        nodes = {row[3] for row in visitor.rows()}
        assert nodes
        assert nodes <= set(namespace.kubectl("get", "nodes", "-o", "name").replace("node/", "").split())
        records = visitor.page.inner_text("#records").splitlines()
        assert len(records) == 2
        assert all(f"kubia.{namespace.name}.svc.cluster.local." in line for line in records)
        visitor.require_good_manners()


def test_by_a_service_the_page_goes_on_at_another_pod(
    namespace: Namespace, deploy: Deploy, browser: Browser
) -> None:
    deploy(namespace)
    namespace.settled("kubia")
    with visiting(browser, f"{namespace.url('services/kubia-public')}/") as visitor:
        visitor.page.set_default_timeout(SLOW)
        assert "kubia-public" in visitor.page.locator("svg .band text").all_text_contents()
        pod = visitor.page.inner_text("#hit")
        namespace.delete(pod)
        visitor.wait_seen(f"{pod} is ending")
        other = {"kubia-0": "kubia-1", "kubia-1": "kubia-0"}[pod]
        visitor.wait_seen(f"Now watching from {other}")
        visitor.wait_seen(rf"{pod} is back after \d+(\.\d)? s.*")
        visitor.require_good_manners(pods_die=True)
