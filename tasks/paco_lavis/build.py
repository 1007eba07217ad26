"""Builds `paco_lavis@er-bench-1` from the public PACO-LVIS annotations.

Vlaser's own test file was never released, nor how it was chosen. Selection rule of this one:

1. Annotations of one image are grouped by expression: an object's category (`car`), or a part
   with its object (`handle of the mug`). Underscores become spaces, brackets are dropped.
2. A group is left out if its object category is not exhaustively annotated in the image (a right
   point could count as wrong), or if its instances have fewer than 100 pixels together.
3. Groups are sorted by image id and expression; half of the rows are drawn from objects, half from
   parts, by `random.Random(seed)`, and written in the sorted order.
"""

from __future__ import annotations

import hashlib
import json
import random
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from er_bench.core.errors import DataError
from er_bench.tasks.base.expression_points import conversation
from er_bench.tasks.base.polygons import polygon_mask
from er_bench.tasks.paco_lavis.segmentation import decode_rle, rectangles

NAME = "paco_lavis@er-bench-1"
DEFAULT_ROWS = 2000
LEAST_PIXELS = 100

Json = Mapping[str, Any]


@dataclass(slots=True)
class Group:
    """The instances of one expression in one image."""

    image: Json
    expression: str
    kind: str
    segmentations: list[Any] = field(default_factory=list)

    @property
    def key(self) -> tuple[int, str]:
        """What groups are sorted by."""
        return self.image["id"], self.expression


def build(source: Path, out: Path, rows: int | None, seed: int) -> str:
    """Write the set into a folder; `source` is PACO's annotation file or its folder.

    Returns what was made, in words. Raises DataError.
    """
    file = source if source.is_file() else source / "paco_lvis_v1_test.json"
    if not file.is_file():
        raise DataError("there is no PACO-LVIS annotation file; see the task's README", file=file)
    content = file.read_bytes()
    try:
        groups = sorted(_groups(json.loads(content), file), key=lambda group: group.key)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise DataError(f"not PACO-LVIS annotations: {error!r}", file=file) from error
    chosen = _choose(groups, rows or DEFAULT_ROWS, seed)
    out.mkdir(parents=True, exist_ok=True)
    with (out / f"{NAME}.jsonl").open("w", encoding="utf-8") as lines:
        for group in chosen:
            lines.write(json.dumps(_row(group, file), ensure_ascii=False) + "\n")
    told = {
        "name": NAME,
        "source": file.name,
        "source_sha256": hashlib.sha256(content).hexdigest(),
        "seed": seed,
        "rows": len(chosen),
        "rule": __doc__,
    }
    (out / "dataset.json").write_text(json.dumps(told, indent=2) + "\n", encoding="utf-8")
    return (
        f"{NAME}: {len(chosen)} of {len(groups)} expressions in {out}; "
        f"put or link the COCO images under {out / 'images'}"
    )


def _groups(data: Json, file: Path) -> Iterator[Group]:
    images = {image["id"]: image for image in data["images"]}
    names = {c["id"]: c["name"] for c in data["categories"]}
    parts = {c["id"]: c["name"] for c in data.get("part_categories", [])}
    annotations = {a["id"]: a for a in data["annotations"]}
    found: dict[tuple[int, str], Group] = {}
    pixels: dict[tuple[int, str], float] = defaultdict(float)
    for annotation in annotations.values():
        parent = annotations.get(annotation.get("obj_ann_id"), annotation)
        image = images[annotation["image_id"]]
        if parent["category_id"] in image.get("not_exhaustive_category_ids", ()):
            continue
        thing = words(names[parent["category_id"]])
        if parent is annotation:
            expression, kind = thing, "object"
        else:
            cid = annotation["category_id"]
            part = names[cid].rpartition(":")[2] if cid in names else parts[cid]
            expression, kind = f"{words(part)} of the {thing}", "part"
        key = image["id"], expression
        group = found.setdefault(key, Group(image, expression, kind))
        group.segmentations.append(annotation["segmentation"])
        pixels[key] += annotation["area"]
    yield from (group for key, group in found.items() if pixels[key] >= LEAST_PIXELS)


def words(name: str) -> str:
    """A category name in plain words: `car_(automobile)` is a car."""
    return re.sub(r"_?\([^)]*\)", "", name).replace("_", " ").strip()


def _choose(groups: list[Group], rows: int, seed: int) -> list[Group]:
    rng = random.Random(seed)
    kinds = {k: [g for g in groups if g.kind == k] for k in ("object", "part")}
    n_parts = min(rows // 2, len(kinds["part"]))
    n_objects = min(rows - n_parts, len(kinds["object"]))
    drawn = [*rng.sample(kinds["object"], n_objects), *rng.sample(kinds["part"], n_parts)]
    return sorted(drawn, key=lambda group: group.key)


def _row(group: Group, file: Path) -> dict[str, Any]:
    size = group.image["width"], group.image["height"]
    instances = []
    for segmentation in group.segmentations:
        try:
            mask = _mask(segmentation, size)
        except (ValueError, KeyError, TypeError, IndexError) as error:
            raise DataError(
                f"cannot read a mask of {group.expression!r}: {error}",
                file=file,
                row=group.image["id"],
                field="segmentation",
            ) from error
        instances.append(rectangles(mask))
    points = [_middle(instance, size) for instance in instances if instance]
    return {
        "image": group.image["file_name"],
        "width": size[0],
        "height": size[1],
        "segmentation": [instance for instance in instances if instance],
        "conversations": conversation(group.expression, points),
        "kind": group.kind,
        "dataset": NAME,
    }


def _mask(segmentation: Any, size: tuple[int, int]) -> Any:
    if isinstance(segmentation, Mapping):
        mask = decode_rle(segmentation)
        if mask.shape != (size[1], size[0]):
            raise ValueError(f"the mask is {mask.shape[1]}x{mask.shape[0]}, its image {size}")
        return mask
    return polygon_mask([segmentation], size)


def _middle(instance: list[list[int]], size: tuple[int, int]) -> tuple[int, int]:
    """A point of an instance per 1000: the middle of its largest rectangle."""
    areas = [(r[2] - r[0] + 1) * (r[5] - r[1] + 1) for r in instance]
    left, top, right, _, _, bottom, _, _ = instance[int(np.argmax(areas))]
    (w, h) = size
    return round((left + right + 1) / 2 / w * 1000), round((top + bottom + 1) / 2 / h * 1000)
