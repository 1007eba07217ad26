"""Makes the pictures in the README: `python docs/pictures.py`. Needs chromium.

`report.png` is a page of `er-bench report`, `leaderboard.png` the site of `er-bench leaderboard`.
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

import er_bench

TASKS = "erqa,where2place,pointarena,refspatial,vsibench"
DOCS = Path(__file__).parent


def main() -> None:
    """Run the embedded model, a ceiling and a floor, write their pages, and photograph them."""
    with tempfile.TemporaryDirectory() as place, sync_playwright() as playwright:
        runs = [
            er_bench.evaluate(model, TASKS, split="mini", out=Path(place) / Path(model).name).folder
            for model in ("vlaser-tiny", "reference/chance", "reference/oracle")
        ]
        site = er_bench.write_site(er_bench.leaderboard(runs), Path(place) / "site")
        page = er_bench.write_report(runs[:2], out=Path(place) / "report")
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox"]
        )
        _photograph(browser, site.as_uri(), "#main", 610, "leaderboard.png")
        _photograph(browser, f"{page.as_uri()}#where2place/1/0", "#sample h3", 1330, "report.png")
        browser.close()


def _photograph(browser: Browser, url: str, shown: str, height: int, name: str) -> None:
    tab = browser.new_page(viewport={"width": 1240, "height": height})
    tab.goto(url)
    tab.wait_for_selector(shown)
    tab.evaluate("window.scrollTo({ top: 0, behavior: 'instant' })")
    tab.wait_for_timeout(500)
    tab.screenshot(path=DOCS / name)


if __name__ == "__main__":
    main()
