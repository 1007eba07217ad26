"""Addresses of samples in pages that `er-bench report` wrote."""

from __future__ import annotations

import json
import re
from collections.abc import Collection
from pathlib import Path
from urllib.parse import quote

from er_bench.core.errors import UsageError
from er_bench.report.compare import Link
from er_bench.report.pages.sample_view import shortened, visible

_META = re.compile(r'<script type="application/json" id="meta">(.*?)</script>', re.DOTALL)


def sample_links(report: Path, runs: Collection[str]) -> Link:
    """The address of a sample by task and id, its first repeat.

    `report` is a folder of pages or the one file; `runs` are the names of the runs that it may
    show. Raises UsageError for what is no such page, or is about other runs.
    """
    page = report / "index.html" if report.is_dir() else report
    write_it = "write it with: er-bench report A B --out DIR"
    try:
        found = _META.search(page.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{page} cannot be read ({error}); {write_it}") from error
    if found is None:
        raise UsageError(f"{page} is no page of er-bench report; {write_it}")
    shown = json.loads(found[1])["runs"]
    if other := [name for name in shown if name not in runs]:
        raise UsageError(f"{page} is about {', '.join(other)}, which is not compared; {write_it}")
    address = quote(page.as_posix())

    def link(task: str, sample_id: str) -> str:
        return f"{address}#{quote(shortened(task), safe='')}/{quote(visible(sample_id), safe='')}/0"

    return link
