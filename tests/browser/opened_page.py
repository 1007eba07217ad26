"""A page in a real browser."""

from __future__ import annotations

import shutil
from typing import Any

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")


class Page:
    """A page that was opened, and all that it said and asked for."""

    def __init__(self, browser: Any, url: str, ready: str = "#sample h3", **context: Any) -> None:
        self.context = browser.new_context(viewport={"width": 1280, "height": 900}, **context)
        self.page = self.context.new_page()
        self.said: list[str] = []
        self.asked: list[str] = []
        self.page.on("console", lambda message: self.said.append(message.text))
        self.page.on("pageerror", lambda error: self.said.append(str(error)))
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.page.goto(url)
        self.page.wait_for_selector(ready)

    def count(self) -> str:
        text: str = self.page.inner_text("#count")
        return text

    def current(self) -> str:
        text: str = self.page.inner_text("#sample h3")
        return text

    def serious_faults(self) -> dict[str, Any]:
        """What axe-core calls serious or critical, with the first places."""
        from axe_playwright_python.sync_playwright import Axe

        found = Axe().run(self.page).response["violations"]
        return {v["id"]: [n["target"] for n in v["nodes"]][:3] for v in found
                if v["impact"] in ("serious", "critical")}  # fmt: skip

    def width_on_a_phone(self) -> float:
        """How wide the page is where the screen has 390 pixels."""
        self.page.set_viewport_size({"width": 390, "height": 800})
        width: float = self.page.evaluate("document.documentElement.scrollWidth")
        return width
