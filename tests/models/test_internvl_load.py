from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from er_bench.core.errors import ConfigError
from er_bench.models.checkpoint import check_packages, snapshot
from er_bench.models.internvl.config import native_config, original_config
from er_bench.models.internvl.load import InternVL, load
from er_bench.models.internvl.rope import rope_parameters
from er_bench.models.internvl.tiling import normalise
from er_bench.models.internvl.tiny import make_tiny
from er_bench.models.internvl.weights import native_names, native_shapes, original_name
from tests.models.original import image_features, logits, tensors, write


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("original") / "checkpoint")


@pytest.fixture(scope="module")
def weights(folder: Path) -> dict[str, torch.Tensor]:
    return {k: v for f in sorted(folder.glob("*.safetensors")) for k, v in load_file(f).items()}


@pytest.fixture(scope="module")
def loaded(folder: Path) -> InternVL:
    return load(folder)


def pixels(tiles: int) -> torch.Tensor:
    draw = torch.Generator().manual_seed(tiles)
    values = torch.randint(0, 256, (tiles, 56, 56, 3), generator=draw, dtype=torch.uint8)
    return normalise(values)


def test_native_model_computes_what_the_original_does(
    loaded: InternVL, weights: dict[str, torch.Tensor]
) -> None:
    vocabulary = loaded.vocabulary
    context = vocabulary.id("<IMG_CONTEXT>")
    ids = [*vocabulary.text_ids("look: "), *[context] * 2 * 4, *vocabulary.text_ids(" what is it?")]
    with torch.no_grad():
        features = loaded.model.model.get_image_features(pixels(2)).pooler_output
        found = loaded.model(input_ids=torch.tensor([ids]), pixel_values=pixels(2)).logits[0]
    assert loaded.tokens_per_tile == 4
    torch.testing.assert_close(features, image_features(weights, pixels(2)), atol=2e-5, rtol=0)
    torch.testing.assert_close(found, logits(weights, ids, context, pixels(2)), atol=2e-5, rtol=0)


def test_text_alone(loaded: InternVL, weights: dict[str, torch.Tensor]) -> None:
    ids = loaded.vocabulary.text_ids("Answer with a single letter.")
    with torch.no_grad():
        found = loaded.model(input_ids=torch.tensor([ids])).logits[0]
    torch.testing.assert_close(found, logits(weights, ids, -1), atol=2e-5, rtol=0)


def test_lm_head_keeps_its_own_weights(loaded: InternVL, weights: dict[str, torch.Tensor]) -> None:
    assert torch.equal(loaded.model.lm_head.weight, weights["language_model.lm_head.weight"])
    embedding = loaded.model.get_input_embeddings().weight
    assert torch.equal(embedding, weights["language_model.model.embed_tokens.weight"])


def test_answers_end_at_the_end_of_the_turn(loaded: InternVL) -> None:
    ends = loaded.model.generation_config.eos_token_id
    assert ends == [loaded.vocabulary.id("<|im_end|>"), loaded.vocabulary.id("<|endoftext|>")]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"mlp1.3.bias": None}, "missing mlp1.3.bias"),
        ({"language_model.lm_head.weight": None}, "missing language_model.lm_head.weight"),
        ({"vision_model.encoder.layers.0.attn.qkv.bias": None}, "attention.q_proj.bias"),
        ({"vision_model.encoder.layers.9.ls1": torch.zeros(24)}, "unexpected .*layers.9.ls1"),
        ({"language_model.model.extra": torch.zeros(2)}, "unexpected language_model.model.extra"),
        ({"audio.weight": torch.zeros(2)}, "unexpected tensor 'audio.weight'"),
        ({"mlp1.0.bias": torch.zeros(5)}, r"has shape \(5,\), not \(96,\)"),
    ],
)
def test_every_tensor_must_be_right(
    tmp_path: Path,
    weights: dict[str, torch.Tensor],
    change: dict[str, torch.Tensor | None],
    message: str,
) -> None:
    changed = {k: v for k, v in (weights | change).items() if v is not None}
    with pytest.raises(ConfigError, match=message):
        load(write(tmp_path / "broken", changed))


