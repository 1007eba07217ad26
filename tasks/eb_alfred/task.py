"""EB-ALFRED: household tasks in AI2-THOR, 300 episodes in six subsets.

EmbodiedBench `envs/eb_alfred/EBAlfEnv.py`, `evaluator/eb_alfred_evaluator.py`, commit b247936.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from er_bench.core.environment import Episode, Stepped
from er_bench.core.errors import DataError, EnvError
from er_bench.core.json_types import JsonObject
from er_bench.core.record import Shown, Truth
from er_bench.core.sample import Blob, Sample, Text
from er_bench.data.rows import Row, inside
from er_bench.data.text_files import read_json
from er_bench.scorers.goals import ALFRED_RULES, alfred_conditions
from er_bench.tasks.base.embodiedbench import CONFIG, EmbodiedBenchTask

SUBSETS = (
    "base",
    "common_sense",
    "complex_instruction",
    "spatial",
    "visual_appearance",
    "long_horizon",
)
"""In the order of `ValidEvalSets`."""
SPLITS = "embodiedbench/envs/eb_alfred/data/splits/splits.json"
TREES = (
    "embodiedbench/envs/eb_alfred/data/json_2.1.0",
    "envs/eb_alfred/data/json_2.1.0",
    "data/json_2.1.0",
    "json_2.1.0",
    ".",
)
"""Where ALFRED's JSON may be: EmbodiedBench's repository or package, or the hub data set."""
SCENE_FIELDS = ("scene_num", "object_poses", "object_toggles", "dirty_and_empty", "init_action")


@dataclass(frozen=True, slots=True)
class AlfredGoal:
    """What an episode asks for, as ALFRED's annotation says it."""

    task_type: str
    pddl_params: JsonObject = field(hash=False)


@dataclass(frozen=True, slots=True)
class Target:
    """An episode: its annotation's file, and its goal where that file is there."""

    annotation: Path
    goal: AlfredGoal | None


class EbAlfred(EmbodiedBenchTask[Target]):
    """Episodes from `splits.json` and ALFRED's JSON; goals judged from AI2-THOR's metadata."""

    system_prompt_name = "alfred_system_prompt"
    simulator_name = "thor_2_1"

    def samples(self) -> Iterator[Sample[Target]]:
        """The 300 episodes, subset by subset. Their JSON files are their media."""
        splits = json.loads(self._official(SPLITS))
        for subset in SUBSETS:
            for index, entry in enumerate(splits[subset]):
                row = Row(entry, Path(SPLITS), index)
                path = self._annotation(row)
                yield Sample(
                    id=f"{subset}/{index}",
                    parts=(Text(row.text("instruction")),),
                    target=Target(path, self._goal(path) if path.is_file() else None),
                    cluster=row.text("task"),
                    category=subset,
                    where=f"splits.json {subset} {index}",
                )

    def _annotation(self, row: Row) -> Path:
        relative = f"{row.text('task')}/pp/ann_{row.integer('repeat_idx')}.json"
        for tree in TREES:
            path = inside(self.root, f"{tree}/{relative}", row, "task")
            if path.is_file():
                return path
        return self.root / TREES[0] / relative

    def _goal(self, path: Path) -> AlfredGoal:
        annotation = _read(path)
        params = annotation.get("pddl_params")
        if not isinstance(params, dict):
            raise annotation.error("expected an object", "pddl_params")
        goal = AlfredGoal(annotation.text("task_type"), params)
        if goal.task_type not in ALFRED_RULES:
            raise annotation.error(f"there is no goal type {goal.task_type!r}", "task_type")
        return goal

    def media(self, sample: Sample[Target]) -> Iterable[Blob | Path]:
        """The episode's JSON file."""
        yield sample.target.annotation

    def episode(self, sample: Sample[Target]) -> Episode:
        """The scene as ALFRED's annotation sets it up, with the split's instruction."""
        annotation = _read(sample.target.annotation)
        scene = annotation.get("scene")
        if not isinstance(scene, Mapping) or not set(SCENE_FIELDS) <= set(scene):
            raise annotation.error(f"expected an object with {', '.join(SCENE_FIELDS)}", "scene")
        spec = {name: scene[name] for name in SCENE_FIELDS} | {"instruction": sample.text}
        return Episode(id=sample.id, scene=f"FloorPlan{scene['scene_num']}", spec=spec)

    def shown(self, sample: Sample[Target]) -> Shown:
        """The instruction and the annotated goal."""
        goal = sample.target.goal
        text = f"{goal.task_type} {json.dumps(goal.pddl_params)}" if goal else ""
        return Shown(sample.text, truth=Truth(text))

    def truth_identity(self, sample: Sample[Target]) -> object:
        """The annotated goal."""
        return repr(sample.target.goal)

    def examples_path(self, sample: Sample[Target]) -> str:
        """Long-horizon episodes have examples of their own."""
        long = sample.category == "long_horizon"
        return CONFIG + ("alfred_long_horizon_examples.json" if long else "alfred_examples.json")

    def judged(self, sample: Sample[Target], step: Stepped) -> Stepped:
        """Count the goal conditions in the metadata that the simulator sent."""
        goal = sample.target.goal
        if step.world is None or goal is None:
            raise EnvError("the simulator sent no world to judge by")
        try:
            met, total = alfred_conditions(goal.task_type, goal.pddl_params, step.world)
        except (LookupError, TypeError) as error:
            raise EnvError(f"the simulator's world cannot be judged: {error!r}") from error
        return step.model_copy(
            update={
                "success": met == total,
                "progress": met / total,
                "goal_conditions": (met, total),
            }
        )


def _read(path: Path) -> Row:
    fields = read_json(path)
    if not isinstance(fields, dict):
        raise DataError("expected an object", file=path)
    return Row(fields, path, 0)


TASK = EbAlfred
