"""The companion of `mmsibench`."""

from __future__ import annotations

from er_bench.tasks.base.choice_reference import ChoiceReference

REFERENCE = ChoiceReference
