"""What is said of pods that the page does not hear of, for whatever reason: no more than it knows."""

import json
import os
import re
import signal

import pytest
from playwright.sync_api import Browser

from tests.browser.visitor import visiting
from tests.support.local_set import LocalSet
from tests.support.prefix_proxy import PrefixProxy


def test_while_nothing_is_heard_the_other_pods_are_as_they_were_seen_last(
    chromium: Browser, pets: LocalSet
) -> None:
    refused = {"message": "error trying to reach service: refused", "code": 503}
    with PrefixProxy(pets.url(0), "/pets") as proxy, visiting(chromium, proxy.url) as visitor:
        visitor.page.route("**/events", lambda route: route.fulfill(status=503, json=refused))
        os.kill(pets.pids()["kubia-0"], signal.SIGKILL)
        visitor.wait_seen("kubia-0 gives no answer: the connection broke")
        visitor.page.get_by_text("◌ no answer from kubia-0").wait_for()
        assert [row[1] for row in visitor.rows()] == [
            "✕ no answer: the connection broke", "◌ last seen: ready", "◌ last seen: ready",
        ]  # fmt: skip
        assert "◌ last seen: ready" in visitor.drawn(1)
        label = visitor.page.get_by_role("img").get_attribute("aria-label")
        assert label is not None
        assert "kubia-1 last seen: ready" in label
        visitor.page.unroute("**/events")
        visitor.wait_live()
        assert visitor.rows()[1][1] == "● ready"


STATUS = (
    '{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","message":"no route","code":503}'
)


@pytest.mark.parametrize(
    ("kind", "body", "said"),
    [
        ("application/json", STATUS, "no route"),
        ("text/html", "<h1>Bad Gateway</h1>", "HTTP 503"),
        ("", "", "HTTP 503"),
    ],
)
def test_what_somebody_on_the_way_answers_is_said_in_short_and_is_no_pods_answer(
    chromium: Browser, pets: LocalSet, kind: str, body: str, said: str
) -> None:
    with visiting(chromium, pets.url(0)) as visitor:
        visitor.page.route(
            re.compile("."), lambda route: route.fulfill(status=503, content_type=kind or None, body=body)
        )
        assert visitor.store("a value") == f"Not done: {said}"
        visitor.page.evaluate("stream.abort()")
        visitor.page.get_by_text("◌ no answer from kubia-0").wait_for()
        visitor.wait_seen("kubia-0 gives no answer: .*")
        assert visitor.rows()[0][1].startswith("✕ no answer: ")


def test_of_pods_that_there_is_no_room_to_tell_of_nothing_is_said(chromium: Browser, pets: LocalSet) -> None:
    def state(ordinals: list[int], omitted: int) -> str:
        peers = [
            {"name": f"kubia-{each}.kubia", "ordinal": each, "self": each == 99, "state": "ready",
             "value": None, "etag": None} for each in ordinals
        ]  # fmt: skip
        told: dict[str, object] = {
            "pod": "kubia-99",
            "service": "kubia",
            "error": None,
            "findings": [],
            "faults": None,
        }
        whole = json.dumps(told | {"peers": peers, "omitted": omitted, "records": []})
        return f"id: 1\nevent: state\ndata: {whole}\n\n"

    body = state([0, 1, 2, 3, 99], 0) + state([0, 2, 99], 95)
    with visiting(chromium, pets.url(0)) as visitor:
        visitor.page.route(
            "**/events", lambda route: route.fulfill(content_type="text/event-stream", body=body), times=1
        )
        visitor.page.reload()
        visitor.wait_seen("kubia-1 is gone")
        visitor.page.route("**/events", lambda route: route.abort())
        assert [row[0].split()[0] for row in visitor.rows()] == ["kubia-0", "kubia-1", "kubia-2", "kubia-99"]
        assert visitor.seen().count("kubia-1 is gone") == 1
        assert not any("kubia-3" in each for each in visitor.seen())
        assert "you are here" in visitor.drawn(3)
        visitor.page.get_by_text("and 95 more pods").wait_for()


def test_a_ledger_that_comes_late_says_where_its_pod_is_now(chromium: Browser, pets: LocalSet) -> None:
    def state(*nodes: str | None) -> str:
        peer = {"name": "kubia-1.kubia", "ordinal": 1, "self": False, "state": "ready", "value": None}
        ledgers = [
            {"ledger": {"node": node, "start": node, "verdict": "good"}} if node else {} for node in nodes
        ]
        peers = [peer | {"etag": None} | ledger for ledger in ledgers]
        told: dict[str, object] = {
            "pod": "kubia-0",
            "service": "kubia",
            "error": None,
            "findings": [],
            "faults": None,
        }
        whole = json.dumps(told | {"peers": peers, "omitted": 0, "records": []})
        return f"id: 1\nevent: state\ndata: {whole}\n\n"

    body = state("node-1") + state() + state(None) + state("node-2")
    with visiting(chromium, pets.url(0)) as visitor:
        visitor.page.route(
            "**/events", lambda route: route.fulfill(content_type="text/event-stream", body=body), times=1
        )
        visitor.page.reload()
        visitor.wait_seen("kubia-1 is gone")
        visitor.wait_seen(r"kubia-1 is back after \d\.\d s with its value|kubia-1 is back after \d\.\d s")
        visitor.wait_seen("kubia-1 is back, on another node")


def test_a_state_that_the_page_cannot_show_is_an_error_of_the_page(chromium: Browser, pets: LocalSet) -> None:
    with visiting(chromium, pets.url(0)) as visitor:
        visitor.page.route(
            "**/events",
            lambda route: route.fulfill(content_type="text/event-stream", body="event: state\ndata: {}\n\n"),
            times=1,
        )
        visitor.page.reload()
        visitor.wait_live()
        assert any("undefined" in each for each in visitor.errors)
