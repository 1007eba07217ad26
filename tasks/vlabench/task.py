"""VLABench, VLM track: write the skill calls that carry out an instruction.

Source: OpenMOSS/VLABench, commit 47b04bf: `VLABench/evaluation/model/vlm/base.py` (message),
`evaluator/vlm.py` (files, shots, parsing), `evaluation/utils.py` (score).
"""

from __future__ import annotations

import hashlib
import json
import random
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import NoReturn

from pydantic import JsonValue

from er_bench.core.answer import Answer, Plan
from er_bench.core.errors import DataError
from er_bench.core.message import user
from er_bench.core.prompt import Expect, Prompt
from er_bench.core.record import Shown, Truth
from er_bench.core.rollout import Rollout
from er_bench.core.sample import Image, Part, Sample, Text
from er_bench.core.score import Aggregate, Score, Scored, Verdict, category_means, mean
from er_bench.core.task import OFFICIAL, ROBUST, QuestionTask, Reading
from er_bench.data.rows import FileBlob, is_litter
from er_bench.data.text_files import read_json, read_text
from er_bench.data.upstream import official_file
from er_bench.reading.skill_plan import read_fenced_plan, read_plan
from er_bench.scorers.plan import PlanScore, Step, score_plan

DIMENSIONS = {
    "M&T": ("mt", "mandt", "meshtexture", "meshandtexture"),
    "Spatial": ("spatial",),
    "CommonSense": ("commensence", "commonsense", "commensense", "commonsence"),
    "Semantic": ("semantic", "semantics"),
    "PhysicsLaw": ("physicslaw", "physicallaw", "physicslaws", "physicallaws"),
    "Complex": ("complex",),
}
"""Each dimension and the letters of the folder names that mean it."""
_EXAMPLE = re.compile(r"example\w*")

STAR_TASKS = ("cook_dishes", "texas_holdem")
"""Tasks whose subtasks may come in any order (`seq_independent_task.json`)."""

PROMPT_FILE = "VLABench/configs/prompt/eval_vlm_en.txt"
MINI_PROMPT_FILE = "prompt.txt"
MINI_PROMPT_SHA256 = "8aaf57aa24a95feca1e5f25c861cac8aee6e363138553b5c5331f22556d56865"


@dataclass(frozen=True, slots=True)
class Demonstration:
    """The truth: the steps that were shown, and whether their subtasks may change places."""

    steps: tuple[Step, ...]
    star: bool
    instruction: str


class VlaBench(QuestionTask[Demonstration]):
    """VLABench on the released folders `<dimension>/<task>/example<N>/`."""

    def samples(self) -> Iterator[Sample[Demonstration]]:
        """Every example, by dimension, task and number."""
        if not self.system_text.strip():
            raise DataError("the prompt text is empty", file=self.root)
        for dimension, folders in self._examples.items():
            for folder in folders:
                yield self.sample(dimension, folder)

    def sample(self, dimension: str, folder: Path) -> Sample[Demonstration]:
        """One example."""
        task = folder.parent.name
        sample_id = f"{dimension}/{task}/{folder.name}"
        shots = [] if "zero" in self.protocol else [self._shot(dimension, folder, sample_id)]
        return Sample(
            id=sample_id,
            parts=tuple(self._message(folder, shots)),
            target=Demonstration(
                _steps(_output(folder), folder), task in STAR_TASKS, _instruction(folder)
            ),
            cluster=f"{dimension}/{task}",
            category=dimension,
            where=f"{sample_id}/output",
        )

    @cached_property
    def system_text(self) -> str:
        """The released instructions, or those that the mini split brings; both by SHA-256."""
        own = self.root / MINI_PROMPT_FILE
        if own.is_file():
            content = own.read_bytes()
            if hashlib.sha256(content).hexdigest() == MINI_PROMPT_SHA256:
                return content.decode()
        assert self.card.texts is not None
        return official_file(self.card.texts, PROMPT_FILE, self.root).decode()

    @cached_property
    def _examples(self) -> dict[str, list[Path]]:
        found: dict[str, list[Path]] = {dimension: [] for dimension in DIMENSIONS}
        for folder in _folders(self.root):
            inner = [e for task in _folders(folder) for e in _folders(task)]
            examples = [e for e in inner if _EXAMPLE.fullmatch(e.name)]
            dimension = _dimension(folder)
            if dimension is None and examples:
                raise DataError(
                    f"a folder of {len(examples)} examples whose name means none of "
                    f"{', '.join(DIMENSIONS)}; rename it or move it away",
                    file=folder,
                )
            if dimension is None:
                continue
            if odd := [e for e in inner if e not in examples and (e / "output").is_dir()]:
                raise DataError("expected a folder named example<N>", file=odd[0])
            found[dimension] += examples
        for examples in found.values():
            examples.sort(key=lambda f: (f.parent.name, _number(f.name), str(f)))
        if not any(found.values()):
            raise DataError(
                "found no <dimension>/<task>/example<N>; the task's README shows the layout",
                file=self.root,
            )
        return found

    def _shot(self, dimension: str, folder: Path, sample_id: str) -> Path:
        """Another example of the dimension, drawn by a seed that is the sample's id."""
        others = [other for other in self._examples[dimension] if other != folder]
        if not others:
            raise DataError(f"no other example of {dimension} to show", file=folder)
        return random.Random(sample_id).choice(others)

    def _message(self, folder: Path, shots: Sequence[Path]) -> Iterator[Part]:
        """The released list of texts and images, texts joined by line breaks."""
        text = [self.system_text]
        for number, shot in enumerate(shots):
            name = f"Example {number}"
            yield from _pictures(text, f"{name} input picture:", f"{name} input picture", shot)
            text = ["", f"{name} language instruction:", _instruction(shot)]
            text += [f"{name} output skill sequence", json.dumps(_output(shot))]
        yield from _pictures(text, "Input picture", "Input picture", folder)
        text = ["", "Language instruction:", _instruction(folder)]
        text.append("Please give the output skill sequence")
        if self.protocol.endswith("cot"):
            text.append("Please analyze the problem step by step and give the answer")
        yield Text("\n".join(text))

    def prompt(self, sample: Sample[Demonstration]) -> Prompt:
        """One user message, texts and images in turn."""
        return Prompt((user(*sample.parts),), Expect.PLAN)

    @cached_property
    def readings(self) -> Mapping[str, Reading[Demonstration]]:
        """The released fence and the best reader by the paper's sum; the released sum beside."""
        paper = "0.4 skills + 0.4 parameters + 0.1 both + 0.1 exact (arXiv 2412.18194, eq. 6)"
        released = "0.4 skills + 0.4 parameters, as released: at most 0.8"
        source = "OpenMOSS/VLABench evaluation/utils.py, commit 47b04bf"
        fence, fenced = "the JSON in the first ```json fence", plan_match(read_fenced_plan)
        last = plan_match(read_plan)
        return {
            OFFICIAL: plan_reading(fenced, "total", fence, paper, source),
            ROBUST: plan_reading(last, "total", "the last list of steps", paper, "er-bench"),
            "released_total": plan_reading(fenced, "released_total", fence, released, source),
        }

    def shown(self, sample: Sample[Demonstration]) -> Shown:
        """The instruction and the demonstration."""
        steps = json.dumps([dict(step) for step in sample.target.steps])
        return Shown(sample.target.instruction, truth=Truth(steps))

    def truth_identity(self, sample: Sample[Demonstration]) -> object:
        """Steps and graph."""
        return [[dict(step) for step in sample.target.steps], sample.target.star]


