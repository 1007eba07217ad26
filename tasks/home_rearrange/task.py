"""`home_rearrange`: EB-Habitat's 70 actions and goal logic in flats that er-bench draws itself.

On a folder of EB-Habitat's pickles it plays those episodes: their goals and names exactly, on this
home's geometry (`habitat.py`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from er_bench.core.card import Dataset
from er_bench.core.errors import DataError
from er_bench.core.sample import Sample
from er_bench.tasks.base.home import HomeTask
from er_bench.tasks.eb_habitat.task import SUBSETS, subset_files
from er_bench.tasks.home_rearrange import habitat
from er_bench.worlds.home.blind_planner import rearrange_plan


class HomeRearrange(HomeTask):
    """Fetching and placing by navigate, pick up, place, open, close."""

    folder = Path(__file__).parent

    @property
    def dataset(self) -> Dataset:
        """The shipped episodes' counts, or those of EB-Habitat's files."""
        if not subset_files(self.root):
            return self.card.dataset
        counts = dict.fromkeys(SUBSETS, habitat.PER_SUBSET)
        return self.card.dataset.model_copy(
            update={"rows": sum(counts.values()), "categories": counts}
        )

    def samples(self) -> Iterator[Sample]:
        """The shipped episodes, or EB-Habitat's where the folder holds its pickles."""
        files = subset_files(self.root)
        if files:
            return habitat.samples(files)
        return super().samples()

    def check(self, sample: Sample) -> None:
        """See that the home can play the episode; for EB-Habitat's, that it can represent it."""
        if "refused" not in sample.meta:
            super().check(sample)
        elif sample.meta["refused"]:
            raise DataError(
                f"this home cannot represent episode {sample.id}: {sample.meta['refused']}",
                file=sample.meta["file"],
                row=sample.meta["index"],
            )

    def blind_plan(self, instruction: str) -> Sequence[str]:
        """By the words alone."""
        return rearrange_plan(instruction)


TASK = HomeRearrange
