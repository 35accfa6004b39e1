"""Somebody who looks at the page, and notes what a page must not do."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page

PATIENCE = 15_000  # ms


class Visitor:
    """A page that is open at `url`."""

    def __init__(self, page: Page, url: str) -> None:
        self.page = page
        self.url = url
        self.requested: list[str] = []
        self.errors: list[str] = []
        page.set_default_timeout(PATIENCE)
        page.on("request", lambda request: self.requested.append(request.url))
        page.on(
            "console", lambda message: self.errors.append(message.text) if message.type == "error" else None
        )
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("dialog", lambda dialog: self.errors.append(f"a dialog: {dialog.message}"))

    def wait_live(self) -> None:
        self.page.wait_for_selector("#link:not(.off)")

    def wait_seen(self, sentence: str) -> None:
        """Waits for a line of what was seen, a regular expression."""
        self.page.wait_for_function(
            "wanted => [...document.querySelectorAll('#log li span')].some(each => "
            "new RegExp(`^${wanted}$`).test(each.textContent))",
            arg=sentence,
        )

    def seen(self) -> list[str]:
        """What was seen, oldest first."""
        return self.page.locator("#log li span").all_text_contents()[::-1]

    def drawn(self, pod: int) -> str:
        """The words of one pod and its volume in the drawing."""
        return " ".join(self.page.locator("svg .pod").nth(pod).locator("text").all_text_contents())

    def rows(self) -> list[list[str]]:
        """The cells of the table, as they are shown."""
        rows = self.page.locator("#rows tr").all()
        return [row.locator("th, td").all_inner_texts() for row in rows]

    def store(self, value: str) -> str:
        """Types a value and presses Enter; the answer."""
        self.page.fill("#value", value)
        self.page.press("#value", "Enter")
        self.page.wait_for_function("() => !/^$|…$/.test(document.querySelector('#answer').textContent)")
        return self.page.inner_text("#answer")

    def axe(self) -> list[dict[str, Any]]:
        """What axe-core finds."""
        found = Axe().run(self.page).response["violations"]
        return [{"id": each["id"], "nodes": [node["html"] for node in each["nodes"]]} for each in found]

    def scrolls_sideways(self) -> bool:
        return bool(self.page.evaluate("() => document.documentElement.scrollWidth > innerWidth"))

    def require_good_manners(self, *, pods_die: bool = False, refusals: int = 0) -> None:
        """Nothing was asked for but below the page's own URL, nothing failed, nothing was kept.

        A browser itself writes of requests that fail, because pods die, and of answers 401.
        """
        own = f"{self.url.rstrip('/')}/"
        assert not [
            each for each in self.requested if each != self.url and not each.startswith((own, "data:"))
        ]
        refused = [each for each in self.errors if "status of 401" in each]
        assert len(refused) == refusals
        dead = [each for each in self.errors if re.search(r": net::ERR_|status of 50[234] ", each)]
        assert not dead or pods_die
        assert sorted(self.errors) == sorted(refused + dead)
        assert self.page.context.cookies() == []
        assert self.page.evaluate("() => localStorage.length + sessionStorage.length") == 0


@contextmanager
def visiting(browser: Browser, url: str, **options: Any) -> Iterator[Visitor]:
    """Opens the page; the options are those of a browser's context, as color_scheme or locale."""
    context = browser.new_context(
        **{"locale": "en-US", "viewport": {"width": 1280, "height": 900}, **options}
    )
    try:
        visitor = Visitor(context.new_page(), url)
        response = visitor.page.goto(url, wait_until="load")
        assert response is not None
        assert response.status == 200
        if options.get("java_script_enabled", True):
            visitor.wait_live()
        yield visitor
    finally:
        context.close()
