"""Who gets the page, and who the text that there was before it."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import aiohttp
import pytest

from kubia_pet.web.handlers.page import Page
from tests.support.pod import Pod

BROWSERS = {
    "Chrome": "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,image/apng,"
    "*/*;q=0.8,application/signed-exchange;v=b3;q=0.7",
    "Firefox": "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8",
    "Firefox 132": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
    "Safari": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
    "Internet Explorer": "text/html, application/xhtml+xml, image/jxr, */*",
    "Lynx": "text/html, text/plain, text/sgml, text/css, application/xhtml+xml, */*;q=0.01",
    "w3m": "text/html, text/*;q=0.5, image/*, application/*, audio/*, video/*",
    "asked for by hand": "text/html",
    "in capitals": "Text/HTML",
}
OTHERS = {
    "curl, wget, Python, Go, Node, ELB, kube-probe": "*/*",
    "nothing said: Python's urllib, GCP's and Azure's health checks": None,
    "Java": "text/html, image/gif, image/jpeg, *; q=.2, */*; q=.2",
    "Java since 19": "text/html, image/gif, image/jpeg, */*; q=0.2",
    "any text": "text/*",
    "text first": "text/plain, text/html;q=0.9",
    "JSON first": "application/json, text/html;q=0.5",
    "HTML refused": "text/html;q=0, */*",
    "HTML last": "*/*, text/html;q=0.1",
    "no list of types": "text/html, nonsense",
    "Axios, which gets the first of equals": "application/json, text/plain, */*",
    "jQuery": "*/*; q=0.01, text/javascript",
    "Internet Explorer's images": "image/gif, image/jpeg, */*",
}


async def kind(pod: Pod, accept: str | None) -> str:
    headers = {} if accept is None else {"Accept": accept}
    skip = ["Accept"] if accept is None else []
    async with (
        aiohttp.ClientSession(skip_auto_headers=skip) as session,
        session.get(pod.url, headers=headers) as response,
    ):
        assert response.headers["Vary"] == "Accept"
        return response.content_type


@pytest.mark.parametrize("accept", BROWSERS.values(), ids=BROWSERS)
async def test_a_browser_gets_the_page(pod: Pod, accept: str) -> None:
    assert await kind(pod, accept) == "text/html"


@pytest.mark.parametrize("accept", OTHERS.values(), ids=OTHERS)
async def test_all_else_gets_what_it_ever_got(pod: Pod, accept: str | None) -> None:
    expected = "application/json" if accept == OTHERS["JSON first"] else "text/plain"
    assert await kind(pod, accept) == expected


PROGRAMS = {
    "curl": ("curl", "-s"),
    "wget": ("wget", "-q", "-O", "-"),
    "python": (
        sys.executable,
        "-c",
        "import sys, urllib.request as r; print(r.urlopen(sys.argv[1]).read().decode())",
    ),
}


@pytest.mark.parametrize("program", PROGRAMS.values(), ids=PROGRAMS)
def test_programs_as_they_are_get_the_text(pod: Pod, program: tuple[str, ...]) -> None:
    if not shutil.which(program[0]):
        pytest.skip(f"no {program[0]} here")
    done = subprocess.run([*program, pod.url], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("You've hit kubia-0\n")


async def test_two_accept_lines_are_one_list(pod: Pod) -> None:
    headers = [("Accept", "text/plain"), ("Accept", "text/html;q=0.5")]
    async with aiohttp.ClientSession() as session, session.get(pod.url, headers=headers) as response:
        assert response.content_type == "text/plain"


async def test_the_page_says_what_may_run_in_it(pod: Pod) -> None:
    async with (
        aiohttp.ClientSession() as session,
        session.get(pod.url, headers={"Accept": "text/html"}) as got,
    ):
        policy = dict(
            each.strip().split(" ", 1) for each in got.headers["Content-Security-Policy"].split(";")
        )
        assert got.headers["X-Content-Type-Options"] == "nosniff"
        assert got.headers["Cache-Control"] == "no-cache"
    hashes = (policy.pop("script-src"), policy.pop("style-src"))
    assert all(each.startswith("'sha256-") and " " not in each for each in hashes)
    assert policy == {
        "default-src": "'none'", "img-src": "data:", "connect-src": "'self'", "base-uri": "'none'",
        "form-action": "'none'", "frame-ancestors": "'none'", "require-trusted-types-for": "'script'",
        "trusted-types": "'none'",
    }  # fmt: skip


async def test_the_page_has_the_values_for_who_runs_no_script(pod: Pod) -> None:
    async with aiohttp.ClientSession() as session:
        await session.post(pod.url, data="<script>alert(1)</script>\u202e")
        async with session.get(pod.url, headers={"Accept": "text/html"}) as response:
            page = await response.text()
    assert "&lt;script&gt;alert(1)&lt;/script&gt;\\u202e</td>" in page
    assert page.count("<script") == 1
    assert not {"{{pod}}", "{{rows}}"} & set(re.findall("{{[a-z]+}}", page))


async def test_the_page_is_the_same_whatever_the_locale(tmp_path: Path) -> None:
    ascii_only = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    with Pod(tmp_path / "data", env=ascii_only) as pod:
        async with (
            aiohttp.ClientSession() as session,
            session.get(pod.url, headers={"Accept": "text/html"}) as response,
        ):
            assert "你在这里" in await response.text()


async def test_a_browser_gets_the_page_of_a_pod_whose_volume_fails_too(pod: Pod) -> None:
    pod.data_dir.rename(pod.data_dir.with_name("elsewhere"))
    headers = {"Accept": "text/html"}
    async with aiohttp.ClientSession() as session, session.get(pod.url, headers=headers) as response:
        assert response.status == 503
        assert "Content-Security-Policy" in response.headers
        page = await response.text()
    assert page.startswith("<!doctype html>")
    assert "not ready: The volume" in page


def test_the_page_is_one_file_of_40_kib_at_most() -> None:
    begin, end = Page("kubia-0")._begin, Page("kubia-0")._end  # noqa: SLF001 - the file as it is sent
    assert len(begin) + len(end) <= 40 * 1024
    assert b"http://" not in (begin + end).replace(b"http://www.w3.org/2000/svg", b"")
    assert b"https://" not in begin + end
