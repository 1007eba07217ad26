"""Reference models: no weights, but every table's floor and ceiling.

- `reference/oracle` writes the truth in the run's dialect: 100%, or the harness is wrong.
- `reference/chance` guesses: a uniform letter, point, box or trace, the median number.
- `reference/blind` never looks: the most frequent letter, the image centre, the median number.
- `reference/random-object` points at a random object, where a sample lists its objects.
- `reference/random-action` acts at random in an episode.

Where a task needs a policy, they are one (`reference_policies.py`).
"""

from __future__ import annotations

import random
from collections import Counter
from statistics import median

from pydantic import JsonValue

from er_bench.core.answer import Boxes, Points, Value
from er_bench.core.completion import Completion
from er_bench.core.errors import UsageError
from er_bench.core.geometry import Unit
from er_bench.core.model import Asked, Model, ModelSettings, Subject
from er_bench.core.policy import Policy
from er_bench.core.prompt import Expect, Prompt
from er_bench.core.reference import AnyReference
from er_bench.core.registry import unknown
from er_bench.core.task import AnySample
from er_bench.models import reference_policies

KINDS = ("oracle", "chance", "blind", "random-object", "random-action")


def build(settings: ModelSettings) -> Model:
    """The reference model that the checkpoint names. Raises UsageError."""
    if settings.checkpoint not in KINDS:
        raise unknown("reference model", settings.checkpoint, KINDS)
    decoding = settings.forced_decoding.to_dict()
    if told := sorted({*settings.args, *(n for n, v in decoding.items() if v is not None)}):
        raise UsageError(
            f"a reference model takes --seed, no --model-args and no --gen-args; leave out "
            f"{', '.join(told)}"
        )
    return Reference(settings)


class Reference(Model):
    """One of the reference models; deterministic for a seed, whatever the order of samples."""

    concurrency = 16

    def __init__(self, settings: ModelSettings) -> None:
        self.kind, self.seed = settings.checkpoint, settings.seed
        self.name, self.dialect, self._settings = settings.name, settings.dialect, settings
        self.acts = self.kind in reference_policies.KINDS
        self._truths: dict[tuple[str, str], Value] = {}

    def identity(self) -> dict[str, JsonValue]:
        """Kind, seed and dialect."""
        return self._settings.identity("reference", seed=self.seed)

    async def ask(self, prompt: Prompt) -> Completion:
        """Refuse: a reference model answers about samples only."""
        raise UsageError("a reference model answers only inside a run")

    def unable(self, reference: AnyReference | None) -> str | None:
        """Why: the task brings no companion, or its samples list no objects."""
        if reference is None:
            return "it brings no reference.py for reference models to know its answers by"
        if self.kind == "random-object" and not any(map(reference.objects, reference.samples())):
            return "its samples list no objects for reference/random-object to choose from"
        return None

    def about(self, subject: Subject) -> Asked:
        """Answer prompts about one sample, the truth at hand."""
        reference, sample = subject.reference, subject.sample
        assert reference is not None
        name = f"{self.seed}/{reference.label}/{sample.id}/{subject.repeat}"
        rng = random.Random(name)

        async def answer(prompt: Prompt) -> Completion:
            value = self._value(reference, sample, prompt, rng)
            text = "" if value is None else reference.write(value, sample)
            size = reference.size_wh(sample)
            return Completion(text, "stop", image_sizes=(size,) if size else ())

        return answer

    def policy(self, subject: Subject) -> Policy:
        """Act in one sample's episodes."""
        name = f"{self.seed}/{subject.sample.id}/{subject.repeat}"
        return reference_policies.ReferencePolicy(self.kind, name)

    def _value(
        self, reference: AnyReference, sample: AnySample, prompt: Prompt, rng: random.Random
    ) -> Value | None:
        if self.kind == "oracle":
            return reference.ideal(sample)
        if self.kind == "random-object":
            objects = reference.objects(sample)
            return rng.choice(objects) if objects else None
        guess = _blind if self.kind == "blind" else _chance
        return guess(self, reference, sample, prompt.expects, rng)

    def usual(self, task: AnyReference, sample: AnySample) -> Value:
        """The most frequent letter of the task, or the median number of the sample's category."""
        letters = bool(task.letters(sample))
        key = (task.label, "letter" if letters else sample.category)
        if key not in self._truths:
            alike = [
                task.ideal(s)
                for s in task.samples()
                if bool(task.letters(s)) == letters and (letters or s.category == sample.category)
            ]
            if letters:
                counts = Counter(str(v) for v in alike)
                self._truths[key] = min(counts, key=lambda letter: (-counts[letter], letter))
            else:
                self._truths[key] = median(v for v in alike if isinstance(v, (int, float)))
        return self._truths[key]


def _chance(
    model: Reference, task: AnyReference, sample: AnySample, expects: Expect, rng: random.Random
) -> Value | None:
    match expects:
        case Expect.LETTER:
            return rng.choice(task.letters(sample))
        case Expect.NUMBER:
            return model.usual(task, sample)
        case Expect.POINTS | Expect.BOXES:
            size = task.size_wh(sample)
            if size is None:
                raise UsageError(f"{task.label}: sample {sample.id!r} has no image size")
            (x1, x2), (y1, y2) = (sorted((rng.random() * n, rng.random() * n)) for n in size)
            if expects is Expect.BOXES:
                return Boxes(((x1, y1, x2, y2),), Unit.PIXEL)
            if (trace := task.random_value(sample, rng)) is not None:
                return trace
            return Points(((rng.random() * size[0], rng.random() * size[1]),), Unit.PIXEL)
    return task.random_value(sample, rng)


def _blind(
    model: Reference, task: AnyReference, sample: AnySample, expects: Expect, rng: random.Random
) -> Value | None:
    match expects:
        case Expect.LETTER | Expect.NUMBER:
            return model.usual(task, sample)
        case Expect.POINTS | Expect.BOXES:
            size = task.size_wh(sample)
            if size is None:
                raise UsageError(f"{task.label}: sample {sample.id!r} has no image size")
            w, h = size
            if expects is Expect.BOXES:
                return Boxes(((0.0, 0.0, float(w), float(h)),), Unit.PIXEL)
            if (trace := task.blind_value(sample)) is not None:
                return trace
            return Points(((w / 2, h / 2),), Unit.PIXEL)
    return task.blind_value(sample)
