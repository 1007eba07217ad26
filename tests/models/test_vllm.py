"""What can be said of the vllm backend without vLLM; tests/external/vllm_parity.py runs it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import PIL.Image
import pytest

from er_bench.core.dialect import BENCHMARK
from er_bench.core.errors import ConfigError, UsageError
from er_bench.core.model import ModelSettings
from er_bench.core.prompt import Decoding
from er_bench.models import vllm as backend
from er_bench.models.internvl.tiling import grid
from er_bench.models.vllm import build, check_served, one_tile

NATIVE = {"model_type": "internvl", "text_config": {"rope_parameters": {"rope_type": "default"}}}
DYNAMIC = {"rope_type": "dynamic", "factor": 2.0, "rope_theta": 1e6}
FIXED = "self, head_size, max_position_embeddings, max_trained_positions, base"
FAULTY = "self, head_size, max_position_embeddings, base"


def settings(**args: Any) -> ModelSettings:
    return ModelSettings("m", "nowhere", None, BENCHMARK, Decoding(), Decoding(), args)


def pretend_vllm(folder: Path, signature: str) -> None:
    """A package laid out as vLLM's, with the one class that is looked at."""
    layers = folder / "vllm" / "model_executor" / "layers"
    layers.mkdir(parents=True)
    (folder / "vllm" / "__init__.py").write_text("__version__ = '0.0.1'")
    (folder / "vllm" / "model_executor" / "__init__.py").touch()
    (layers / "__init__.py").touch()
    (layers / "rotary_embedding.py").write_text(
        f"class DynamicNTKScalingRotaryEmbedding:\n    def __init__({signature}): ...\n"
    )


@pytest.fixture
def clean_modules(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [n for n in sys.modules if n == "vllm" or n.startswith("vllm.")]:
        monkeypatch.delitem(sys.modules, name)


def test_without_vllm_the_message_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backend.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UsageError, match="pip install vllm"):
        build(settings())
    with pytest.raises(UsageError, match="unknown model arguments batch_size; known: dtype"):
        build(settings(batch_size=4))


def test_what_cannot_be_served_is_refused_with_a_way_out() -> None:
    with pytest.raises(ConfigError, match="er-bench convert --model"):
        check_served(Path("checkpoint"), {"model_type": "internvl_chat"})
    with pytest.raises(ConfigError, match="--backend openai"):
        check_served(Path("checkpoint"), {"model_type": "qwen2_5_vl"})
    check_served(Path("checkpoint"), NATIVE)


@pytest.mark.usefixtures("clean_modules")
@pytest.mark.parametrize("field", ["rope_parameters", "rope_scaling"])
def test_rope_fault_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, field: str) -> None:
    pretend_vllm(tmp_path, FAULTY)
    monkeypatch.syspath_prepend(str(tmp_path))
    config = {"model_type": "internvl", "text_config": {field: DYNAMIC}}
    with pytest.raises(ConfigError, match=r"vLLM 0\.0\.1 applies dynamic RoPE scaling at every"):
        check_served(Path("checkpoint"), config)
    check_served(Path("checkpoint"), NATIVE)


@pytest.mark.usefixtures("clean_modules")
def test_a_fixed_vllm_may_scale(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pretend_vllm(tmp_path, FIXED)
    monkeypatch.syspath_prepend(str(tmp_path))
    check_served(
        Path("checkpoint"), {"model_type": "internvl", "text_config": {"rope_parameters": DYNAMIC}}
    )


@pytest.mark.parametrize("max_tiles", [1, 6, 12, 24])
def test_a_frame_made_one_tile_stays_one(max_tiles: int) -> None:
    frame = one_tile(PIL.Image.new("RGB", (640, 360)), 448)
    assert grid(frame.width, frame.height, max_tiles) == (1, 1)
