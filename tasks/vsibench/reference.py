"""The companion of `vsibench`."""

from __future__ import annotations

from er_bench.core.answer import Value
from er_bench.core.reference import Reference
from er_bench.core.sample import Sample
from er_bench.tasks.base.choice import Choice
from er_bench.tasks.vsibench.task import Target


class VsiBenchReference(Reference[Target]):
    """Bare numbers and letters."""

    def ideal(self, sample: Sample[Target]) -> Value:
        """The number or the letter."""
        truth = sample.target.truth
        return truth.letter if isinstance(truth, Choice) else truth

    def write(self, value: Value, sample: Sample[Target]) -> str:
        """The bare number or letter."""
        return f"{value:.12g}" if isinstance(value, float) else str(value)


REFERENCE = VsiBenchReference
