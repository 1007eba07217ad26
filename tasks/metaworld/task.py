"""`metaworld`: the skills of Meta-World's MT10 and MT50, with a sentence for each."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from er_bench.core.card import Dataset
from er_bench.core.environment import Episode
from er_bench.core.record import Shown
from er_bench.core.sample import Sample, Text
from er_bench.data.rows import Row, read_rows
from er_bench.tasks.base.control import ControlTask


@dataclass(frozen=True, slots=True)
class Draw:
    """An environment, and what is drawn at random in it."""

    env: str
    rand_vec: tuple[float, ...]
    """Positions of object and goal, metres, as the package orders them."""


class MetaWorld(ControlTask[Draw]):
    """Episodes of Meta-World; success at any step ends one."""

    simulator = "metaworld"
    resolution_px = 256

    @property
    def dataset(self) -> Dataset:
        """The counts of the protocol's file."""
        if self.protocol == "mt10":
            return self.card.dataset
        counts = dict(Counter(sample.category for sample in self.samples()))
        return self.card.dataset.model_copy(
            update={"rows": sum(counts.values()), "categories": counts}
        )

    def samples(self) -> Iterator[Sample[Draw]]:
        """The rows of `mt10.jsonl` or `mt50.jsonl`. Raises DataError naming file, row and field."""
        for row in read_rows(self.root / f"{self.protocol}.jsonl"):
            yield _sample(row)

    def shown(self, sample: Sample[Draw]) -> Shown:
        """The instruction."""
        return Shown(sample.text)

    def truth_identity(self, sample: Sample[Draw]) -> object:
        """Environment and draw."""
        return [sample.target.env, *sample.target.rand_vec]

    def episode(self, sample: Sample[Draw], picture_every: int) -> Episode:
        """The episode travels with its reset."""
        return Episode(
            id=sample.id,
            scene=sample.target.env,
            resolution=self.resolution_px,
            spec={
                "env": sample.target.env,
                "rand_vec": list(sample.target.rand_vec),
                "instruction": sample.text,
                "picture_every": picture_every,
            },
        )


def _sample(row: Row) -> Sample[Draw]:
    numbers = row.items("rand_vec")
    if not numbers or not all(type(n) is float and math.isfinite(n) for n in numbers):
        raise row.error(f"expected finite numbers, not {json.dumps(numbers)[:80]}", "rand_vec")
    env = row.text("env")
    return Sample(
        id=row.text("id"),
        parts=(Text(row.text("instruction")),),
        target=Draw(env, tuple(numbers)),
        cluster=row.text("id"),
        category=env.removesuffix("-v3"),
        where=row.where,
    )


TASK = MetaWorld