Match = Callable[[str, Demonstration], tuple[Answer, PlanScore]]


def plan_match(read: Callable[[str], Answer]) -> Match:
    """Reads a plan and matches it; remembers the last, for readings that judge it in turn."""
    last: tuple[str, Demonstration, tuple[Answer, PlanScore]] | None = None

    def match(text: str, truth: Demonstration) -> tuple[Answer, PlanScore]:
        nonlocal last
        if (known := last) is not None and known[1] is truth and known[0] == text:
            return known[2]
        answer, score = read(text), PlanScore()
        if isinstance(answer.value, Plan):
            score = score_plan(truth.steps, answer.value.steps, star=truth.star)
        last = (text, truth, (answer, score))
        return answer, score

    return match


def plan_reading(
    match: Match, headline: str, reader: str, rule: str, source: str
) -> Reading[Demonstration]:
    """A reading that matches a plan with the demonstration; all the match's numbers are kept."""

    def judge(sample: Sample[Demonstration], rollout: Rollout) -> Verdict:
        answer, score = match(rollout.completion.text, sample.target)
        parts = score.parts()
        shares = f"skills {score.skill:.2f}, parameters {score.entity:.2f}"
        why = shares if isinstance(answer.value, Plan) else ""
        return Verdict.of(answer, Score(parts[headline], parts, why))

    def aggregate(scored: Sequence[Scored]) -> Aggregate:
        return mean_of_dimensions(scored, headline)

    return Reading(reader, rule, source, judge, aggregate)


def mean_of_dimensions(scored: Sequence[Scored], headline: str) -> Aggregate:
    """The mean of the dimensions' means; each of these; the parts the same way; the micro mean.

    The released code stops at the dimensions.
    """
    by_part = {
        name: category_means((s.category, s.parts[name]) for s in scored)
        for name in PlanScore().parts()
    }
    metrics = {name: mean([*values.values()]) for name, values in by_part.items()}
    metrics["micro"] = mean([s.parts[headline] for s in scored])
    return Aggregate(metrics.pop(headline), by_part[headline], metrics)


def _pictures(text: list[str], first: str, second: str, folder: Path) -> Iterator[Part]:
    """The plain and the numbered picture of an example, after some text."""
    yield Text("\n".join([*text, first, ""]))
    yield Image(FileBlob(folder / "input" / "input.png"))
    yield Text(f"\n{second} with numbered tags\n")
    yield Image(FileBlob(folder / "input" / "input_mask.png"))


def _folders(folder: Path) -> list[Path]:
    try:
        return sorted(f for f in folder.iterdir() if f.is_dir() and not is_litter(f.name))
    except OSError as error:
        raise DataError(f"cannot look into it: {error.strerror}", file=folder) from error


def _dimension(folder: Path) -> str | None:
    letters = re.sub(r"[^a-z]", "", folder.name.lower())
    return next((d for d, names in DIMENSIONS.items() if letters in names), None)


def _number(name: str) -> int:
    digits = re.search(r"\d+$", name)
    return int(digits.group()) if digits else -1


def _instruction(folder: Path) -> str:
    return read_text(folder / "input" / "instruction.txt")


def _output(folder: Path) -> JsonValue:
    """What `operation_sequence.json` holds."""
    found: JsonValue = read_json(folder / "output" / "operation_sequence.json", _refuse)
    return found


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no number of JSON")


def _steps(output: JsonValue, folder: Path) -> tuple[Step, ...]:
    steps = output.get("skill_sequence") if isinstance(output, dict) else None
    items = steps if isinstance(steps, list) else []
    whole = [
        s
        for s in items
        if isinstance(s, dict)
        and isinstance(s.get("name"), str)
        and isinstance(s.get("params"), dict)
    ]
    if not whole or len(whole) < len(items):
        file = folder / "output" / "operation_sequence.json"
        raise DataError("expected steps of name and params", file=file, field="skill_sequence")
    return tuple(whole)


TASK = VlaBench
