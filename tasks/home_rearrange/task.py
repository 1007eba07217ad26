"""`home_rearrange`: EB-Habitat's 70 actions and goal logic in flats that er-bench draws itself.

On a folder of EB-Habitat's pickles it plays those episodes: their goals and names exactly, on this
home's geometry (`habitat.py`).
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from er_bench.core.card import Dataset
from er_bench.core.sample import Sample
from er_bench.tasks.base.home import HomeEpisode, HomeTask
from er_bench.tasks.eb_habitat.task import SUBSETS, subset_files
from er_bench.tasks.home_rearrange import habitat


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

    def samples(self) -> Iterator[Sample[HomeEpisode]]:
        """The shipped episodes, or EB-Habitat's where the folder holds its pickles."""
        files = subset_files(self.root)
        if files:
            return habitat.samples(files)
        return super().samples()


TASK = HomeRearrange
