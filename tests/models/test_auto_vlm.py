"""The path of every other family, on a tiny Qwen2.5-VL of transformers' own classes."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import ProcessorMixin, Qwen2_5_VLConfig, Qwen2_5_VLForConditionalGeneration
from transformers.models.qwen2_5_vl.processing_qwen2_5_vl import Qwen2_5_VLProcessor
from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil

from er_bench.core.errors import ConfigError, DataError
from er_bench.core.message import user
from er_bench.core.prompt import Decoding, Expect, Prompt
from er_bench.core.sample import Image
from er_bench.data.rows import BytesBlob
from er_bench.models.auto.engine import AutoArgs, AutoEngine, join, open_auto
from er_bench.models.internvl.tiny import SAMPLE_TEXTS, make_tokenizer

TEMPLATE = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{% for p in m.content %}"
    "{% if p.type == 'image' %}<|vision_start|><|image_pad|><|vision_end|>"
    "{% else %}{{ p.text }}{% endif %}{% endfor %}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
VISUAL = ("<|vision_start|>", "<|vision_end|>", "<|image_pad|>")


class WithoutVideo(Qwen2_5_VLProcessor):
    """Qwen2.5-VL's processor where torchvision, which its video part needs, is not installed."""

    def __init__(self, image_processor: Any, tokenizer: Any, chat_template: str) -> None:
        self.image_token, self.video_token = "<|image_pad|>", "<|video_pad|>"
        self.image_token_id = tokenizer.convert_tokens_to_ids(self.image_token)
        self.video_token_id = tokenizer.convert_tokens_to_ids(self.video_token)
        ProcessorMixin.__init__(self, image_processor, tokenizer, chat_template=chat_template)

    @classmethod
    def get_attributes(cls) -> list[str]:
        return ["image_processor", "tokenizer"]


@pytest.fixture(scope="module")
def parts() -> tuple[Any, Any]:
    tokenizer: Any = make_tokenizer(SAMPLE_TEXTS, 300)
    tokenizer.add_tokens(list(VISUAL), special_tokens=True)
    ids = {name: tokenizer.convert_tokens_to_ids(name) for name in (*VISUAL, "<|video_pad|>")}
    config = Qwen2_5_VLConfig(
        text_config={
            "hidden_size": 32,
            "intermediate_size": 48,
            "num_hidden_layers": 2,
            "num_attention_heads": 4,
            "num_key_value_heads": 2,
            "vocab_size": len(tokenizer),
            "rope_parameters": {
                "rope_type": "default",
                "rope_theta": 1e6,
                "mrope_section": [1, 1, 2],
            },
        },
        vision_config={
            "hidden_size": 32,
            "intermediate_size": 48,
            "depth": 2,
            "num_heads": 2,
            "out_hidden_size": 32,
            "fullatt_block_indexes": [1],
            "window_size": 56,
        },
        image_token_id=ids["<|image_pad|>"],
        video_token_id=ids["<|video_pad|>"],
        vision_start_token_id=ids["<|vision_start|>"],
        vision_end_token_id=ids["<|vision_end|>"],
    )
    torch.manual_seed(0)
    model = Qwen2_5_VLForConditionalGeneration(config).eval()
    with torch.no_grad():
        for weight in model.parameters():
            if weight.ndim > 1:
                weight.normal_(0, 0.3)
    images = Qwen2VLImageProcessorPil(min_pixels=56 * 56, max_pixels=28 * 28 * 20)
    return model, WithoutVideo(images, tokenizer, TEMPLATE)


def prompt(text: str, *sizes: tuple[int, int]) -> Prompt:
    images = []
    for width, height in sizes:
        pixels = np.random.default_rng(width).integers(0, 256, (height, width, 3), dtype=np.uint8)
        out = io.BytesIO()
        PIL.Image.fromarray(pixels).save(out, "PNG")
        images.append(Image(BytesBlob(f"{width}.png", out.getvalue())))
    return Prompt((user(*images, text),), Expect.TEXT)


GREEDY = Decoding(max_new_tokens=10)


