"""Backends, model cards, dialects and families."""

BACKENDS = {
    "transformers": "er_bench.models.transformers:build",
    "vllm": "er_bench.models.vllm:build",
    "openai": "er_bench.models.openai:build",
    "reference": "er_bench.models.reference:build",
}
"""What makes a model of each backend from its settings, by name."""

FAMILIES = {"internvl": "er_bench.models.internvl.training:FAMILY"}
"""Model families that can be trained, by name."""
