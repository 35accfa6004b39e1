"""A pod that asks for a token before it lets anything be changed."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests.browser.visitor import visiting
from tests.support.pod import Pod

TOKEN = "correct horse battery".replace(" ", "-")


@pytest.fixture
def guarded(tmp_path: Path) -> Iterator[Pod]:
    (tmp_path / "token").write_text(TOKEN)
    with Pod(tmp_path / "data", f"--token-file={tmp_path / 'token'}", "--faults") as pod:
        yield pod


def test_the_token_is_asked_for_and_kept_in_memory_only(chromium: Browser, guarded: Pod) -> None:
    with visiting(chromium, guarded.url) as visitor:
        token = visitor.page.get_by_label("Token (kept in this page's memory only)")
        assert not token.is_visible(), "it is asked for where one is set"
        assert visitor.store("first") == "Not done: The token is asked for, or is another one."
        assert token.is_visible()
        assert token.evaluate("(it) => it === document.activeElement && it.type === 'password'")
        token.fill("wrong")
        assert visitor.store("second") == "Not done: The token is asked for, or is another one."
        token.fill(TOKEN)
        assert visitor.store("third") == "Stored on kubia-0."
        assert TOKEN not in visitor.page.url
        assert not any(TOKEN in each for each in visitor.requested)
        visitor.require_good_manners(refusals=2)
        visitor.page.reload()
        assert not token.is_visible()
        assert token.input_value() == ""


def test_faults_ask_for_it_too(chromium: Browser, guarded: Pod) -> None:
    with visiting(chromium, guarded.url) as visitor:
        visitor.page.get_by_role("button", name="slow: For 30 s", exact=True).click()
        visitor.page.get_by_text("Not done: The token is asked for").wait_for()
        visitor.page.fill("#token", TOKEN)
        visitor.page.get_by_role("button", name="slow: For 30 s", exact=True).click()
        visitor.wait_seen("Fault slow is on")
        visitor.page.get_by_text(re.compile(r"on, for (30|2\d) s more")).wait_for()
        visitor.page.get_by_role("button", name="slow: End", exact=True).click()
        visitor.wait_seen("Fault slow has ended")
        visitor.require_good_manners(refusals=1)


def test_enter_after_the_token_sets_the_fault_that_was_refused_and_stores_nothing(
    chromium: Browser, guarded: Pod
) -> None:
    with visiting(chromium, guarded.url) as visitor:
        visitor.page.get_by_role("button", name="slow: For 30 s", exact=True).click()
        visitor.page.get_by_text("Not done: The token is asked for").wait_for()
        visitor.page.keyboard.type(TOKEN)
        visitor.page.keyboard.press("Enter")
        visitor.wait_seen("Fault slow is on")
        visitor.page.keyboard.press("Enter")  # once more: nothing is left to be done
        assert visitor.store("a value") == "Stored on kubia-0."
        visitor.wait_seen("kubia-0 has a new value")
        assert [each for each in visitor.seen() if "value" in each] == ["kubia-0 has a new value"]
        visitor.require_good_manners(refusals=1)


def test_enter_after_the_token_stores_the_value_that_was_refused(chromium: Browser, guarded: Pod) -> None:
    with visiting(chromium, guarded.url) as visitor:
        visitor.store("a value")
        visitor.page.keyboard.type(TOKEN)
        visitor.page.keyboard.press("Enter")
        visitor.wait_seen("kubia-0 has a new value")
        assert visitor.rows()[0][2] == "a value"
