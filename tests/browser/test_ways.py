"""Below any path, with and without its last slash: nothing is asked for outside of it."""

import pytest
from playwright.sync_api import Browser

from tests.browser.visitor import visiting
from tests.support.local_set import LocalSet
from tests.support.prefix_proxy import PrefixProxy

PREFIXES = {
    "the API server, a pod": "/api/v1/namespaces/default/pods/kubia-0/proxy",
    "the API server, a service": "/api/v1/namespaces/default/services/kubia-public/proxy",
    "the API server, a named port": "/api/v1/namespaces/default/services/http:kubia-public:http/proxy",
    "an ingress": "/pets",
    "a deep ingress": "/a/b%20c",
}


@pytest.mark.parametrize("slash", ["/", ""], ids=["with a slash", "without"])
@pytest.mark.parametrize("prefix", PREFIXES.values(), ids=PREFIXES)
def test_the_page_works_below_a_path(chromium: Browser, pets: LocalSet, prefix: str, slash: str) -> None:
    with PrefixProxy(pets.url(0), prefix) as proxy, visiting(chromium, f"{proxy.url}{slash}") as visitor:
        assert visitor.store(f"by {prefix}{slash}") == "Stored on kubia-0."
        visitor.wait_seen("kubia-0 has a new value")
        assert visitor.rows()[0][2] == f"by {prefix}{slash}"
        bands = visitor.page.locator("svg .band text").all_text_contents()
        assert ("kubia-public" in bands) == ("/services/" in prefix)
        visitor.require_good_manners()
        assert proxy.strays == []


@pytest.mark.parametrize("width", [320, 390, 1600])
def test_the_way_to_the_pod_begins_at_the_service_whose_name_is_whole(
    chromium: Browser, pets: LocalSet, width: int
) -> None:
    with (
        PrefixProxy(pets.url(0), PREFIXES["the API server, a service"]) as proxy,
        visiting(chromium, f"{proxy.url}/", viewport={"width": width, "height": 900}) as visitor,
    ):
        bands = visitor.page.locator("svg .band")
        service = bands.filter(has_text="kubia-public").locator("rect").evaluate("each => each.getBBox().x")
        way = visitor.page.locator("svg .way").last.evaluate("each => each.getPointAtLength(0).x")
        assert service < way
        assert bands.count() == 3
