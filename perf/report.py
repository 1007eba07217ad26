"""How fast a report is made and opened: `python perf/report.py [--samples 5000]`.

A run of RoboRefIt rows over drawn pictures is made by the chance model, then its pages; Chromium
opens them from disk. Prints the seconds, the size, and the time until the first sample is there.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import tempfile
import time
from pathlib import Path

import er_bench
from er_bench.core.registry import Registry

CHROMIUM = shutil.which("chromium")


def grown(mini: Path, folder: Path, n: int) -> Path:
    """The mini split's rows over and over, each with a picture file of its own."""
    (folder / "images").mkdir(parents=True)
    rows = json.loads((mini / "rows.json").read_text())
    made = []
    for k in range(n):
        row = rows[k % len(rows)]
        name = f"{k}.png"
        shutil.copyfile(mini / "images" / row["image"], folder / "images" / name)
        made.append({**row, "id": k, "image": name})
    (folder / "rows.json").write_text(json.dumps(made))
    return folder


def opened(page: Path) -> float:
    """Seconds until a sample is on the page, the median of five."""
    from playwright.sync_api import sync_playwright

    times = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        for _ in range(5):
            tab = browser.new_page()
            start = time.perf_counter()
            tab.goto(page.as_uri())
            tab.wait_for_selector("#sample h3")
            times.append(time.perf_counter() - start)
            tab.close()
        browser.close()
    return statistics.median(times)


def main() -> None:
    """Make, time, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--samples", type=int, default=5000)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        root = Path(place)
        data = grown(Registry().mini_root("roborefit"), root / "data", args.samples)
        run = er_bench.evaluate(
            "reference/chance", "roborefit", data=data, accept_data=True, out=root / "run"
        )
        start = time.perf_counter()
        page = er_bench.write_report([run.folder])
        took = time.perf_counter() - start
        files = [file for file in page.parent.rglob("*") if file.is_file()]
        size = sum(file.stat().st_size for file in files) / 1e6
        shown = f", a sample on the page after {opened(page):.2f} s" if CHROMIUM else ""
        print(f"{args.samples:,} samples: {took:.1f} s, {len(files):,} files, {size:.0f} MB{shown}")


if __name__ == "__main__":
    main()
