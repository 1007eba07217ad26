"""The entry point `er_bench` of the group `lmms_eval.models`."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lmms_eval.models.registry_v2 import ModelManifest


def manifest() -> ModelManifest:
    """What lmms-eval's registry takes: the name and the class of `model.py`."""
    from lmms_eval.models.registry_v2 import ModelManifest

    return ModelManifest("er_bench", chat_class_path="er_bench.lmms_eval.model.ErBenchModel")
