"""The companion of `mindcube`."""

from __future__ import annotations

from er_bench.core.answer import Value
from er_bench.core.sample import Sample
from er_bench.tasks.base.choice import Choice
from er_bench.tasks.base.choice_reference import ChoiceReference


class MindCubeReference(ChoiceReference):
    """Answers as the prompt asks: letter and text of the option in a tag."""

    def write(self, value: Value, sample: Sample[Choice]) -> str:
        """`<answer>A. Above</answer>`."""
        return f"<answer>{value}. {sample.target.options[str(value)]}</answer>"


REFERENCE = MindCubeReference
