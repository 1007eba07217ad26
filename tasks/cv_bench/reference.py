"""The companion of `cv_bench`."""

from __future__ import annotations

from er_bench.tasks.base.choice_reference import ChoiceReference

REFERENCE = ChoiceReference
