"""Which checkpoint of an output is whole, judged by what is in its files."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from rich.console import Console

from er_bench.train.methods.checkpoints import checkpoints
from er_bench.train.methods.sft.run import train
from er_bench.train.recipe import build_recipe


@pytest.fixture(scope="module")
def trained(checkpoint, mixture_meta, tmp_path_factory):
    """An output with two checkpoints."""
    out = tmp_path_factory.mktemp("trained") / "out"
    base = {"family": "internvl", "model": str(checkpoint), "data": str(mixture_meta)}
    steps = {"max_steps": 4, "save_every": 2, "global_batch_size": 2, "keep_checkpoints": 9}
    more = {"output": str(out), "workers": 0, "precision": "fp32"}
    recipe = build_recipe({**base, **steps, **more}, "test")
    train(recipe, resume=False, console=Console(quiet=True))
    return out


def cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-100])


def garble(file: Path) -> None:
    content = bytearray(file.read_bytes())
    third = len(content) // 3
    content[third : 2 * third] = bytes(byte ^ 255 for byte in content[third : 2 * third])
    file.write_bytes(content)


@pytest.mark.parametrize(
    ("name", "damage"),
    [
        ("trainer_state.json", cut),
        ("model.safetensors", cut),
        ("optimizer.pt", cut),
        ("optimizer.pt", garble),
        ("scheduler.pt", lambda file: file.write_bytes(b"")),
        ("rng_state.pth", lambda file: file.write_text("<html>sign in</html>")),
    ],
)
def test_a_damaged_checkpoint_does_not_hide_the_whole_one_before(tmp_path, trained, name, damage):
    out = tmp_path / "out"
    shutil.copytree(trained, out)
    assert checkpoints(out) == (out / "checkpoint-4", {})
    damage(out / "checkpoint-4" / name)
    told = {out / "checkpoint-4": f"has a damaged {name}"}
    assert checkpoints(out) == (out / "checkpoint-2", told)


def test_a_checkpoint_of_shards_needs_each_of_them(tmp_path, trained):
    out = tmp_path / "out"
    shutil.copytree(trained, out)
    folder = out / "checkpoint-4"
    (folder / "model.safetensors").rename(folder / "model-00001-of-00002.safetensors")
    shards = {"a": "model-00001-of-00002.safetensors", "b": "model-00002-of-00002.safetensors"}
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": shards}))
    told = {folder: f"lacks {shards['b']}"}
    assert checkpoints(out) == (out / "checkpoint-2", told)


def test_shards_of_ranks_may_be_empty_but_not_gone(tmp_path, trained):
    out = tmp_path / "out"
    shutil.copytree(trained, out)
    for newer in (out / "checkpoint-4", out / "checkpoint-2"):
        (newer / "optimizer.pt").unlink()
        (newer / "optimizer_0").mkdir()
    (out / "checkpoint-2" / "optimizer_0" / "__0_0.distcp").touch()
    told = {out / "checkpoint-4": "has a damaged optimizer_0"}
    assert checkpoints(out) == (out / "checkpoint-2", told)
