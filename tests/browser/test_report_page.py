"""The report in a real browser: filters, keys, overlays, no network, nothing that harms."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest

import er_bench as api
from tests.browser.opened_page import CHROMIUM, Page

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="needs chromium: apt-get install chromium")


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Chance and the oracle, side by side."""
    folder = tmp_path_factory.mktemp("browser")
    runs = [
        api.evaluate(model, "erqa,where2place", split="mini", out=folder / model.partition("/")[2])
        for model in ("reference/chance", "reference/oracle")
    ]
    return api.write_report([run.folder for run in runs], out=folder / "report")


@pytest.fixture
def page(browser: Any, report: Path) -> Iterator[Page]:
    opened = Page(browser, f"{report.as_uri()}#where2place/3/0")
    yield opened
    assert opened.said == []
    assert all(url.startswith(("file:", "data:")) for url in opened.asked)
    opened.context.close()


def test_a_link_opens_its_sample(page: Page) -> None:
    assert page.current() == "3" and page.count() == "24 of 24"


def test_filters_and_search(page: Page) -> None:
    page.page.select_option("#task", "erqa")
    page.page.locator("#count", has_text="of 32").wait_for()
    page.page.select_option("#show", "wrong")
    wrong = int(page.count().split()[0])
    page.page.select_option("#show", "right")
    assert wrong + int(page.count().split()[0]) == 32
    page.page.select_option("#show", "differ")
    assert int(page.count().split()[0]) == wrong
    page.page.select_option("#show", "all")
    page.page.fill("#search", "ERQA_17")
    assert page.count() == "1 of 32" and page.current() == "ERQA_17"
    page.page.fill("#search", "no such words")
    assert "No sample fits" in page.page.inner_text("#sample")


def test_keys(page: Page) -> None:
    page.page.select_option("#order", "id")
    before = page.current()
    page.page.locator("#sample").focus()
    page.page.keyboard.press("j")
    assert page.current() != before
    page.page.keyboard.press("k")
    assert page.current() == before
    page.page.keyboard.press("/")
    assert page.page.evaluate("document.activeElement.id") == "search"
    page.page.keyboard.press("Escape")
    page.page.keyboard.press("?")
    assert page.page.evaluate("document.getElementById('keys').open")
    page.page.keyboard.press("Escape")
    assert not page.page.evaluate("document.getElementById('keys').open")


def test_the_mask_lies_where_the_truth_is(page: Page, report: Path, tmp_path: Path) -> None:
    """A screenshot of the frame is greener than the picture inside the mask, and only there."""
    frame = page.page.locator(".frame").first
    page.page.wait_for_load_state("networkidle")
    page.page.add_style_tag(content=".frame svg { display: none }")
    with_mask = _pixels(frame.screenshot(path=tmp_path / "a.png"), tmp_path / "a.png")
    page.page.locator("#sample").focus()
    page.page.keyboard.press("m")
    without = _pixels(frame.screenshot(path=tmp_path / "b.png"), tmp_path / "b.png")
    changed = np.abs(with_mask - without).sum(axis=2) > 20
    run = api.load_run(report.parent.parent / "chance")
    record = next(r for r in run.iter_records() if (r.task, r.id) == ("where2place", "3"))
    assert record.truth.mask is not None
    root = Path(run.manifest.tasks["where2place"].root)
    with PIL.Image.open(root / record.truth.mask.file) as found:
        size = (changed.shape[1], changed.shape[0])
        truth = np.asarray(found.convert("L").resize(size)) > 127
    assert truth.sum() > 100 and (changed & truth).sum() / (changed | truth).sum() > 0.95


def test_answers_are_drawn_at_their_pixel(page: Page, report: Path) -> None:
    run = api.load_run(report.parent.parent / "chance")
    record = next(r for r in run.iter_records() if (r.task, r.id) == ("where2place", "3"))
    told = page.page.locator(".frame path.told:not(.halo)")
    points = [(float(p.get_attribute("data-x")), float(p.get_attribute("data-y")))
              for p in told.all()]  # fmt: skip
    assert points == list(record.judgement["official"].points_px_xy)
    box = page.page.locator(".frame").first.bounding_box()
    size = page.page.evaluate("document.querySelector('.frame svg').viewBox.baseVal.width")
    cross = told.first.bounding_box()
    middle = cross["x"] + cross["width"] / 2 - box["x"]
    assert middle / box["width"] == pytest.approx(points[0][0] / size, abs=0.01)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_serious_fault_of_accessibility(scheme: str, browser: Any, report: Path) -> None:
    opened = Page(browser, f"{report.as_uri()}#erqa/ERQA_3/0", color_scheme=scheme)
    opened.page.evaluate("document.querySelectorAll('details').forEach((d) => { d.open = true; })")
    assert opened.serious_faults() == {}
    opened.context.close()