def test_missing_damaged_and_foreign_shards(tmp_path: Path) -> None:
    folder = write(tmp_path / "checkpoint")
    (folder / "model-2.safetensors").write_bytes(b"not a safetensors file")
    with pytest.raises(ConfigError, match=r"model-2\.safetensors: not a safetensors file"):
        load(folder)
    (folder / "model-2.safetensors").unlink()
    with pytest.raises(ConfigError, match=r"missing weights model-2\.safetensors"):
        load(folder)
    index = folder / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": {"a": "../elsewhere.safetensors"}}))
    with pytest.raises(ConfigError, match="beside the index"):
        load(folder)


def test_key_map_has_an_inverse() -> None:
    names = list(tensors(400))
    for name in names:
        parts = native_names(name)
        assert [original_name(p) for p in parts] == (
            [(name, k) for k in range(3)] if len(parts) == 3 else [(name, None)]
        )
    shapes = native_shapes({n: tuple(t.shape) for n, t in tensors(400).items()})
    assert len(shapes) == len(names) + 2 * 2 * 2


def test_config_map(folder: Path) -> None:
    original = json.loads((folder / "config.json").read_text())
    native = native_config(original, image_token_id=7, eos_token_id=5, pad_token_id=6)
    assert native["tie_word_embeddings"] is False
    assert native["vision_config"]["attention_bias"] is True
    assert native["image_seq_length"] == 4
    assert native["text_config"]["eos_token_id"] == 5
    assert native["text_config"]["rope_parameters"] == {
        "rope_type": "dynamic",
        "rope_theta": 1_000_000.0,
        "factor": 2.0,
    }
    again = native_config(original_config(native), image_token_id=7, eos_token_id=5, pad_token_id=6)
    assert again == native


def test_rope_scaling_can_be_left_out() -> None:
    llm = {"rope_theta": 1e6, "rope_scaling": {"type": "dynamic", "factor": 2.0}}
    assert rope_parameters(llm, keep_dynamic=False) == {"rope_type": "default", "rope_theta": 1e6}
    assert rope_parameters(llm)["rope_type"] == "dynamic"


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("ps_version", "v1", "ps_version = 'v1'"),
        ("use_llm_lora", 16, "use_llm_lora = 16"),
        ("pad2square", True, "pad2square"),
        ("llm_config", {"model_type": "internlm2"}, "internlm2"),
        ("vision_config", None, "no vision_config"),
    ],
)
def test_what_the_native_classes_lack_is_refused(
    folder: Path, field: str, value: object, message: str
) -> None:
    original = json.loads((folder / "config.json").read_text()) | {field: value}
    with pytest.raises(ConfigError, match=message):
        native_config(original, image_token_id=7, eos_token_id=5, pad_token_id=6)


def test_native_folder_is_strict_too(tmp_path: Path) -> None:
    from safetensors.torch import save_file

    folder = make_tiny(tmp_path / "tiny")
    weights = load_file(folder / "model.safetensors")
    dropped = next(name for name in weights if name.endswith("q_proj.bias"))
    del weights[dropped]
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ConfigError, match="missing_keys"):
        load(folder)


def test_other_folders_and_ids_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"config\.json: cannot read it"):
        load(tmp_path)
    (tmp_path / "config.json").write_text('{"model_type": "bert"}')
    with pytest.raises(ConfigError, match="'bert' is not InternVL"):
        load(tmp_path)
    with pytest.raises(ConfigError, match="no folder"):
        snapshot(str(tmp_path / "nothing"))


def test_broken_torchvision_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "torchvision"
    package.mkdir()
    (package / "__init__.py").write_text(
        "raise RuntimeError('operator torchvision::nms does not exist')"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(ConfigError, match=r"torchvision is installed but broken \(operator"):
        check_packages()
