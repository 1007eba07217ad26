"""What the EmbodiedBench tasks share: the planner's prompt, its protocols, its simulator.

EmbodiedBench `planner/vlm_planner.py` process_prompt, act, commit b247936. The system prompt, the
in-context examples, the style text and the JSON schema are read from the user's copy.
"""

from __future__ import annotations

import json
from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

from pydantic import JsonValue

from er_bench.core.environment import Environments
from er_bench.core.errors import DataError
from er_bench.core.message import user
from er_bench.core.prompt import Decoding, Expect, Prompt
from er_bench.core.rollout import EpisodeStart, Step
from er_bench.core.sample import Blob, Image, Sample, T
from er_bench.data.upstream import constant, official_file
from er_bench.reading.action_plan import READERS, READERS_WITH_BOOLEANS, PlanReader
from er_bench.sim.simulators import Known, environments, simulator, why_unavailable
from er_bench.tasks.base.episodes import EpisodeTask

CONFIG = "embodiedbench/evaluator/config/"
PROMPTS = CONFIG + "system_prompts.py"
STYLE = "embodiedbench/planner/planner_utils.py"
SCHEMA = "embodiedbench/planner/planner_config/generation_guide.py"
N_SHOTS = 10
DECODING = Decoding(max_new_tokens=2048, temperature=0.0)
"""`remote_model.py`: temperature 0, max_completion_tokens 2048."""

FIRST_REQUEST = (
    " You are supposed to output in json. You need to describe current visual state from the "
    "image, output your reasoning steps and plan. At the end, output the action id (0 ~ {last}) "
    "from the available actions to excute."
)
NEXT_REQUEST = (
    "\n\n Considering the above interaction history and the current image state, to achieve the "
    "human instruction: '{instruction}', you are supposed to output in json. You need to describe "
    "current visual state from the image, summarize interaction history and environment feedback "
    "and reason why the last action or plan failed and did not finish the task, output your new "
    "plan to achieve the goal from current state. At the end, output the excutable plan with "
    "action ids(0 ~ {last}) from the available actions."
)


def planner_text(
    system_prompt: str,
    examples: Sequence[str],
    instruction: str,
    actions: Sequence[str],
    history: Sequence[Step],
) -> str:
    """The text of one planner call, character for character (`process_prompt`)."""
    instruction = instruction.rstrip(".")
    last = len(actions) - 1
    listed = ", ".join(f"\naction id {i}: {name}" for i, name in enumerate(actions))
    gap = "  " if history else " "
    shots = "\n\n".join(
        f"## Task Execution Example{gap}{i}: \n {x}" for i, x in enumerate(examples[:N_SHOTS])
    )
    text = system_prompt.format(last, listed, shots)
    text += f"\n\n## Now the human instruction is: {instruction}."
    if not history:
        return text + FIRST_REQUEST.format(last=last)
    text += "\n\n The action history:"
    for number, step in enumerate(history):
        text += (
            f"\nStep {number}, action id {step.action_id}, {step.action}, "
            f"env feedback: {step.feedback}"
        )
    return text + NEXT_REQUEST.format(instruction=instruction, last=last)


@dataclass(frozen=True, slots=True)
class Protocol:
    """How the model is asked and how its plans are read."""

    style: bool
    """Whether the style text is appended to the prompt."""
    schema: bool
    """Whether decoding is to be held to the JSON schema, where the backend can."""
    reader: str
    simulator: str | None = None
    """A simulator in place of the task's own."""


PROTOCOLS = {
    "official": Protocol(style=True, schema=True, reader="strict"),
    "schema": Protocol(style=False, schema=True, reader="strict"),
    "repaired": Protocol(style=True, schema=False, reader="repaired"),
    "robust": Protocol(style=True, schema=True, reader="robust"),
    "thor_5": Protocol(style=True, schema=True, reader="strict", simulator="thor_5"),
}


class EmbodiedBenchTask(EpisodeTask[T]):
    """A task of EmbodiedBench; a subclass brings episodes, texts and the simulator's name."""

    system_prompt_name: ClassVar[str]
    simulator_name: ClassVar[str]
    takes_booleans: ClassVar[bool] = False
    """Whether the released simulator takes true and false as the actions 1 and 0."""

    @abstractmethod
    def examples_path(self, sample: Sample[T]) -> str:
        """The file of in-context examples for a sample, as a path in the repository."""

    def known_simulator(self) -> Known:
        """The simulator, with the options that this task needs."""
        return simulator(PROTOCOLS[self.protocol].simulator or self.simulator_name)

    def open_environments(self) -> Environments:
        """Simulator processes, as the environment variables say."""
        return environments(self.known_simulator())

    def unavailable(self) -> str | None:
        """Why the simulator cannot run here."""
        return why_unavailable(self.known_simulator())

    def reader(self) -> PlanReader:
        """The protocol's reader."""
        readers = READERS_WITH_BOOLEANS if self.takes_booleans else READERS
        return readers[PROTOCOLS[self.protocol].reader]

    def plan_prompt(
        self, sample: Sample[T], start: EpisodeStart, history: Sequence[Step], image: Blob
    ) -> Prompt:
        """The image, then the text, in one user message."""
        protocol = PROTOCOLS[self.protocol]
        text = planner_text(
            self._system_prompt,
            self._examples(self.examples_path(sample)),
            start.instruction,
            start.actions,
            history,
        )
        return Prompt(
            (user(Image(image), text + (self._style if protocol.style else "")),),
            Expect.PLAN,
            DECODING,
            json_schema=self._schema if protocol.schema else None,
        )

    def _official(self, path: str) -> bytes:
        if self.card.texts is None:
            raise DataError("the task's card names no official texts", file=f"{self.name}/card")
        return official_file(self.card.texts, path, self.root)

    def _constant(self, path: str, name: str) -> object:
        return constant(self._official(path), name, path)

    @cached_property
    def _system_prompt(self) -> str:
        return str(self._constant(PROMPTS, self.system_prompt_name))

    @cached_property
    def _style(self) -> str:
        return str(self._constant(STYLE, "template"))

    @cached_property
    def _schema(self) -> dict[str, JsonValue]:
        schema = self._constant(SCHEMA, "vlm_generation_guide")
        assert isinstance(schema, dict)
        return schema

    def _examples(self, path: str) -> list[str]:
        if path not in self._examples_by_path:
            examples = json.loads(self._official(path))
            self._examples_by_path[path] = [str(example) for example in examples]
        return self._examples_by_path[path]

    @cached_property
    def _examples_by_path(self) -> dict[str, list[str]]:
        return {}
