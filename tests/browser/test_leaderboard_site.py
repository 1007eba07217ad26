"""The leaderboard's pages in a real browser: order, filters, links, no network, on any screen."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import er_bench as api
from tests.browser.opened_page import CHROMIUM, Page

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="needs chromium: apt-get install chromium")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    for name in ("oracle", "chance"):
        api.evaluate(
            f"reference/{name}",
            "erqa,trajectory",
            split="mini",
            limit=8,
            out=folder / "runs" / name,
        )
    made = api.leaderboard([folder / "runs"], reported=["vlaser-table1"])
    return api.write_site(made, folder / "site")


@pytest.fixture
def page(browser: Any, site: Path) -> Iterator[Page]:
    opened = Page(browser, site.as_uri(), "#board")
    yield opened
    assert opened.said == []
    assert all(url.startswith(("file:", "data:")) for url in opened.asked)
    opened.context.close()


def names(page: Page) -> list[str]:
    """The models that are shown, in order."""
    return [row.inner_text().split("\n")[0].strip()
            for row in page.page.locator("#board tbody tr:visible th").all()]  # fmt: skip


def test_a_heading_orders(page: Page) -> None:
    assert names(page)[:2] == ["reference/oracle", "reference/chance"]
    heading = page.page.locator("#board th", has_text="trajectory")
    heading.locator("button").click()  # lower is better: the best comes first
    assert heading.get_attribute("aria-sort") == "ascending"
    assert names(page)[:2] == ["reference/oracle", "reference/chance"]
    heading.locator("button").click()
    assert names(page)[:2] == ["reference/chance", "reference/oracle"]
    page.page.click("text=model >> button")
    assert names(page) == sorted(names(page), key=str.lower)


def test_filters(page: Page) -> None:
    page.page.select_option("#kind", "measured")
    assert names(page) == ["reference/oracle", "reference/chance"]
    page.page.select_option("#kind", "reported")
    page.page.fill("#search", "vlaser-8b")
    assert names(page) == ["Vlaser-8B"] and page.count().startswith("1 of ")


def test_a_score_leads_to_its_samples(page: Page) -> None:
    page.page.locator("tr", has_text="reference/chance").locator("td a").nth(1).click()
    page.page.wait_for_selector("#sample h3")
    assert page.page.input_value("#task") == "trajectory"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_serious_fault_of_accessibility(scheme: str, browser: Any, site: Path) -> None:
    column = next((site.parent / "columns").glob("erqa_mini*"))
    for file in (site, column):
        opened = Page(browser, file.as_uri(), "#main", color_scheme=scheme)
        assert opened.said == [] and opened.serious_faults() == {}
        assert opened.width_on_a_phone() <= 390
        opened.context.close()
