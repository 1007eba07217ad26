"""What can be said of the vllm backend without vLLM; tests/external/vllm_parity.py runs it."""

from __future__ import annotations

import asyncio
import io
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import PIL.Image
import pytest

from er_bench.core.dialect import BENCHMARK
from er_bench.core.errors import ConfigError, UsageError
from er_bench.core.message import user
from er_bench.core.model import ModelSettings
from er_bench.core.prompt import Decoding, Expect, Prompt
from er_bench.core.registry import Registry
from er_bench.core.sample import Image
from er_bench.data.rows import BytesBlob
from er_bench.models import vllm as backend
from er_bench.models.checkpoint import read_config
from er_bench.models.families import family_of
from er_bench.models.internvl.engine import InternVLEngine
from er_bench.models.internvl.load import load
from er_bench.models.internvl.tiling import grid
from er_bench.models.internvl.tiny import make_tiny
from er_bench.models.internvl.token_writer import one_tile
from er_bench.models.vllm import build, check_rope, request

NATIVE = {"model_type": "internvl", "text_config": {"rope_parameters": {"rope_type": "default"}}}
DYNAMIC = {"rope_type": "dynamic", "factor": 2.0, "rope_theta": 1e6}
FIXED = "self, head_size, max_position_embeddings, max_trained_positions, base"
FAULTY = "self, head_size, max_position_embeddings, base"


def settings(checkpoint: str = "nowhere", **args: Any) -> ModelSettings:
    return ModelSettings("m", checkpoint, None, BENCHMARK, Decoding(), Decoding(), args)


def photo(width: int, height: int) -> Image:
    out = io.BytesIO()
    PIL.Image.new("RGB", (width, height)).save(out, "PNG")
    return Image(BytesBlob("p.png", out.getvalue()))


def pretend_vllm(folder: Path, signature: str) -> None:
    """A package laid out as vLLM's, with the one class that is looked at."""
    layers = folder / "vllm" / "model_executor" / "layers"
    layers.mkdir(parents=True)
    engine = folder / "vllm" / "v1" / "engine"
    engine.mkdir(parents=True)
    (engine / "async_llm.py").write_text("AsyncLLM = None")
    (folder / "vllm" / "__init__.py").write_text("__version__, AsyncEngineArgs = '0.0.1', None")
    (folder / "vllm" / "model_executor" / "__init__.py").touch()
    (layers / "__init__.py").touch()
    (layers / "rotary_embedding.py").write_text(
        f"class DynamicNTKScalingRotaryEmbedding:\n    def __init__({signature}): ...\n"
    )


def loaded() -> list[str]:
    return [n for n in sys.modules if n == "vllm" or n.startswith("vllm.")]


@pytest.fixture
def clean_modules(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in loaded():
        monkeypatch.delitem(sys.modules, name)
    yield
    for name in loaded():  # others look whether there is a vLLM
        del sys.modules[name]


def test_without_vllm_the_message_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backend.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UsageError, match="pip install vllm"):
        build(settings())
    with pytest.raises(UsageError, match="unknown model arguments batch_size; known: dtype"):
        build(settings(batch_size=4))


@pytest.mark.usefixtures("clean_modules")
@pytest.mark.parametrize(
    ("model_type", "way_out"),
    [("internvl_chat", "er-bench convert --model"), ("qwen2_5_vl", "--backend openai")],
)
def test_what_cannot_be_served_is_refused_with_a_way_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, model_type: str, way_out: str
) -> None:
    pretend_vllm(tmp_path, FIXED)
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "config.json").write_text(json.dumps({"model_type": model_type}))
    with pytest.raises(ConfigError, match=way_out):
        asyncio.run(build(settings(str(tmp_path))).ask(Prompt((user("?"),), Expect.TEXT)))


def test_a_prompt_has_one_placeholder_for_each_picture(tmp_path: Path) -> None:
    folder = make_tiny(tmp_path / "tiny", tile_px=56)
    family = family_of(Registry(), read_config(folder))
    args = family.args(system_message="absent")
    assert family.token_writer is not None
    writer, engine = family.token_writer(folder, args), InternVLEngine(load(folder), args)
    vocabulary = load(folder).vocabulary
    for parts, tiles in (
        ([photo(60, 40), "See?"], 12),
        ([photo(9, 9), photo(8, 9)], 6),
        (["A"], 1),
    ):
        prompt = Prompt((user(*parts),), Expect.TEXT)
        written = writer.write(prompt)
        whole = vocabulary.text(engine.prepare(prompt).payload.ids)
        short = re.sub(r"<img>(<IMG_CONTEXT>)+</img>", "<IMG_CONTEXT>", whole)
        assert vocabulary.text(written.ids) == short
        sent = request(written)
        assert sent["prompt_token_ids"] == written.ids
        if tiles == 1:
            assert sent.keys() == {"prompt_token_ids"}
            continue
        assert [image.size for image in written.images] == list(written.image_sizes)
        assert sent["multi_modal_data"] == {"image": written.images}
        assert sent["mm_processor_kwargs"] == {"max_patches": tiles, "use_fast": False}
    assert writer.stops == vocabulary.stops
    assert writer.read([*vocabulary.text_ids(" yes "), vocabulary.stops[0]]) == ("yes", "stop")


@pytest.mark.usefixtures("clean_modules")
@pytest.mark.parametrize("field", ["rope_parameters", "rope_scaling"])
def test_rope_fault_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, field: str) -> None:
    pretend_vllm(tmp_path, FAULTY)
    monkeypatch.syspath_prepend(str(tmp_path))
    config = {"model_type": "internvl", "text_config": {field: DYNAMIC}}
    with pytest.raises(ConfigError, match=r"vLLM 0\.0\.1 applies dynamic RoPE scaling at every"):
        check_rope(config)
    check_rope(NATIVE)


@pytest.mark.usefixtures("clean_modules")
def test_a_fixed_vllm_may_scale(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pretend_vllm(tmp_path, FIXED)
    monkeypatch.syspath_prepend(str(tmp_path))
    check_rope({"model_type": "internvl", "text_config": {"rope_parameters": DYNAMIC}})


@pytest.mark.parametrize("max_tiles", [1, 6, 12, 24])
def test_a_frame_made_one_tile_stays_one(max_tiles: int) -> None:
    frame = one_tile(PIL.Image.new("RGB", (640, 360)), 448)
    assert grid(frame.width, frame.height, max_tiles) == (1, 1)
