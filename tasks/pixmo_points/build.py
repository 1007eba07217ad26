"""Builds `pixmo_points@er-bench-1` from `allenai/pixmo-points-eval`.

Vlaser's own test file was never released, nor how it was chosen. Selection rule of this one:

1. Rows without a point ("not in the image") are left out: the rule, precision near a true point,
   cannot judge them.
2. Points, percent in the source, become whole numbers per 1000 (`round(10 * percent)`).
3. Rows are sorted by image hash and label; if fewer are wanted than there are, they are drawn by
   `random.Random(seed)` and written in the sorted order.

The masks of the source are kept as polygons, one instance a point, for Molmo's own metric.
"""

from __future__ import annotations

import json
import random
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from er_bench.data.rows import Row, find_files, read_rows
from er_bench.tasks.base.expression_points import conversation
from er_bench.tasks.paco_lavis.segmentation import rectangles

NAME = "pixmo_points@er-bench-1"
_SHA256 = re.compile(r"[0-9a-f]{64}")


def build(source: Path, out: Path, rows: int | None, seed: int) -> str:
    """Write the set into a folder; `source` is the folder of the hub data set.

    Returns what was made, in words. Raises DataError naming file, row and field.
    """
    made = sorted(_rows(source), key=lambda row: (row["image"], row["expression"]))
    n_all = len(made)
    if rows is not None and rows < n_all:
        kept = sorted(random.Random(seed).sample(range(n_all), rows))
        made = [made[k] for k in kept]
    out.mkdir(parents=True, exist_ok=True)
    urls = {row["image"]: row.pop("url") for row in made}
    with (out / f"{NAME}.jsonl").open("w", encoding="utf-8") as lines:
        for row in made:
            del row["expression"]
            lines.write(json.dumps(row, ensure_ascii=False) + "\n")
    (out / "urls.tsv").write_text("".join(f"{n}\t{u}\n" for n, u in urls.items()), encoding="utf-8")
    told = {"name": NAME, "source": "allenai/pixmo-points-eval", "seed": seed, "rows": len(made)}
    (out / "dataset.json").write_text(
        json.dumps({**told, "rule": __doc__}, indent=2) + "\n", encoding="utf-8"
    )
    return (
        f"{NAME}: {len(made)} of {n_all} rows in {out}; "
        f"fetch the images of {out / 'urls.tsv'} into {out / 'images'}, under the names given there"
    )


def _rows(source: Path) -> Iterator[dict[str, Any]]:
    for file in find_files(source, "*.parquet"):
        for row in read_rows(file):
            if row.items("points"):
                yield _row(row)


def _row(row: Row) -> dict[str, Any]:
    name, label = row.text("image_sha256"), row.text("label")
    if not _SHA256.fullmatch(name):
        raise row.error(f"expected a SHA-256, found {name!r}", "image_sha256")
    masks = [np.asarray(mask, dtype=bool) for mask in row.items("masks")]
    points = [_per_1000(row, point) for point in row.items("points")]
    if len(masks) != len(points) or len({m.shape for m in masks}) != 1 or masks[0].ndim != 2:
        raise row.error(f"expected {len(points)} masks of one size, one a point", "masks")
    h, w = masks[0].shape
    return {
        "image": name,
        "width": w,
        "height": h,
        "segmentation": [rectangles(mask) for mask in masks],
        "conversations": conversation(label, points),
        "dataset": NAME,
        "expression": label,
        "url": row.text("image_url"),
    }


def _per_1000(row: Row, point: Any) -> tuple[int, int]:
    if not isinstance(point, dict):
        raise row.error(f"expected points with x and y, found {point!r}", "points")
    at = Row(point, row.file, row.index)
    return round(at.number("x") * 10), round(at.number("y") * 10)