def test_batch_answers_as_one_at_a_time(parts: tuple[Any, Any]) -> None:
    engine = AutoEngine(*parts, AutoArgs())
    prompts = [
        prompt("One word."),
        prompt("What is it?", (80, 60)),
        prompt("A", (70, 90), (60, 30)),
    ]
    requests = [engine.prepare(p) for p in prompts]
    together = engine.generate(requests, GREEDY)
    assert together == [engine.generate([r], GREEDY)[0] for r in requests]
    assert len({reply.text for reply in together}) == 3
    assert all(reply.tokens_out == 10 for reply in together)


def test_sizes_are_those_of_the_resized_image(parts: tuple[Any, Any]) -> None:
    request = AutoEngine(*parts, AutoArgs()).prepare(prompt("?", (200, 100)))
    ((width, height),) = request.image_sizes
    assert width % 28 == height % 28 == 0
    assert width * height <= 28 * 28 * 20
    assert width > height


def test_answer_prefix_and_system_message(parts: tuple[Any, Any]) -> None:
    tokenizer = parts[1].tokenizer
    args = AutoArgs(assistant_prefix="<think></think>", system_message="Be brief.")
    ids = AutoEngine(*parts, args).prepare(prompt("Hi")).payload["input_ids"][0].tolist()
    assert tokenizer.decode(ids) == (
        "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nHi<|im_end|>\n"
        "<|im_start|>assistant\n<think></think>"
    )


def test_answers_end_at_the_end_of_the_turn(parts: tuple[Any, Any]) -> None:
    model, processor = parts
    engine = AutoEngine(model, processor, AutoArgs())
    end = processor.tokenizer.convert_tokens_to_ids("<|im_end|>")
    ids = processor.tokenizer.encode("an answer")
    reply = engine._reply([*ids, end, 0, 0])
    assert (reply.text, reply.finish_reason) == ("an answer", "stop")
    assert reply.tokens_out == len(ids) + 1


def test_unreadable_media(parts: tuple[Any, Any]) -> None:
    broken = Prompt((user(Image(BytesBlob("broken.png", b"no")), "?"),), Expect.TEXT)
    with pytest.raises(DataError, match=r"broken\.png"):
        AutoEngine(*parts, AutoArgs()).prepare(broken)


def test_join_pads_tokens_and_stacks_the_rest() -> None:
    long = {"input_ids": torch.tensor([[5, 6, 7]]), "mask": torch.tensor([[1, 1, 1]])}
    short = {
        "input_ids": torch.tensor([[8]]),
        "pixels": torch.ones(4, 2),
        "types": torch.tensor([[1]]),
    }
    joined = join([long, short], pad=9)
    assert joined["input_ids"].tolist() == [[5, 6, 7], [9, 9, 8]]
    assert joined["mask"].tolist() == [[1, 1, 1], [0, 0, 0]]
    assert joined["types"].tolist() == [[0, 0, 0], [0, 0, 1]]
    assert joined["pixels"].shape == (4, 2)


def test_a_bare_tokenizer_is_no_processor(parts: tuple[Any, Any], tmp_path: Path) -> None:
    """What AutoProcessor returns for a folder without processor files."""
    model, processor = parts
    model.save_pretrained(tmp_path)
    processor.tokenizer.save_pretrained(tmp_path)
    with pytest.raises(ConfigError, match=r"torchvision|cannot open"):
        open_auto(tmp_path, AutoArgs(), "cpu", torch.float32, "sdpa")


def test_a_missing_tensor_is_refused_not_drawn_at_random(
    parts: tuple[Any, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, processor = parts
    model.save_pretrained(tmp_path)
    monkeypatch.setattr("transformers.AutoProcessor.from_pretrained", lambda *_, **__: processor)
    open_auto(tmp_path, AutoArgs(), "cpu", torch.float32, "sdpa")
    weights = load_file(tmp_path / "model.safetensors")
    del weights[next(name for name in weights if name.endswith("q_proj.weight"))]
    save_file(weights, tmp_path / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ConfigError, match=r"1 tensors are missing, .*q_proj"):
        open_auto(tmp_path, AutoArgs(), "cpu", torch.float32, "sdpa")
    torch.save(weights, tmp_path / "pytorch_model.bin")
    (tmp_path / "model.safetensors").unlink()
    with pytest.raises(ConfigError, match="cannot open the checkpoint"):
        open_auto(tmp_path, AutoArgs(), "cpu", torch.float32, "sdpa")
