"""The page for everybody: by keyboard, by ear, in the dark, small and large, in two languages."""

import os
import re
import signal
import subprocess
from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import Browser, ViewportSize

from tests.browser.visitor import Visitor, visiting
from tests.support.local_set import LocalSet
from tests.support.pod import Pod, until

FOCUSED = """() => {
    const it = document.activeElement, label = it.getAttribute("aria-labelledby");
    return label ? document.getElementById(label).textContent : it.id || it.tagName;
}"""
PHONE: ViewportSize = {"width": 320, "height": 640}
SIZES = {"phone": (320, 640), "tablet": (800, 1200), "laptop": (1280, 800), "4K": (3840, 2160)}


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_while_all_is_well_nor_while_a_pod_is_gone(
    chromium: Browser, pets: LocalSet, scheme: str
) -> None:
    with visiting(chromium, pets.url(0), color_scheme=scheme, reduced_motion="reduce") as visitor:
        visitor.store("a value")
        assert visitor.axe() == []
        os.kill(pets.pids()["kubia-2"], signal.SIGKILL)
        visitor.page.wait_for_selector(".pod.silent, .pod.gone")
        assert visitor.axe() == []
        visitor.wait_seen("kubia-2 is back.*")
        assert visitor.axe() == []


def test_axe_finds_nothing_on_a_phone_in_chinese(chromium: Browser, pets: LocalSet) -> None:
    with visiting(chromium, pets.url(0), locale="zh-CN", viewport=PHONE) as visitor:
        assert visitor.axe() == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_in_what_is_shown_without_javascript(
    chromium: Browser, pets: LocalSet, scheme: Literal["light", "dark"]
) -> None:
    command = ["curl", "-sf", "-H", "Accept: text/html", pets.url(0)]
    html = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    context = chromium.new_context(viewport=PHONE, color_scheme=scheme)
    page = context.new_page()
    # axe is a script itself: it finds what a browser shows that runs none.
    page.set_content(re.sub(r"<script>.*?</script>|</?noscript>", "", html, flags=re.DOTALL))
    assert page.get_by_text("With JavaScript this page is live").is_visible()
    assert page.locator("form, svg").first.is_visible() is False
    assert Visitor(page, pets.url(0)).axe() == []
    context.close()


def test_what_stays_is_not_said_again_and_the_focus_stays_where_it_is(
    chromium: Browser, pets: LocalSet
) -> None:
    with visiting(chromium, pets.url(0)) as visitor:
        visitor.page.get_by_text("✓ good").nth(5).wait_for()  # three in the drawing, three in the table
        visitor.store("one")
        visitor.wait_seen("kubia-0 has a new value")
        visitor.page.evaluate(
            """() => {
                window.changed = [];
                const note = (records) => records.forEach(({ target }) => window.changed.push(target));
                const all = { childList: true, characterData: true, subtree: true };
                for (const each of ["#link", "thead", "#rows tr:last-child"])
                    new MutationObserver(note).observe(document.querySelector(each), all);
            }"""
        )
        visitor.page.fill("#value", "another")
        visitor.page.get_by_role("button", name="Store", exact=True).press("Enter")
        visitor.page.wait_for_function(
            "() => document.querySelector('#rows td.value').textContent === 'another'"
        )
        of_age = "window.changed.filter((each) => each.getAttribute('data-th') !== 'Age').length"
        assert visitor.page.evaluate(of_age) == 0
        assert visitor.page.evaluate("document.activeElement.textContent") == "Store"


@pytest.mark.parametrize(("width", "height"), SIZES.values(), ids=SIZES)
def test_nothing_scrolls_sideways_and_all_is_in_the_picture(
    chromium: Browser, pets: LocalSet, width: int, height: int
) -> None:
    with visiting(chromium, pets.url(0), viewport={"width": width, "height": height}) as visitor:
        visitor.page.wait_for_selector("svg .pod >> nth=2")
        assert not visitor.scrolls_sideways()
        outside = visitor.page.evaluate(
            """() => {
                const art = document.querySelector("#art").getBoundingClientRect();
                return [...document.querySelectorAll("#art text, #art rect")]
                    .filter((each) => {
                        const box = each.getBoundingClientRect();
                        return box.width && (box.left < art.left - 1 || box.right > art.right + 1
                            || box.top < art.top - 1 || box.bottom > art.bottom + 1);
                    }).map((each) => each.outerHTML);
            }"""
        )
        assert outside == []


def test_everything_can_be_done_by_keyboard(chromium: Browser, pets: LocalSet) -> None:
    with visiting(chromium, pets.url(0)) as visitor:
        keyboard = visitor.page.keyboard
        reached = []
        for _ in range(6):
            keyboard.press("Tab")
            reached.append(visitor.page.evaluate(FOCUSED))
        assert reached[:4] == ["value", "BUTTON", "What was seen", "What DNS says"]
        visitor.page.reload()
        visitor.wait_live()
        keyboard.press("Tab")
        keyboard.type("typed")
        keyboard.press("Tab")
        keyboard.press("Space")
        visitor.wait_seen("kubia-0 has a new value")
        assert visitor.rows()[0][2] == "typed"
        visitor.require_good_manners()


