"""The path of every other family, on a tiny Qwen2.5-VL of transformers' own classes."""

from __future__ import annotations

import io
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import Qwen2_5_VLForConditionalGeneration

from er_bench.core.errors import ConfigError, DataError
from er_bench.core.message import user
from er_bench.core.prompt import Decoding, Expect, Prompt
from er_bench.core.sample import Image
from er_bench.data.rows import BytesBlob
from er_bench.models.auto.engine import AutoArgs, AutoEngine, join, open_auto, open_processor
from tests.models.qwen_tiny import make_qwen


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_qwen(tmp_path_factory.mktemp("qwen"))


@pytest.fixture(scope="module")
def parts(folder: Path) -> tuple[Any, Any]:
    opener: Any = Qwen2_5_VLForConditionalGeneration
    model = opener.from_pretrained(folder, dtype=torch.float32, attn_implementation="sdpa")
    return model, open_processor(folder, None, None)


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


def test_a_chat_template_in_either_file_or_none(folder: Path, tmp_path: Path) -> None:
    whole = shutil.copytree(folder, tmp_path / "whole")
    (template,) = whole.glob("chat_template.jinja")
    said = template.read_text()
    template.unlink()
    with pytest.raises(ConfigError, match="no chat template"):
        open_processor(whole, None, None)
    (whole / "chat_template.json").write_text(json.dumps({"chat_template": said}))
    assert open_processor(whole, None, None).chat_template == said


def test_pixels_are_bounded_as_asked(folder: Path) -> None:
    processor = open_processor(folder, None, 28 * 28 * 6)
    made = AutoEngine(load_model(folder), processor, AutoArgs()).prepare(prompt("?", (300, 200)))
    ((width, height),) = made.image_sizes
    assert width * height <= 28 * 28 * 6


def load_model(folder: Path) -> Any:
    opener: Any = Qwen2_5_VLForConditionalGeneration
    return opener.from_pretrained(folder, dtype=torch.float32)


def test_a_missing_tensor_is_refused_not_drawn_at_random(folder: Path, tmp_path: Path) -> None:
    whole = shutil.copytree(folder, tmp_path / "whole")
    open_auto(whole, AutoArgs(), "cpu", torch.float32, "sdpa")
    weights = load_file(whole / "model.safetensors")
    del weights[next(name for name in weights if name.endswith("q_proj.weight"))]
    save_file(weights, whole / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ConfigError, match=r"1 tensors are missing, .*q_proj"):
        open_auto(whole, AutoArgs(), "cpu", torch.float32, "sdpa")
    torch.save(weights, whole / "pytorch_model.bin")
    (whole / "model.safetensors").unlink()
    with pytest.raises(ConfigError, match="cannot open the checkpoint"):
        open_auto(whole, AutoArgs(), "cpu", torch.float32, "sdpa")
