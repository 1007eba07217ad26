"""What the two built-in homes share: their episodes, prompt, simulator and reference plans."""

from __future__ import annotations

import json
import random
from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property, partial
from pathlib import Path
from typing import Any, ClassVar

from er_bench.core.answer import Plan, Value
from er_bench.core.dialect import AnyDialect
from er_bench.core.message import user
from er_bench.core.prompt import Decoding, Expect, Prompt
from er_bench.core.sample import Blob, Image, Sample, Text
from er_bench.data.rows import Row, find_files, read_rows
from er_bench.reading.action_plan import READERS, PlanReader
from er_bench.sim.environment import Environments, Episode, InProcessEnvironments, Started
from er_bench.tasks.base.episodes import EpisodeTask, Turn
from er_bench.worlds.home.simulator import HomeSimulator, fingerprint
from er_bench.worlds.home.skills import conditions, start

DECODING = Decoding(max_new_tokens=2048, temperature=0.0)
PROTOCOLS = {"official": "robust", "strict": "strict"}
"""The plan reader of each protocol."""
SCHEMA: Mapping[str, Any] = {
    "type": "object",
    "properties": {
        "observation": {"type": "string"},
        "reasoning": {"type": "string"},
        "executable_plan": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {
                    "action_id": {"type": "integer"},
                    "action_name": {"type": "string"},
                },
                "required": ["action_id", "action_name"],
                "additionalProperties": False,
            },
        },
    },
    "required": ["observation", "reasoning", "executable_plan"],
    "additionalProperties": False,
}
_SPEC = ("skills", "instruction", "goal", "room", "things")
_RANDOM_PLAN = 5
"""How many actions the random planner writes at a time."""


class HomeTask(EpisodeTask):
    """A task played in the built-in home."""

    folder: ClassVar[Path]
    """The task's folder, which holds `prompt.jinja`."""
    resolution_px: ClassVar[int] = 500
    """Side of the picture, as in EmbodiedBench."""

    def samples(self) -> Iterator[Sample]:
        """The episodes of every `*.json` file. Raises DataError naming file, row and field."""
        for file in find_files(self.root, "*.json"):
            for row in read_rows(file):
                yield self.sample(row)

    def sample(self, row: Row) -> Sample:
        """One shipped episode."""
        for field in ("room", "goal"):
            if not isinstance(row.get(field), Mapping):
                raise row.error("expected an object", field)
        row.items("things")
        return Sample(
            id=row.text("id"),
            parts=(Text(row.text("instruction")),),
            target={name: row.get(name) for name in _SPEC},
            cluster=row.text("scene"),
            category=row.text("subset"),
            where=row.where,
            meta={"plan": row.items("plan"), "row": row},
        )

    def check(self, sample: Sample) -> None:
        """See that the home can play the episode."""
        row: Row = sample.meta["row"]
        try:
            met, total = conditions(sample.target, start(sample.target))
        except (LookupError, TypeError, ValueError, AttributeError) as error:
            raise row.error(f"the home cannot play it: {error!r}", "things") from error
        if met == total:
            raise row.error("the goal holds before anything is done", "goal")

    def truth_identity(self, sample: Sample) -> object:
        """The whole episode."""
        return fingerprint(sample.target)

    def episode(self, sample: Sample) -> Episode:
        """The episode travels with its reset."""
        return Episode(
            id=sample.id,
            scene=sample.cluster,
            resolution=self.resolution_px,
            spec=dict(sample.target),
        )

    def open_environments(self) -> Environments:
        """Homes in this process, which draw in a thread of their own what a planner looks at."""
        return InProcessEnvironments(partial(HomeSimulator, on_demand=True), self.name)

    def reader(self) -> PlanReader:
        """The protocol's reader."""
        return READERS[PROTOCOLS[self.protocol]]

    @cached_property
    def _template(self) -> Any:
        from jinja2 import Environment, StrictUndefined

        environment = Environment(undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
        return environment.from_string((self.folder / "prompt.jinja").read_text(encoding="utf-8"))

    def plan_prompt(
        self, sample: Sample, start: Started, history: Sequence[Turn], image: Blob
    ) -> Prompt:
        """The newest image, then the text, in one user message."""
        del sample
        text = self._template.render(
            instruction=start.instruction, actions=start.actions, history=history
        )
        return Prompt((user(Image(image), text),), Expect.PLAN, DECODING, json_schema=SCHEMA)

    # What reference models need.

    def actions(self, sample: Sample) -> tuple[str, ...]:
        """The names of an episode's actions, by id."""
        return start(sample.target).actions

    @abstractmethod
    def blind_plan(self, instruction: str) -> Sequence[str]:
        """The plan of one who reads the instruction and never looks."""

    def ideal(self, sample: Sample) -> Value:
        """The oracle's plan, from the start of the episode, as action ids."""
        return self._ids(sample.meta["plan"], sample)

    def blind_value(self, sample: Sample) -> Value:
        """The blind planner's plan as action ids; actions that do not exist are left out."""
        return self._ids(self.blind_plan(str(sample.target["instruction"])), sample)

    def random_value(self, sample: Sample, rng: random.Random) -> Value:
        """A few random actions."""
        n_actions = len(self.actions(sample))
        return Plan(tuple(rng.randrange(n_actions) for _ in range(_RANDOM_PLAN)))

    def _ids(self, plan: Sequence[str], sample: Sample) -> Plan:
        ids = {name: number for number, name in enumerate(self.actions(sample))}
        return Plan(tuple(ids[name] for name in plan if name in ids))

    def write(self, value: Value, sample: Sample, dialect: AnyDialect) -> str:
        """A plan of action ids as the prompt asks for it."""
        del dialect
        if not isinstance(value, Plan):
            raise TypeError(f"a plan is needed, not {type(value).__name__}")
        names = self.actions(sample)
        plan = [{"action_id": step, "action_name": names[step]} for step in value.steps]
        return json.dumps({"observation": "", "reasoning": "", "executable_plan": plan})


def write_episodes(episodes: Sequence[Mapping[str, Any]], folder: Path) -> None:
    """Write `episodes.json` as `HomeTask` reads it, one episode a line."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = ",\n".join(json.dumps(e, separators=(",", ":")) for e in episodes)
    (folder / "episodes.json").write_text(f"[\n{lines}\n]\n", encoding="utf-8")
