"""The companion of `embspatial`."""

from __future__ import annotations

from er_bench.tasks.base.choice_reference import ChoiceReference

REFERENCE = ChoiceReference
