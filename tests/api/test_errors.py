"""Errors as clients see them: status, sentence, form."""

import json
from pathlib import Path

import pytest

from tests.hostile.clients.raw_http import body_of, exchange, header_of, statuses
from tests.support.pod import Pod
from tests.support.streams import ask


async def test_an_unknown_route_is_not_found(holding: str) -> None:
    for path in (
        "/nowhere",
        "//",
        "//data",
        "/data/",
        "/./data",
        "/x/../data",
        "/DATA",
        "/%",
        "/%00%0a",
        "/data%2f",
    ):
        for method in ("GET", "POST", "DELETE"):
            assert statuses(await ask(holding, method, path)) == [404], (method, path)


@pytest.mark.parametrize("path", ["/peers", "/healthz", "/readyz", "/metrics", "/openapi.json"])
async def test_a_wrong_method_is_told_the_right_ones(holding: str, path: str) -> None:
    for method in ("POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"):
        answer = await ask(holding, method, path)
        assert (statuses(answer), header_of(answer, "Allow")) == ([405], "GET, HEAD"), method


@pytest.mark.parametrize(
    ("path", "methods"), [("/", "DELETE, GET, HEAD, POST, PUT"), ("/data", "DELETE, GET, HEAD, PUT")]
)
async def test_what_takes_changes_tells_all_its_methods(holding: str, path: str, methods: str) -> None:
    answer = await ask(holding, "OPTIONS", path)
    assert (statuses(answer), header_of(answer, "Allow")) == ([405], methods)


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        (None, "text/plain"),
        ("*/*", "text/plain"),
        ("text/plain", "text/plain"),
        ("application/json", "application/problem+json"),
        ("application/problem+json", "application/problem+json"),
        ("application/*", "application/problem+json"),
        ("application/json, text/plain, */*", "text/plain"),
        ("application/json, */*", "application/problem+json"),
        ("application/json;q=0.5, text/plain", "text/plain"),
        ("text/plain;q=0.5, application/json;q=0.6", "application/problem+json"),
        ("text/plain;q=0, application/json;q=0.001", "application/problem+json"),
        ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", "text/plain"),
        ("image/png", "text/plain"),
        ("application/json;q=0", "text/plain"),
        ("application/json;q=nan", "application/problem+json"),
        (",;q=,/,", "text/plain"),
        ("\xff\x80", "text/plain"),
        (";" * 4000 + '"', "text/plain"),
    ],
)
async def test_an_error_has_the_form_its_client_prefers(strict: Pod, accept: str | None, kind: str) -> None:
    answer = await ask(strict.url, "GET", "/nowhere", *(() if accept is None else (f"Accept: {accept}",)))
    assert statuses(answer) == [404]
    assert (header_of(answer, "Content-Type") or "").partition(";")[0] == kind


async def test_problem_details_say_what_the_sentence_says(strict: Pod) -> None:
    sentence = body_of(await ask(strict.url, "DELETE", "/peers")).decode()
    answer = await ask(strict.url, "DELETE", "/peers", "Accept: application/json")
    assert json.loads(body_of(answer)) == {
        "type": "about:blank",
        "title": "Method Not Allowed",
        "status": 405,
        "detail": sentence.rstrip("\n"),
    }
    assert sentence == "/peers takes GET, HEAD.\n"


async def test_a_pod_that_cannot_says_why_in_a_word_for_programs(tmp_path: Path) -> None:
    with Pod(tmp_path / "data", "--faults", name="fulltext-0") as pod:
        for fault, code in {
            "disk-full": "full",
            "disk-read-only": "read-only",
            "disk-error": "unavailable",
            "not-ready": "fault",
        }.items():
            assert statuses(await ask(pod.url, "PUT", f"/faults/{fault}")) == [200]
            method, path = ("GET", "/readyz") if fault == "not-ready" else ("PUT", "/data")
            answer = await ask(pod.url, method, path, "Accept: application/problem+json")
            assert json.loads(body_of(answer))["code"] == code
            assert statuses(await ask(pod.url, "DELETE", "/faults")) == [200]


async def test_what_is_no_http_is_told_so_in_one_sentence(strict: Pod) -> None:
    answer = await exchange(strict.url, b"GET /data HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n")
    assert statuses(answer) == [400]
    assert body_of(answer) == b"This is no request as HTTP/1.1 has it.\n"
