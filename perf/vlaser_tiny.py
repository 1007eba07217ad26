"""Measure vlaser-tiny on held-out scenes: pointing, letters, counts, beside who does not look.

    python perf/vlaser_tiny.py [--model vlaser-tiny] [--scenes 400]

Prints the tables of docs/vlaser-tiny.md. Intervals are Wilson's, 95%.
"""

from __future__ import annotations

import argparse
import asyncio
import math
import random
import time
from collections import Counter
from collections.abc import Sequence

from er_bench.core.answer import Points
from er_bench.core.dialect import Benchmark, Dialect
from er_bench.core.geometry import Point, in_mask, points_to_px
from er_bench.core.model import Model
from er_bench.core.registry import Registry
from er_bench.run.open_model import open_model
from er_bench.scenes import Scene, Thing, mask
from er_bench.scenes.held_out import Item, named_points, questions


def wilson(hits: float, n: int, z: float = 1.959964) -> tuple[float, float]:
    """The 95% score interval of a share."""
    share = hits / n
    middle = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    return max(0.0, middle - half), min(1.0, middle + half)


def row(name: str, marks: Sequence[float]) -> str:
    """One line of a table: share, interval, number."""
    low, high = wilson(sum(marks), len(marks))
    return f"| {name} | {sum(marks) / len(marks):.3f} | {low:.3f}-{high:.3f} | {len(marks)} |"


async def answers(model: Model, items: Sequence[Item]) -> list[str]:
    """What the model says to each question."""
    said = await asyncio.gather(*(model.ask(item.prompt()) for item in items))
    return [completion.text for completion in said]


def on(scene: Scene, point_px_xy: Point, things: Sequence[Thing]) -> bool:
    """Whether a point lies on one of the things."""
    return any(in_mask(point_px_xy, mask(scene, thing)) for thing in things)


def place(dialect: Dialect, text: str, scene: Scene) -> Point | None:
    """The first point of an answer, pixels."""
    value = dialect.read_points(text).value
    if not isinstance(value, Points) or not value.xy:
        return None
    (found,) = points_to_px(value.xy[:1], value.unit, scene.size_wh)
    return found


def pointing(dialect: Dialect, items: Sequence[Item], said: Sequence[str]) -> list[str]:
    """The rows about pointing."""
    named: dict[int, list[float]] = {}
    some, guessed, centred = [], [], []
    for item, text in zip(items, said, strict=True):
        scene, thing = item.scene, item.exchange.about
        assert thing is not None
        spot = place(dialect, text, scene)
        hit = spot is not None and on(scene, spot, [thing])
        named.setdefault(len(scene.things), []).append(hit)
        some.append(spot is not None and on(scene, spot, scene.things))
        any_thing = random.Random(item.seed).choice(scene.things)
        guessed.append(any_thing is thing)
        centred.append(on(scene, (scene.size_wh[0] / 2, scene.size_wh[1] / 2), [thing]))
    rows = [row("the named object", [m for marks in named.values() for m in marks])]
    rows += [row(f"the named object, of {n}", marks) for n, marks in sorted(named.items())]
    rows += [row("some object", some), row("random object (baseline)", guessed)]
    return [*rows, row("image centre (blind)", centred)]


def matching(name: str, items: Sequence[Item], said: Sequence[str]) -> list[str]:
    """The rows about exact answers; blind says the most frequent answer of its kind."""
    truths = [item.exchange.answer for item in items]
    usual = Counter(truths).most_common(1)[0][0]
    hits: dict[int, list[float]] = {}
    for item, text in zip(items, said, strict=True):
        hits.setdefault(len(item.scene.things), []).append(text == item.exchange.answer)
    rows = [row(name, [hit for marks in hits.values() for hit in marks])]
    rows += [row(f"{name}, {n} objects", marks) for n, marks in sorted(hits.items())]
    return [*rows, row(f"{name}, blind", [float(t == usual) for t in truths])]


async def measure(name: str, scenes: int) -> list[str]:
    """Every row."""
    model = open_model(Registry(), name)
    dialect = model.dialect
    assert not isinstance(dialect, Benchmark)
    items = named_points(scenes, dialect)
    rows = pointing(dialect, items, await answers(model, items))
    for kind in ("letter", "count"):
        items = questions(kind, scenes, dialect)
        rows += matching(kind, items, await answers(model, items))
    for n in range(1, 7):
        items = questions("point", scenes // 4, dialect, (n, n))
        said = await answers(model, items)
        hits = []
        for item, text in zip(items, said, strict=True):
            spot = place(dialect, text, item.scene)
            assert item.exchange.about is not None
            hits.append(spot is not None and on(item.scene, spot, [item.exchange.about]))
        rows.append(row(f"all wordings, {n} object{'s' * (n > 1)}", hits))
    await model.close()
    return rows


def main() -> None:
    """Parse, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="vlaser-tiny")
    parser.add_argument("--scenes", type=int, default=400)
    wanted = parser.parse_args()
    start = time.perf_counter()
    print("| what | share | 95% | n |\n|---|---|---|---|")
    print("\n".join(asyncio.run(measure(wanted.model, wanted.scenes))))
    print(f"\n{time.perf_counter() - start:.0f} s")


if __name__ == "__main__":
    main()
