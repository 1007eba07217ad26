"""The companion of `sat`."""

from __future__ import annotations

import random

from er_bench.core.answer import Value
from er_bench.core.sample import Sample
from er_bench.tasks.base.choice import Choice
from er_bench.tasks.base.choice_reference import ChoiceReference
from er_bench.tasks.sat.task import LETTERED


class SatReference(ChoiceReference):
    """Answers with the option's words, or with its letter where letters are asked for."""

    def write(self, value: Value, sample: Sample[Choice]) -> str:
        """The option's words, or its letter."""
        lettered = self.task.protocol == LETTERED
        return str(value) if lettered else sample.target.options[str(value)]

    def random_value(self, sample: Sample[Choice], rng: random.Random) -> Value:
        """Either option."""
        return rng.choice(self.letters(sample))

    def blind_value(self, sample: Sample[Choice]) -> Value:
        """The option that is listed first."""
        return "A"


REFERENCE = SatReference
