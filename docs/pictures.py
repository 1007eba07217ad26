"""Makes `docs/report.png`, the picture in the README: `python docs/pictures.py`. Needs chromium."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from playwright.sync_api import sync_playwright

import er_bench

TASKS = "erqa,where2place,pointarena,refspatial,vsibench"


def main() -> None:
    """Run the embedded model and the chance model, write their report, and photograph it."""
    with tempfile.TemporaryDirectory() as place, sync_playwright() as playwright:
        runs = [
            er_bench.evaluate(model, TASKS, split="mini", out=Path(place) / name).folder
            for model, name in (("vlaser-tiny", "vlaser-tiny"), ("reference/chance", "chance"))
        ]
        page = er_bench.write_report(runs, out=Path(place) / "report")
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox"]
        )
        tab = browser.new_page(viewport={"width": 1240, "height": 1330})
        tab.goto(f"{page.as_uri()}#where2place/1/0")
        tab.wait_for_selector("#sample h3")
        tab.evaluate("window.scrollTo({ top: 0, behavior: 'instant' })")
        tab.wait_for_timeout(500)
        tab.screenshot(path=Path(__file__).parent / "report.png")
        browser.close()


if __name__ == "__main__":
    main()
