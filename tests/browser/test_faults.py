"""Faults, set by the page's buttons."""

import json
import subprocess
from pathlib import Path

from playwright.sync_api import Browser

from tests.browser.visitor import visiting
from tests.support.local_set import LocalSet


def test_by_the_public_port_the_page_says_which_pod_it_broke(chromium: Browser, tmp_path: Path) -> None:
    with LocalSet(tmp_path, 3, "--faults") as pets, visiting(chromium, pets.public_url) as visitor:
        visitor.page.get_by_role("button", name="slow: For 30 s", exact=True).click()
        visitor.page.wait_for_function(
            "() => document.querySelector('#said').textContent || document.querySelector('#faults .bad')"
        )
        (broken,) = (f"kubia-{each}" for each in range(3) if _faults(pets.url(each)))
        if broken == visitor.page.inner_text("#hit"):
            visitor.wait_seen("Fault slow is on")
        else:
            visitor.page.get_by_text(f"Done on {broken}: the Service gave it to that pod.").wait_for()


def test_a_crash_that_is_asked_for_is_no_failure(chromium: Browser, tmp_path: Path) -> None:
    with LocalSet(tmp_path, 2, "--faults") as pets, visiting(chromium, pets.url(1)) as visitor:
        visitor.page.get_by_role("button", name="crash: For 30 s", exact=True).click()
        visitor.wait_seen("kubia-1 is back .*")
        assert visitor.page.inner_text("#said") == ""
        visitor.require_good_manners(pods_die=True)


def _faults(url: str) -> list[object]:
    shown = subprocess.run(["curl", "-sf", f"{url}/faults"], check=True, capture_output=True).stdout
    active: list[object] = json.loads(shown)["active"]
    return active