def test_a_screen_reader_has_the_states_in_words(chromium: Browser, pets: LocalSet) -> None:
    with visiting(chromium, pets.url(0)) as visitor:
        picture = visitor.page.get_by_role("img")
        assert picture.get_attribute("aria-label") == (
            "3 pods: kubia-0 ready, kubia-1 ready, kubia-2 ready. The table says more."
        )
        assert visitor.page.get_by_role("row").count() == 4
        assert visitor.page.get_by_role("columnheader").first.inner_text() == "Pod"
        assert visitor.page.get_by_role("log").get_attribute("aria-live") == "polite"
        assert visitor.page.get_by_role("textbox", name="Value").count() == 1
        assert visitor.page.get_by_role("status").first.inner_text() == "● live"


def test_in_chinese_where_the_browser_prefers_it(chromium: Browser, pets: LocalSet) -> None:
    with visiting(chromium, pets.url(0), locale="zh-CN") as visitor:
        assert visitor.page.inner_text("h1") == "你访问的是 kubia-0"
        assert visitor.page.locator("html").get_attribute("lang") == "zh-Hans"
        assert "● 就绪" in visitor.drawn(0)
        assert visitor.store("你好") == "已保存到 kubia-0。"
        visitor.wait_seen("kubia-0 有了新的值")
        english = visitor.page.evaluate(
            """() => [...document.querySelectorAll("[data-t]")].map((each) => each.textContent)
                .filter((words) => !/[\\u4e00-\\u9fff]/.test(words) && words !== "Pod")"""
        )
        assert english == []
        os.kill(pets.pids()["kubia-2"], signal.SIGSTOP)
        try:
            visitor.wait_seen("kubia-2 无应答：没有及时应答")  # noqa: RUF001 - Chinese
        finally:
            os.kill(pets.pids()["kubia-2"], signal.SIGCONT)


def test_what_moves_stands_still_where_that_is_wished(chromium: Browser, pets: LocalSet) -> None:
    running = "() => document.getAnimations().filter((each) => each.playState === 'running').length"
    with visiting(chromium, pets.url(0)) as visitor:
        assert visitor.page.evaluate(running) > 0
    with visiting(chromium, pets.url(0), reduced_motion="reduce") as visitor:
        assert visitor.page.evaluate(running) == 0


def test_without_javascript_there_is_a_table(chromium: Browser, pets: LocalSet) -> None:
    with visiting(chromium, pets.url(0), java_script_enabled=False) as visitor:
        assert visitor.page.inner_text("h1") == "You've hit kubia-0"
        assert [row[0] for row in visitor.rows()] == ["kubia-0", "kubia-1", "kubia-2"]
        assert visitor.page.locator("form, svg").first.is_visible() is False
        assert visitor.page.locator("noscript").is_visible()


def test_a_hidden_page_closes_its_stream_and_opens_it_when_it_is_looked_at_again(
    chromium: Browser, tmp_path: Path
) -> None:
    with Pod(tmp_path / "data") as pod, visiting(chromium, pod.url) as visitor:
        assert _watchers(pod) == 1
        _hide(visitor, hidden=True)
        until("the stream to be closed", lambda: _watchers(pod) == 0)
        assert visitor.page.inner_text("#link") == "‖ paused"
        _hide(visitor, hidden=False)
        visitor.wait_live()
        assert _watchers(pod) == 1
        assert visitor.seen()[-1].startswith("Not watched for ")


def test_how_long_a_pod_was_away_is_not_said_where_nobody_watched(chromium: Browser, pets: LocalSet) -> None:
    with visiting(chromium, pets.url(0)) as visitor:
        os.kill(pets.pids()["kubia-2"], signal.SIGKILL)
        visitor.page.wait_for_selector(".pod.silent, .pod.gone")
        _hide(visitor, hidden=True)
        visitor.page.wait_for_timeout(1000)  # in which it may be back: nobody sees it
        _hide(visitor, hidden=False)
        visitor.wait_seen("kubia-2 is back( with its value)?")


def _hide(visitor: Visitor, *, hidden: bool) -> None:
    """As a browser does with the page of another tab; a headless one shows all its pages."""
    visitor.page.evaluate(
        """(hidden) => {
            Object.defineProperty(document, "hidden", { value: hidden, configurable: true });
            document.dispatchEvent(new Event("visibilitychange"));
        }""",
        hidden,
    )


def _watchers(pod: Pod) -> int:
    text = subprocess.run(
        ["curl", "-s", f"{pod.url}/metrics"], capture_output=True, text=True, check=True
    ).stdout
    return int(float(text.partition("\nkubia_pet_watchers ")[2].partition("\n")[0]))