def test_the_page_fits_a_phone(browser: Any, report: Path) -> None:
    opened = Page(browser, report.as_uri())
    assert opened.width_on_a_phone() <= 390
    opened.context.close()


def _pixels(_: bytes, file: Path) -> np.ndarray[Any, np.dtype[np.float64]]:
    with PIL.Image.open(file) as found:
        return np.asarray(found.convert("RGB"), np.float64)


def test_traces_are_drawn_where_they_are(browser: Any, tmp_path: Path) -> None:
    run = api.evaluate("reference/oracle", "trajectory", split="mini", limit=3, out=tmp_path / "r")
    url = api.write_report([run.folder], out=tmp_path / "report").as_uri()
    page = Page(browser, f"{url}#trajectory/1/0")
    truth, told = (
        page.page.get_attribute(f"polyline.trace.{who}:not(.halo)", "points")
        for who in ("truth", "told")
    )
    record = next(record for record in run.records if record.id == "1")
    for drawn, meant in ((truth, record.truth.trace_px_xy),
                         (told, record.judgement["official"].points_px_xy)):  # fmt: skip
        numbers = [float(n) for n in (drawn or "").replace(",", " ").split()]
        assert numbers == pytest.approx([n for point in meant for n in point])
    assert "lower is better" in page.page.inner_text("caption")
    assert page.said == []
    page.context.close()


def test_a_run_that_is_still_going_is_followed(browser: Any, tmp_path: Path) -> None:
    run = api.evaluate("reference/oracle", "erqa", split="mini", out=tmp_path / "r")
    records = run.folder / "records.jsonl"
    lines = records.read_bytes().splitlines(keepends=True)
    (run.folder / "results.json").unlink()
    records.write_bytes(b"".join(lines[:5]))
    command = [sys.executable, "-m", "er_bench.cli.main", "view", str(run.folder), "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as served:
        try:
            assert served.stdout is not None
            told = [served.stdout.readline(), served.stdout.readline()]
            assert told[0].startswith("5 of 32 samples so far")
            page = Page(browser, told[1].split()[0])
            assert page.page.inner_text("#progress") == "still going: 5 of 32 samples"
            assert page.count() == "5 of 5"
            with records.open("ab") as file:
                file.writelines(lines[5:])
            page.page.wait_for_selector("#count:text-is('32 of 32')", timeout=20_000)
            assert page.page.is_hidden("#progress")
            page.page.wait_for_load_state("networkidle")
            sent = page.page.evaluate(
                """() => performance.getEntriesByType("resource")
                  .filter((entry) => entry.name.includes("/media/"))
                  .map((entry) => entry.transferSize)"""
            )
            assert sent and not any(sent), "pictures that were there are not sent again"
            assert page.said == []
            page.context.close()
        finally:
            served.terminate()


def test_an_episode_plays(browser: Any, tmp_path: Path) -> None:
    run = api.evaluate(
        "reference/chance", "home_rearrange", split="mini", limit=1, out=tmp_path / "r"
    )
    page = Page(browser, api.write_report([run.folder], out=tmp_path / "report").as_uri())
    _plays(page, len(next(iter(run.iter_records())).rollout.turns))
    command = [sys.executable, "-m", "er_bench.cli.main", "view", str(run.folder), "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as served:
        try:
            assert served.stdout is not None
            page = Page(browser, served.stdout.readline().split()[0])
            _plays(page, len(next(iter(run.iter_records())).rollout.turns))
        finally:
            served.terminate()


def _plays(page: Page, duration_s: float) -> None:
    """See that the sample's video shows something and lasts as long as it should."""
    assert not any(url.endswith(".mp4") for url in page.asked), "asked for by nobody yet"
    found = page.page.evaluate(
        """async () => {
          const film = document.querySelector("video");
          film.playbackRate = 16;
          await film.play();
          await new Promise((end) => film.addEventListener("ended", end));
          return [film.videoWidth, film.currentTime];
        }"""
    )
    assert found[0] > 100 and found[1] == pytest.approx(duration_s, abs=0.1)
    assert page.said == []
    page.context.close()
