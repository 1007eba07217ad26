"""What `reference/oracle` and its kin need of Block Count. Optional; it proves the harness."""

from __future__ import annotations

from statistics import median

from er_bench.core.answer import Value
from er_bench.core.reference import Reference
from er_bench.core.sample import Sample


class BlockCountReference(Reference[int]):
    """Counts are written in figures."""

    def ideal(self, sample: Sample[int]) -> Value:
        """The true count."""
        return float(sample.target)

    def write(self, value: Value, sample: Sample[int]) -> str:
        """As a model would answer."""
        return f"{value:.0f}" if isinstance(value, float) else str(value)

    def blind_value(self, sample: Sample[int]) -> Value | None:
        """The median count, whatever the picture."""
        return float(median(s.target for s in self.samples()))


REFERENCE = BlockCountReference
