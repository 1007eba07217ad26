"""EB-Habitat: language rearrangement in ReplicaCAD, 300 episodes in six subsets.

EmbodiedBench `envs/eb_habitat/EBHabEnv.py`, `evaluator/eb_habitat_evaluator.py`, commit b247936;
the environment derives from apple/ml-llarp.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from er_bench.core.environment import Episode
from er_bench.core.errors import DataError
from er_bench.core.json_types import JsonObject
from er_bench.core.paths import resolved
from er_bench.core.record import Shown, Truth
from er_bench.core.sample import Sample, Text
from er_bench.data.text_files import read_bytes, refuse_pointer
from er_bench.scorers.goals import goal_holds, predicates_of
from er_bench.sim.simulators import Known, simulator
from er_bench.tasks.base.embodiedbench import CONFIG, EmbodiedBenchTask
from er_bench.tasks.eb_habitat import pickles
from er_bench.tasks.eb_habitat.domain import entities

SUBSETS = (
    "base",
    "common_sense",
    "complex_instruction",
    "spatial_relationship",
    "visual_appearance",
    "long_horizon",
)
FOLDERS = (
    "embodiedbench/envs/eb_habitat/datasets",
    "envs/eb_habitat/datasets",
    "datasets",
    ".",
)
"""Where the episode files may be: EmbodiedBench's repository or package, or the files alone."""


@dataclass(frozen=True, slots=True)
class HabitatGoal:
    """What an episode asks for."""

    goal: JsonObject = field(hash=False)
    start_predicates: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Target:
    """An episode as its file has it."""

    episode: pickles.HabitatEpisode
    file: Path

    @property
    def goal(self) -> HabitatGoal:
        """What it asks for."""
        return HabitatGoal(self.episode.goal, tuple(self.episode.start_predicates))


def subset_files(root: Path) -> list[tuple[str, Path]]:
    """The pickles there are, by subset. Raises DataError for a Git LFS pointer in place of one."""
    found = []
    for subset in SUBSETS:
        paths = [root / folder / f"{subset}.pickle" for folder in FOLDERS]
        for path in [path for path in paths if path.is_file()][:1]:
            refuse_pointer(path)
            found.append((subset, path))
    return found


class EbHabitat(EmbodiedBenchTask[Target]):
    """Episodes from the released pickles; success as the simulator's own measure says."""

    system_prompt_name = "habitat_system_prompt"
    simulator_name = "habitat_0_3"
    takes_booleans = True  # `Discrete.contains` and a list's index do, where EB-ALFRED asks type()

    def samples(self) -> Iterator[Sample[Target]]:
        """The episodes of every subset whose file is there, in the files' order."""
        files = subset_files(self.root)
        if not files:
            raise DataError(
                f"found none of {', '.join(f'{s}.pickle' for s in SUBSETS)}; "
                "the task's README shows the layout",
                file=self.root,
            )
        for subset, path in files:
            for episode in pickles.episodes(path):
                yield Sample(
                    id=f"{subset}/{episode.index}",
                    parts=(Text(episode.instruction),),
                    target=Target(episode, path),
                    cluster=episode.scene_id,
                    category=subset,
                    where=f"{path.name} row {episode.index}",
                )

    def check(self, sample: Sample[Target]) -> None:
        """See that the goal can be evaluated: known predicates, types and quantifiers."""
        episode = sample.target.episode
        try:
            predicates_of(episode.goal)
            goal_holds(episode.goal, entities(list(episode.objects)), lambda name, of: False)
        except (ValueError, LookupError, TypeError, AttributeError) as error:
            raise DataError(
                f"the goal cannot be evaluated: {error}",
                file=sample.target.file,
                row=episode.index,
                field="goal_preds",
            ) from error

    def shown(self, sample: Sample[Target]) -> Shown:
        """The instruction and the goal."""
        return Shown(sample.text, truth=Truth(json.dumps(sample.target.episode.goal)))

    def truth_identity(self, sample: Sample[Target]) -> object:
        """The goal and the start, in JSON."""
        goal = sample.target.goal
        return [goal.goal, list(goal.start_predicates)]

    def known_simulator(self) -> Known:
        """The simulator, told which EmbodiedBench copy holds the task's definition."""
        return simulator(self.simulator_name, {"embodiedbench": str(resolved(self.root))})

    def episode(self, sample: Sample[Target]) -> Episode:
        """The episode by its place in its file; the simulator reads the file itself."""
        episode = sample.target.episode
        digest = hashlib.sha256(read_bytes(sample.target.file)).hexdigest()
        return Episode(
            id=sample.id,
            scene=episode.scene_id,
            seed=100,
            spec={"subset": sample.category, "index": episode.index, "file_sha256": digest},
        )

    def examples_path(self, sample: Sample[Target]) -> str:
        """One set of examples for every subset."""
        del sample
        return CONFIG + "habitat_examples.json"


TASK = EbHabitat
