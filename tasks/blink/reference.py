"""The companion of `blink`."""

from __future__ import annotations

from er_bench.core.answer import Value
from er_bench.core.sample import Sample
from er_bench.tasks.base.choice import Choice
from er_bench.tasks.base.choice_reference import ChoiceReference


class BlinkReference(ChoiceReference):
    """Answers with letters in brackets, as the options are listed."""

    def write(self, value: Value, sample: Sample[Choice]) -> str:
        """The letter in brackets."""
        return f"({value})"


REFERENCE = BlinkReference
