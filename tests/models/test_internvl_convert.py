from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest
import torch
from safetensors.torch import load_file

from er_bench.cli.main import main
from er_bench.core.errors import ConfigError, UsageError
from er_bench.core.message import user
from er_bench.models.internvl import convert
from er_bench.models.internvl.checkpoint_files import write_native_tokenizer
from er_bench.models.internvl.conversation import Style, render
from er_bench.models.internvl.load import load
from er_bench.models.internvl.tiling import normalise, tiles
from er_bench.models.internvl.tiny import make_tiny
from tests.models.original import write


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("original") / "checkpoint")


@pytest.fixture(scope="module")
def native(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("native") / "checkpoint"
    convert.to_native(source, out)
    return out


def weights(folder: Path) -> dict[str, torch.Tensor]:
    files = sorted(folder.glob("*.safetensors"))
    return {name: tensor for file in files for name, tensor in load_file(file).items()}


def same_bits(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return one.keys() == other.keys() and all(
        one[k].dtype == other[k].dtype and torch.equal(one[k], other[k]) for k in one
    )


def test_a_tokenizer_read_and_written_again_has_the_same_files(
    native: Path, tmp_path: Path
) -> None:
    write_native_tokenizer(tmp_path, load(native).tokenizer, "template")
    for file in ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja"):
        assert (tmp_path / file).read_text() == (native / file).read_text()


@pytest.mark.parametrize("shard_bytes", [2**31, 20_000])
def test_round_trip_keeps_every_bit(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shard_bytes: int
) -> None:
    monkeypatch.setattr(convert, "SHARD_BYTES", shard_bytes)
    convert.to_native(source, tmp_path / "native")
    convert.to_original(tmp_path / "native", tmp_path / "back")
    assert same_bits(weights(tmp_path / "back"), weights(source))
    for folder in (tmp_path / "native", tmp_path / "back"):
        assert len({file.stat().st_mode for file in folder.iterdir()}) == 1
    shards = list((tmp_path / "back").glob("*.safetensors"))
    assert (len(shards) > 3) == (shard_bytes == 20_000)
    if shard_bytes == 20_000:
        biggest = max(t.numel() * 4 for t in weights(source).values())
        assert all(s.stat().st_size < max(20_000, biggest) + 10_000 for s in shards)
    text = "Über 12 <box>[[1]]</box>\n"
    ids = [load(tmp_path / f).vocabulary.text_ids(text) for f in ("native", "back")]
    assert ids[0] == ids[1] == load(source).vocabulary.text_ids(text)


def test_plain_transformers_gives_the_same_logits(source: Path, native: Path) -> None:
    from transformers import AutoModelForImageTextToText, AutoTokenizer

    ours = load(source)
    model: Any
    model, report = AutoModelForImageTextToText.from_pretrained(native, output_loading_info=True)
    assert not any(report.values())
    context = ours.vocabulary.id("<IMG_CONTEXT>")
    ids = torch.tensor([[*ours.vocabulary.text_ids("see "), *[context] * 4, 5, 6]])
    pixels = torch.randn(1, 3, 56, 56, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        expected = ours.model(input_ids=ids, pixel_values=pixels).logits
        found = model(input_ids=ids, pixel_values=pixels).logits
    torch.testing.assert_close(found, expected, atol=1e-6, rtol=0)
    tokenizer: Any = AutoTokenizer.from_pretrained(native)
    assert tokenizer.start_image_token == "<img>"
    assert tokenizer.end_image_token == "</img>"
    assert tokenizer.context_image_token_id == context
    assert tokenizer.padding_side == "left"
    embedded = model.get_input_embeddings().weight.shape[0]
    assert max(tokenizer.get_vocab().values()) < embedded, "no token without an embedding"


def test_what_surrounds_the_weights(native: Path) -> None:
    config = json.loads((native / "config.json").read_text())
    assert config["tie_word_embeddings"] is False
    assert config["text_config"]["rope_parameters"]["rope_type"] == "default"
    assert "rope_scaling" not in config["text_config"]
    assert "auto_map" not in config
    ends = json.loads((native / "generation_config.json").read_text())["eos_token_id"]
    vocabulary = load(native).vocabulary
    assert ends == list(vocabulary.stops)


def test_rope_scaling_is_kept_on_request(source: Path, tmp_path: Path) -> None:
    convert.to_native(source, tmp_path / "native", keep_rope_scaling=True)
    config = json.loads((tmp_path / "native" / "config.json").read_text())
    assert config["text_config"]["rope_parameters"]["rope_type"] == "dynamic"
    assert config["text_config"]["rope_parameters"]["factor"] == 2.0


def test_transformers_own_processor_cuts_the_same_tiles(native: Path) -> None:
    from transformers.models.got_ocr2.image_processing_pil_got_ocr2 import (
        GotOcr2ImageProcessorPil,
    )

    processor = GotOcr2ImageProcessorPil.from_pretrained(native)
    draw = np.random.default_rng(0).integers(0, 256, (30, 50, 3), dtype=np.uint8)
    image = PIL.Image.fromarray(draw).resize((333, 200))
    theirs = processor(images=image, return_tensors="pt")["pixel_values"]
    torch.testing.assert_close(normalise(torch.from_numpy(tiles(image, 12, 56))), theirs)


def test_chat_template_takes_plain_strings(native: Path) -> None:
    from transformers import AutoTokenizer

    tokenizer: Any = AutoTokenizer.from_pretrained(native)
    chat = [{"role": "user", "content": "hi"}]
    found = tokenizer.apply_chat_template(chat, tokenize=False, add_generation_prompt=True)
    vocabulary = load(native).vocabulary
    assert found == vocabulary.text(render([user("hi")], [], vocabulary, Style()).ids)


def test_nothing_is_overwritten_and_nothing_half_written(source: Path, tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "notes.txt").write_text("mine")
    with pytest.raises(UsageError, match="not empty"):
        convert.to_native(source, tmp_path / "full")
    short = weights(source)
    del short["mlp1.0.bias"]
    with pytest.raises(ConfigError, match=r"missing mlp1\.0\.bias"):
        convert.to_native(write(tmp_path / "short", short), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_the_wrong_layout_is_named(source: Path, native: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="not an original InternVLChat checkpoint"):
        convert.to_native(native, tmp_path / "out")
    with pytest.raises(ConfigError, match="not a native InternVL checkpoint"):
        convert.to_original(source, tmp_path / "out")


def test_what_transformers_saves_can_be_taken_back(tmp_path: Path) -> None:
    """`save_pretrained` writes other tensor names than the model has."""
    folder = make_tiny(tmp_path / "tiny")
    convert.to_original(folder, tmp_path / "original")
    ids = torch.tensor([[70, 71, 72, 73]])
    with torch.no_grad():
        one = load(folder).model(input_ids=ids).logits
        other = load(tmp_path / "original").model(input_ids=ids).logits
    assert torch.equal(one, other)


def test_command_line(
    source: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def here(*words: str) -> tuple[object, str]:
        """The same in this process, which has torch imported."""
        monkeypatch.setattr(sys, "argv", ["er-bench", "convert", *words])
        with pytest.raises(SystemExit) as ended:
            main()
        return ended.value.code, capsys.readouterr().err

    out = tmp_path / "native"
    command = [sys.executable, "-m", "er_bench.cli.main", "convert"]
    words = ["--model", str(source), "--out", str(out)]
    done = subprocess.run([*command, *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "native checkpoint:" in done.stdout
    code, told = here(*words)
    assert code == 2 and "not empty" in told
    code, told = here("--model", str(out), "--to", "original", "--out", str(tmp_path / "back"))
    assert code == 0, told
    assert same_bits(weights(tmp_path / "back"), weights(source))
    assert here("--model", str(out), "--to", "x", "--out", str(tmp_path / "y"))[0] == 2
