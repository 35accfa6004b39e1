"""Values that would be something else than a value, if the page let them."""

import subprocess
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests.browser.visitor import visiting
from tests.support.pod import Pod

HOSTILE = {
    "HTML": (b"<b>bold</b><img src=x onerror=alert(1)>", "<b>bold</b><img src=x onerror=alert(1)>"),
    "a script": (b"<script>alert(1)</script>", "<script>alert(1)</script>"),
    "the end of a table": (
        b"</td></tr></table></svg><h1>forged</h1>",
        "</td></tr></table></svg><h1>forged</h1>",
    ),
    "a template": (b"{{pod}} ${alert(1)} {{rows}}", "{{pod}} ${alert(1)} {{rows}}"),
    "1 MiB": (b"x" * 2**20, "x" * 280 + "… (1 MiB in all)"),
    "right to left": ("\u202etxt.exe مرحبا".encode(), "\\u202etxt.exe مرحبا"),
    "not UTF-8": (b"\xff\xfe\x00", "\\xff\\xfe\\x00 (not UTF-8)"),
    "lines": (
        b"one\r\ntwo\n\nevent: ending\ndata: {}\n\n",
        "one\\r\\ntwo\\n\\nevent: ending\\ndata: {}\\n\\n",
    ),
    "one long word": (b"w" * 200, "w" * 200),
    "nothing": (b"", ""),
}


def post(pod: Pod, value: bytes, path: Path) -> None:
    path.write_bytes(value)
    subprocess.run(["curl", "-sf", "--data-binary", f"@{path}", pod.url], check=True, capture_output=True)


@pytest.mark.parametrize(("value", "shown"), HOSTILE.values(), ids=HOSTILE)
def test_a_value_is_shown_and_harms_nothing(
    chromium: Browser, pod: Pod, tmp_path: Path, value: bytes, shown: str
) -> None:
    post(pod, value, tmp_path / "value")
    with visiting(chromium, pod.url, viewport={"width": 320, "height": 640}) as visitor:
        visitor.page.wait_for_selector("svg .pod")
        cell = visitor.page.locator("#rows td.value")
        assert cell.text_content() == shown
        assert cell.locator("*").count() == 0
        assert visitor.page.evaluate("() => document.scripts.length") == 1
        assert visitor.page.locator("h1").count() == 1
        lines = visitor.page.locator("svg .value").all_text_contents()
        assert len(lines) <= 2
        assert bool(lines) == bool(shown)
        assert not visitor.scrolls_sideways()
        assert not any("ending" in each for each in visitor.seen())
        visitor.require_good_manners()


@pytest.mark.parametrize(("value", "shown"), HOSTILE.values(), ids=HOSTILE)
def test_without_javascript_too(
    chromium: Browser, pod: Pod, tmp_path: Path, value: bytes, shown: str
) -> None:
    post(pod, value, tmp_path / "value")
    with visiting(
        chromium, pod.url, java_script_enabled=False, viewport={"width": 320, "height": 640}
    ) as visitor:
        text = visitor.page.locator("#rows td.value").text_content()
        assert text is not None
        assert text[:200] == shown[:200]
        assert visitor.page.locator("#rows td.value *").count() == 0
        assert visitor.page.locator("h1").count() == 1
        assert not visitor.errors


def test_each_value_is_shown_as_it_is_whatever_was_there_before(
    chromium: Browser, pod: Pod, tmp_path: Path
) -> None:
    with visiting(chromium, pod.url) as visitor:
        for value in ("1 MiB", "a script", "not UTF-8", "one long word", "1 MiB"):
            sent, shown = HOSTILE[value]
            post(pod, sent, tmp_path / "value")
            visitor.page.wait_for_function(
                "shown => document.querySelector('#rows td.value').textContent === shown", arg=shown
            )
        subprocess.run(["curl", "-sf", "-X", "DELETE", f"{pod.url}/data"], check=True, capture_output=True)
        visitor.wait_seen("kubia-0 has no value any more")
        assert visitor.rows()[0][2] == "No data posted yet"
        visitor.require_good_manners()
