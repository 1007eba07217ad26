"""Decoding limits in the words of transformers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from er_bench.core.prompt import Decoding

if TYPE_CHECKING:
    from transformers import GenerationConfig

DEFAULT_NEW_TOKENS = 1024
"""Used where nobody sets a limit: OpenGVLab/Vlaser commit 40d7821, `eval/eval_example.py`."""


def generation_config(
    decoding: Decoding, stops: Sequence[int], pad: int, repetition_penalty: float = 1.0
) -> GenerationConfig:
    """Transformers' settings for a batch; greedy unless a temperature above 0 is asked for."""
    from transformers import GenerationConfig

    sampling: dict[str, Any] = {"do_sample": False}
    if decoding.temperature:
        sampling = {
            "do_sample": True,
            "temperature": decoding.temperature,
            "top_p": decoding.top_p if decoding.top_p is not None else 1.0,
            "top_k": 0,
        }
    return GenerationConfig(  # type: ignore[no-untyped-call]
        max_new_tokens=decoding.max_new_tokens or DEFAULT_NEW_TOKENS,
        num_beams=decoding.num_beams or 1,
        eos_token_id=list(stops),
        pad_token_id=pad,
        repetition_penalty=repetition_penalty,
        **sampling,
    )
