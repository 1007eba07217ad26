"""Processors of the Qwen-VL families where torchvision is not installed.

Transformers' own processors want a video part, which needs torchvision. er-bench sends the frames
of a video as pictures: the picture part and the tokenizer are enough, both transformers' own.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from er_bench.core.errors import ConfigError

if TYPE_CHECKING:
    from transformers import ProcessorMixin

KINDS = ("qwen2_vl", "qwen2_5_vl", "qwen3_vl")
"""`model_type` in `config.json`."""
TEMPLATES = ("chat_template.jinja", "chat_template.json")


def stills_processor(folder: Path, kind: str, pixels: Mapping[str, int]) -> ProcessorMixin:
    """The processor of a checkpoint, for texts and pictures. Raises ConfigError.

    `pixels` are `min_pixels` and `max_pixels`, where they differ from the checkpoint's own.
    """
    from transformers import AutoTokenizer
    from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil

    tokenizer: Any = AutoTokenizer.from_pretrained(
        folder, trust_remote_code=False, padding_side="left"
    )
    images: Any = Qwen2VLImageProcessorPil
    template = tokenizer.chat_template or _template(folder)
    made: ProcessorMixin = _class(kind)(
        images.from_pretrained(folder, **pixels), tokenizer, template
    )
    return made


def _class(kind: str) -> Any:
    """The family's processor without its video part."""
    from transformers import ProcessorMixin
    from transformers.models.qwen2_5_vl.processing_qwen2_5_vl import Qwen2_5_VLProcessor
    from transformers.models.qwen2_vl.processing_qwen2_vl import Qwen2VLProcessor
    from transformers.models.qwen3_vl.processing_qwen3_vl import Qwen3VLProcessor

    whole: Any = dict(zip(KINDS, (Qwen2VLProcessor, Qwen2_5_VLProcessor, Qwen3VLProcessor),
                          strict=True))[kind]  # fmt: skip

    class Stills(whole):  # type: ignore[misc]
        def __init__(self, image_processor: Any, tokenizer: Any, chat_template: str) -> None:
            for medium in ("image", "video"):
                token = f"<|{medium}_pad|>"
                setattr(self, f"{medium}_token", token)
                setattr(self, f"{medium}_token_id", tokenizer.convert_tokens_to_ids(token))
            begin: Any = ProcessorMixin.__init__
            begin(self, image_processor, tokenizer, chat_template=chat_template)

        @classmethod
        def get_attributes(cls) -> list[str]:
            return ["image_processor", "tokenizer"]

    return Stills


def _template(folder: Path) -> str:
    for name in TEMPLATES:
        if (file := folder / name).is_file():
            text = file.read_text(encoding="utf-8")
            return str(json.loads(text)["chat_template"]) if name.endswith("json") else text
    raise ConfigError(f"{folder} has no chat template: none of {', '.join(TEMPLATES)}")
