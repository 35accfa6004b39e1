"""What is refused before a handler sees it: expectations that cannot be met, pages of other sites."""

import pytest

from tests.hostile.clients.raw_http import exchange, header_of, request, statuses
from tests.support.pod import Pod
from tests.support.streams import ask


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
async def test_an_expectation_that_cannot_be_met_is_refused(strict: Pod, method: str) -> None:
    answer = await exchange(strict.url, request(method, "/", "Expect: x", "Content-Length: 1", body=b"1"))
    assert statuses(answer) == [417]


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
@pytest.mark.parametrize(
    "said",
    [
        ("Sec-Fetch-Site: cross-site",),
        ("Sec-Fetch-Site: Cross-Site", "Origin: http://pet"),
        ("Origin: http://elsewhere",),
        ("Origin: http://pet:81",),
        ("Origin: http://pet.elsewhere",),
        ("Origin: http://elsewhere/pet",),
        ("Origin: http://pet@elsewhere",),
        ("Origin: null",),
        ("Origin:",),
        ("Origin: http://[",),
        ("Origin: pet",),
        ("Origin: file://pet",),
        ("Sec-Fetch-Site: same-site", "Origin: http://other.pet"),
        ("Sec-Fetch-Site: same-site", "Origin: http://pet"),
        ("Sec-Fetch-Site:", "Origin: http://pet"),
    ],
)
async def test_a_page_of_another_site_changes_nothing(
    holding: str, method: str, said: tuple[str, ...]
) -> None:
    answer = await ask(holding, method, "/", *said)
    assert statuses(answer) == [403]


async def test_a_page_without_an_origin_is_no_page_of_a_host_without_a_name(holding: str) -> None:
    assert statuses(await exchange(holding, request("DELETE", "/", "Origin: null", host=""))) == [403]
    assert statuses(await exchange(holding, b"DELETE / HTTP/1.0\r\nOrigin: null\r\n\r\n")) == [403]


@pytest.mark.parametrize(
    "said",
    [
        (),
        ("Sec-Fetch-Site: same-origin", "Origin: http://pet"),
        ("Sec-Fetch-Site: none",),
        ("Origin: https://PET",),
        # What kubectl proxy makes of a page's request: it replaces Host.
        ("Sec-Fetch-Site: same-origin", "Origin: http://localhost:8001"),
        ("Sec-Fetch-Site: Same-Origin", "Origin: null"),
    ],
)
async def test_curl_peers_and_its_own_pages_may_change_the_value(strict: Pod, said: tuple[str, ...]) -> None:
    answer = await exchange(strict.url, request("POST", "/", *said, "Content-Length: 1", body=b"1"))
    assert statuses(answer) == [200]


async def test_any_page_may_read(strict: Pod) -> None:
    answer = await ask(strict.url, "GET", "/", "Sec-Fetch-Site: cross-site", "Origin: http://elsewhere")
    assert statuses(answer) == [200]
    assert header_of(answer, "Access-Control-Allow-Origin") is None  # its browser keeps the answer from it
