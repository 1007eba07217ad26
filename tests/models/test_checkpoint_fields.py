"""Every spelling of a checkpoint's settings gives the same numbers, or a refusal by name."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from er_bench.core.errors import ConfigError
from er_bench.models.checkpoint import snapshot
from er_bench.models.internvl import convert
from er_bench.models.internvl.config import check_native, native_config, original_config
from er_bench.models.internvl.fields import (
    UNUSED,
    UNUSED_IN_CHAT,
    UNUSED_IN_VISION,
    check_original,
)
from er_bench.models.internvl.load import load, read_checked
from er_bench.models.internvl.pictures import InternVLArgs
from er_bench.models.internvl.tiny import make_tiny
from er_bench.models.internvl.training import TRAINING
from tests.models.hostile_checkpoints import ODD, POINTER, damage, hostile_configs, read
from tests.models.original import write

HEAD, EMBEDDING = "language_model.lm_head.weight", "language_model.model.embed_tokens.weight"
BASE = 500_000.0


@pytest.fixture(autouse=True)
def quiet_transformers() -> None:
    from transformers.utils import logging

    logging.set_verbosity_error()  # type: ignore[no-untyped-call]


def single(folder: Path) -> dict[str, torch.Tensor]:
    """Make the weights of a written checkpoint one file, and return them."""
    files = sorted(folder.glob("*.safetensors"))
    weights = {name: tensor for file in files for name, tensor in load_file(file).items()}
    for file in [*files, *folder.glob("*.index.json")]:
        file.unlink()
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    return weights


def config_of(folder: Path) -> Any:
    return json.loads((folder / "config.json").read_text())


def change(folder: Path, edit: Callable[[Any], object]) -> Path:
    config = config_of(folder)
    edit(config)
    (folder / "config.json").write_text(json.dumps(config))
    return folder


def with_rope(folder: Path, **fields: object) -> Path:
    def edit(config: Any) -> None:
        for name in ("rope_theta", "rope_scaling"):
            del config["llm_config"][name]
        config["llm_config"] |= fields

    return change(folder, edit)


def logits(folder: Path) -> torch.Tensor:
    loaded = load(folder)
    ids = loaded.vocabulary.text_ids("How many blue circles are there? Answer with a number.")
    with torch.no_grad():
        found: torch.Tensor = loaded.model(input_ids=torch.tensor([ids])).logits
    return found


def differ(one: torch.Tensor, other: torch.Tensor) -> bool:
    return float((one - other).abs().max()) > 1e-3


def test_both_spellings_of_the_base_are_one(tmp_path: Path) -> None:
    old = with_rope(write(tmp_path / "old"), rope_theta=BASE, rope_scaling=None)
    new = {"rope_theta": BASE, "rope_type": "default"}
    new_folder = with_rope(write(tmp_path / "new"), rope_parameters=new)
    expected = logits(old)
    assert torch.equal(logits(new_folder), expected)
    assert differ(logits(with_rope(write(tmp_path / "other"), rope_theta=1e4)), expected)
    convert.to_native(new_folder, tmp_path / "native")
    assert config_of(tmp_path / "native")["text_config"]["rope_parameters"] == new
    assert torch.equal(logits(tmp_path / "native"), expected)
    convert.to_original(tmp_path / "native", tmp_path / "back")
    assert config_of(tmp_path / "back")["llm_config"]["rope_theta"] == BASE
    assert torch.equal(logits(tmp_path / "back"), expected)


def test_the_older_spelling_of_a_native_folder_keeps_its_base(tmp_path: Path) -> None:
    def edit(config: Any) -> None:
        del config["text_config"]["rope_parameters"]
        config["text_config"]["rope_theta"] = BASE

    folder = change(make_tiny(tmp_path / "native", tile_px=56), edit)
    convert.to_original(folder, tmp_path / "back")
    assert config_of(tmp_path / "back")["llm_config"]["rope_theta"] == BASE
    assert torch.equal(logits(tmp_path / "back"), logits(folder))


@pytest.mark.parametrize(
    "scaling",
    [
        {"type": "linear", "factor": 4.0},
        {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 32},
    ],
)
def test_scaling_that_always_acts_is_never_dropped(
    tmp_path: Path, scaling: dict[str, object]
) -> None:
    plain = logits(with_rope(write(tmp_path / "plain"), rope_theta=BASE))
    folder = with_rope(write(tmp_path / "scaled"), rope_theta=BASE, rope_scaling=scaling)
    expected = logits(folder)
    assert differ(expected, plain)
    convert.to_native(folder, tmp_path / "native")
    assert torch.equal(logits(tmp_path / "native"), expected)
    convert.to_original(tmp_path / "native", tmp_path / "back")
    assert torch.equal(logits(tmp_path / "back"), expected)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({}, "gives no rope_theta"),
        ({"rope_parameters": {"rope_type": "default"}}, "gives no rope_theta"),
        ({"rope_theta": 1e6, "rope_parameters": {"rope_theta": 1e4}}, "several rope_theta"),
        ({"rope_theta": 1e6, "rope_scaling": {"type": "linear"}}, "linear has no factor"),
        ({"rope_theta": 1e6, "rope_scaling": {"type": "llama3"}}, "rope_type = 'llama3'"),
        ({"rope_theta": 1e6, "rope_scaling": {"factor": 2.0}}, "default with factor = 2.0"),
        (
            {"rope_theta": 1e6, "rope_scaling": {"type": "yarn", "rope_type": "linear"}},
            "two types: 'linear', 'yarn'",
        ),
        (
            {"rope_theta": 1e6, "rope_scaling": {"type": "yarn", "factor": 2.0, "beta_fst": 32}},
            "did you mean rope type yarn with beta_fast",
        ),
        (
            {
                "rope_theta": 1e6,
                "rope_scaling": {"type": "linear", "factor": 2.0},
                "rope_parameters": {"rope_type": "linear", "factor": 4.0},
            },
            "disagree",
        ),
    ],
)
def test_a_rope_that_is_not_clear_is_refused(
    tmp_path: Path, fields: dict[str, object], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        read_checked(with_rope(write(tmp_path / "checkpoint"), **fields))


def tie(config: Any) -> None:
    config["llm_config"]["tie_word_embeddings"] = True


def test_a_tied_head_is_the_embedding_in_every_layout(tmp_path: Path) -> None:
    source = write(tmp_path / "tied")
    weights = single(source)
    weights[HEAD] = weights[EMBEDDING].clone()
    save_file(weights, source / "model.safetensors")
    expected = logits(source)
    change(source, tie)
    assert torch.equal(logits(source), expected), "a stored head that is the embedding"
    del weights[HEAD]
    save_file(weights, source / "model.safetensors")
    assert torch.equal(logits(source), expected)
    convert.to_native(source, tmp_path / "native")
    convert.to_original(tmp_path / "native", tmp_path / "back")
    for folder in (tmp_path / "native", tmp_path / "back"):
        assert torch.equal(logits(folder), expected)
        assert not any("lm_head" in name for name in load_file(folder / "model.safetensors"))
    back = load_file(tmp_path / "back" / "model.safetensors")
    assert all(torch.equal(back[name], weights[name]) for name in weights)
    change(source, lambda config: config["llm_config"].pop("tie_word_embeddings"))
    with pytest.raises(ConfigError, match=f"missing {HEAD}"):
        load(source)


def test_training_saves_what_it_was_given(tmp_path: Path) -> None:
    scaling = {"rope_type": "linear", "factor": 4.0}
    folder = with_rope(write(tmp_path / "tied"), rope_theta=BASE, rope_scaling=scaling)
    weights = single(folder)
    del weights[HEAD]
    save_file(weights, folder / "model.safetensors")
    change(folder, tie)
    change(folder, lambda config: config.update(system_message="Be brief."))
    codec = TRAINING.codec(folder, system_message=None)
    model = TRAINING.load(folder, dtype=torch.float32, attention="sdpa")
    TRAINING.save(model, model.state_dict(), codec, tmp_path / "saved", max_tiles=4)
    assert torch.equal(logits(tmp_path / "saved"), logits(folder))
    assert "Be brief." in (tmp_path / "saved" / "chat_template.jinja").read_text()
    assert read_checked(tmp_path / "saved")["system_message"] == "Be brief."


def test_a_head_of_its_own_beside_the_flag_is_no_silent_choice(tmp_path: Path) -> None:
    source = change(write(tmp_path / "both"), tie)
    with pytest.raises(ConfigError, match=r"lm_head\.weight is not the embedding; set it to false"):
        load(source)
    with pytest.raises(ConfigError, match="is not the embedding"):
        convert.to_native(source, tmp_path / "native")


def test_a_native_folder_that_transformers_would_untie(tmp_path: Path) -> None:
    native = make_tiny(tmp_path / "native", tile_px=56)
    expected = logits(native)
    change(native, lambda config: config.update(tie_word_embeddings=True))
    assert torch.equal(logits(native), expected)
    convert.to_original(native, tmp_path / "back")
    assert torch.equal(logits(tmp_path / "back"), expected)


@pytest.mark.parametrize(
    ("part", "field", "value", "message"),
    [
        ("", "template", "Hermes-2", "template = 'Hermes-2'"),
        ("", "use_thumbnail", False, "use_thumbnail = False"),
        ("", "dynamic_image_size", False, "dynamic_image_size = False"),
        ("", "min_dynamic_patch", 2, "min_dynamic_patch = 2"),
        ("", "ps_version", "v1", "ps_version = 'v1'"),
        ("", "force_image_size", 112, "force_image_size is not vision_config.image_size"),
        ("", "downsample_ratio", 0.3, "downsample_ratio"),
        ("", "select_layer", 9, "select_layer is none of the vision layers"),
        ("", "system_message", 3, "system_message = 3"),
        ("", "dtype", "int8", "dtype = 'int8'"),
        ("", "dtype", "bfloat16", "dtype and torch_dtype differ"),
        ("", "templete", "internvl2_5", "did you mean template"),
        ("", "use_llm_lora", 16, "use_llm_lora = 16"),
        ("llm_config", "rope_thetas", 1e6, "did you mean llm_config.rope_theta"),
        ("llm_config", "head_dims", 8, "did you mean llm_config.head_dim"),
        ("llm_config", "num_hidden_layers", 10**9, "num_hidden_layers = 1000000000"),
        ("llm_config", "num_key_value_heads", 3, "no multiple of num_key_value_heads"),
        ("llm_config", "tie_word_embeddings", "true", "tie_word_embeddings = 'true'"),
        ("vision_config", "use_moe", True, "vision_config.use_moe = True"),
        ("vision_config", "num_channels", 4, "vision_config.num_channels = 4"),
        ("vision_config", "quantization_config", {"bits": 4}, "quantization_config"),
    ],
)
def test_a_setting_is_known_or_refused_by_name(
    tmp_path: Path, part: str, field: str, value: object, message: str
) -> None:
    def edit(config: Any) -> None:
        (config[part] if part else config)[field] = value

    with pytest.raises(ConfigError, match=message) as refused:
        load(change(write(tmp_path / "checkpoint"), edit))
    assert str(refused.value).startswith(f"{tmp_path / 'checkpoint' / 'config.json'}: ")


def test_what_no_answer_depends_on_may_be_anything(tmp_path: Path) -> None:
    config = config_of(write(tmp_path / "checkpoint"))
    expected = native_config(config, image_token_id=7, eos_token_id=5, pad_token_id=6)
    for value in (ODD[0], {"a": 1}, "text"):
        config |= dict.fromkeys(UNUSED_IN_CHAT, value)
        config["llm_config"] |= dict.fromkeys(UNUSED, value)
        config["vision_config"] |= dict.fromkeys(UNUSED_IN_VISION, value)
        config["unheard_of"] = None
        found = native_config(config, image_token_id=7, eos_token_id=5, pad_token_id=6)
        assert found == expected


def test_a_layer_and_a_precision_are_honoured_under_each_name(tmp_path: Path) -> None:
    def edit(config: Any) -> None:
        config["dtype"] = config.pop("torch_dtype").replace("float32", "float16")
        config["select_layer"] = -2

    folder = change(write(tmp_path / "checkpoint"), edit)
    convert.to_native(folder, tmp_path / "native")
    native = config_of(tmp_path / "native")
    assert (native["dtype"], native["vision_feature_layer"]) == ("float16", -2)


def test_the_checkpoints_own_system_message_is_sent_unless_one_is_set(tmp_path: Path) -> None:
    folder = write(tmp_path / "checkpoint")
    assert InternVLArgs().of_checkpoint(read_checked(folder)).system_message == "template"
    change(folder, lambda config: config.update(system_message="Be brief."))
    convert.to_native(folder, tmp_path / "native")
    assert "Be brief." in (tmp_path / "native" / "chat_template.jinja").read_text()
    for layout in (folder, tmp_path / "native"):
        config = read_checked(layout)
        assert InternVLArgs().of_checkpoint(config).system_message == "Be brief."
        set_here = InternVLArgs(system_message="template").of_checkpoint(config)
        assert set_here.system_message == "template"


@pytest.mark.parametrize(
    ("part", "field", "value", "message"),
    [
        ("", "image_seq_length", 5, "a tile becomes 4 tokens"),
        ("", "use_thumbnail", False, "does not know"),
        ("", "tie_word_embeddings", "no", "true or false is meant"),
        ("", "vision_feature_layer", 9, "vision_feature_layer is none of the vision layers"),
        ("text_config", "rope_parameters", None, "gives no rope_theta"),
        ("text_config", "hidden_sizes", 64, "did you mean text_config.hidden_size"),
        ("vision_config", "attention_bias", "yes", "vision_config.attention_bias = 'yes'"),
        ("vision_config", "use_mean_pooling", False, "only True is supported"),
    ],
)
def test_native_settings_too(
    tmp_path: Path, part: str, field: str, value: object, message: str
) -> None:
    config = config_of(make_tiny(tmp_path / "tiny", tile_px=56))
    check_native(config)
    (config[part] if part else config)[field] = value
    with pytest.raises(ConfigError, match=message):
        check_native(config)


def test_another_language_model_in_a_native_folder_is_left_to_transformers(tmp_path: Path) -> None:
    config = config_of(make_tiny(tmp_path / "tiny", tile_px=56))
    config["text_config"] |= {"model_type": "qwen3", "head_dim": 16, "attention_bias": False}
    check_native(config)
    config["vision_config"]["num_attention_heads"] = 5
    with pytest.raises(ConfigError, match="no multiple of its heads"):
        check_native(config)
    with pytest.raises(ConfigError, match="original layout is known of Qwen2 only"):
        original_config(config)


def test_a_single_file_counts_before_an_older_index(tmp_path: Path) -> None:
    folder = write(tmp_path / "checkpoint")
    files = list(folder.glob("model-*.safetensors"))
    newer = {name: t * 0.5 for file in files for name, t in load_file(file).items()}
    expected = logits(write(tmp_path / "newer", newer))
    save_file(newer, folder / "model.safetensors")
    assert torch.equal(logits(folder), expected)
    files[0].unlink()
    assert torch.equal(logits(folder), expected)


def put(name: str, content: bytes | str) -> Callable[[Path], object]:
    data = content if isinstance(content, bytes) else content.encode()
    return lambda folder: (folder / name).write_bytes(data)


def in_json(name: str, edit: Callable[[Any], object]) -> Callable[[Path], object]:
    def apply(folder: Path) -> None:
        content = json.loads((folder / name).read_text())
        edit(content)
        (folder / name).write_text(json.dumps(content))

    return apply


INDEX = "model.safetensors.index.json"


@pytest.mark.parametrize(
    ("harm", "message"),
    [
        (put("model-1.safetensors", POINTER), r"model-1\.safetensors: a Git LFS pointer.*lfs pull"),
        (put("config.json", POINTER), r"config\.json: a Git LFS pointer"),
        (put("merges.txt", POINTER), r"merges\.txt: a Git LFS pointer"),
        (
            put("tokenizer_config.json", '{"a": "\\ud800"}'),
            r"tokenizer_config\.json: cannot read",
        ),
        (put("config.json", "[" * 100_000), r"config\.json: cannot read it"),
        (put(INDEX, "{"), r"index\.json: cannot read it"),
        (put(INDEX, "{}"), "weight_map is no object"),
        (put(INDEX, '{"weight_map": {"a": 3}}'), "weight_map is no object"),
        (put("vocab.json", "[]"), r"vocab\.json: not an object"),
        (in_json("vocab.json", lambda v: v.update(a=v["b"])), r"vocab\.json: the ids"),
        (put("added_tokens.json", "<html>"), r"added_tokens\.json: cannot read it"),
        (put("generation_config.json", "{"), r"generation_config\.json: cannot read it"),
        (put("tokenizer_config.json", '{"added_tokens_decoder": 3}'), "cannot open the tokenizer"),
        (in_json("added_tokens.json", lambda t: t.update({"<img>": 3})), "'<img>' is 3 here"),
        (put("merges.txt", "#version: 0.2\n"), "tokens have no merge.*fetch it again"),
        (
            put("preprocessor_config.json", '{"image_mean": [0.5, 0.5, 0.5]}'),
            r"image_mean = \[0.5, 0.5, 0.5\]; only",
        ),
        (put("preprocessor_config.json", '{"size": 448}'), "tiles are 56 pixels"),
        (
            in_json("config.json", lambda c: c["llm_config"].update(vocab_size=300)),
            "tokens have no embedding.*of different checkpoints",
        ),
        (lambda folder: (folder / "model-2.safetensors").unlink(), "missing weights model-2"),
    ],
)
def test_damage_is_named_in_one_line(
    tmp_path: Path, harm: Callable[[Path], object], message: str
) -> None:
    folder = write(tmp_path / "checkpoint")
    harm(folder)
    with pytest.raises(ConfigError, match=message) as refused:
        load(folder)
    assert "\n" not in str(refused.value)


def test_what_only_building_the_model_shows_is_told_in_a_line(tmp_path: Path) -> None:
    folder = write(tmp_path / "checkpoint")
    change(folder, lambda config: config["llm_config"].update(head_dim=2))
    with pytest.raises(ConfigError, match="cannot open the configuration: ZeroDivisionError"):
        load(folder)


def test_other_weights_than_plain_floats_are_refused(tmp_path: Path) -> None:
    folder = write(tmp_path / "checkpoint")
    weights = single(folder)
    weights["mlp1.0.bias"] = weights["mlp1.0.bias"].to(torch.int8)
    save_file(weights, folder / "model.safetensors")
    with pytest.raises(ConfigError, match=r"'mlp1\.0\.bias' is I8; quantised"):
        load(folder)
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    with pytest.raises(ConfigError, match="safetensors only"):
        load(folder)


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "model.safetensors").write_bytes(b"")
    with pytest.raises(ConfigError, match="is a file; name the folder"):
        snapshot(str(tmp_path / "model.safetensors"))
    for odd in ("x" * 5000, "~nobody-here/x", "a\0b"):
        with pytest.raises(ConfigError):
            snapshot(odd)


@pytest.mark.parametrize("layout", ["original", "native"])
def test_hostile_checkpoints_end_in_the_error_tree(tmp_path: Path, layout: str) -> None:
    folder = tmp_path / layout
    folder = write(folder) if layout == "original" else make_tiny(folder, tile_px=56)
    config = config_of(folder)
    read(config)
    refused = 0
    for changed in hostile_configs(config, 400, seed=1):
        try:
            read(changed)
        except ConfigError as error:
            refused += 1
            assert "\n" not in str(error)
    assert refused > 200
    for seed in range(20):
        what = damage(folder, tmp_path / "damaged", seed)
        try:
            load(tmp_path / "damaged")
        except ConfigError as error:
            assert "\n" not in str(error), what


def test_only_the_original_layout_is_checked_as_one() -> None:
    with pytest.raises(ConfigError, match="not an InternVLChat config"):
        check_original({"model_type": "bert"})
