"""The companion of multiple-choice tasks."""

from __future__ import annotations

from er_bench.core.answer import Value
from er_bench.core.reference import Reference
from er_bench.core.sample import Sample
from er_bench.tasks.base.choice import Choice


class ChoiceReference(Reference[Choice]):
    """Answers with bare letters."""

    def ideal(self, sample: Sample[Choice]) -> Value:
        """The right letter."""
        return sample.target.letter

    def write(self, value: Value, sample: Sample[Choice]) -> str:
        """The bare letter."""
        return str(value)
