"""Whole runs on a tiny checkpoint: ranks, restarts, frozen parts, what is saved."""

from __future__ import annotations

import io
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from rich.console import Console

from er_bench.core.errors import ConfigError, DataError, ErBenchError, StoreError
from er_bench.models.internvl.load import load
from er_bench.train.methods.checkpoints import checkpoints
from er_bench.train.methods.running import told_when_full
from er_bench.train.methods.sft.run import train
from er_bench.train.recipe import Recipe, build_recipe

from .conftest import mixed_records, write_images, write_meta

COMMAND = """
import atexit, os, typer
from er_bench.cli.sft import sft

def tell():
    import torch
    # One write, so that ranks do not cut into each other's lines.
    os.write(1, f"groups left: {torch.distributed.is_initialized()}\\n".encode())

atexit.register(tell)
typer.run(sft)
"""
STEPS = 20


@pytest.fixture
def settings(checkpoint, mixture_meta, tmp_path):
    return {
        "family": "internvl",
        "model": str(checkpoint),
        "data": str(mixture_meta),
        "output": str(tmp_path / "out"),
        "system_message": "Be brief.",
        "epochs": None,
        "max_steps": STEPS,
        "global_batch_size": 8,
        "micro_batch_size": 2,
        "sequence_length": 400,
        "batching": "packed",
        "loss_reduction": "square",
        "learning_rate": 3e-3,
        "precision": "fp32",
        "workers": 0,
        "log_every": 1,
        "save_every": 5,
        "keep_checkpoints": 9,
    }


def run(settings, resume=False, **more) -> Path:
    return train(build({**settings, **more}), resume=resume, console=Console(quiet=True))


def build(settings) -> Recipe:
    return build_recipe(settings, "test")


def start(settings, tmp_path, *args, ranks=1, **more) -> subprocess.Popen[str]:
    """`er-bench sft` in processes of its own; two ranks over gloo."""
    recipe = tmp_path / f"{len(list(tmp_path.iterdir()))}.yaml"
    recipe.write_text(json.dumps({**settings, **more}))
    script = tmp_path / "sft.py"
    script.write_text(COMMAND)
    launch = ["-m", "torch.distributed.run", f"--nproc_per_node={ranks}", "--standalone"]
    return subprocess.Popen(
        [sys.executable, *(launch if ranks > 1 else []), script, "--recipe", recipe, *args],
        env={**os.environ, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def finish(process: subprocess.Popen[str]) -> str:
    try:
        output, _ = process.communicate(timeout=120)
    except subprocess.TimeoutExpired:
        process.terminate()
        raise
    assert process.returncode == 0, output
    return output


def losses(output: Path) -> list[float]:
    state = json.loads((output / f"checkpoint-{STEPS}" / "trainer_state.json").read_text())
    return [entry["loss"] for entry in state["log_history"] if "loss" in entry]


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return load(folder, dtype=torch.float32).model.state_dict()


def test_two_ranks_are_one_process(settings, tmp_path):
    other = str(tmp_path / "two")
    process = start(settings, tmp_path, ranks=2, output=other)
    run(settings)
    output = finish(process)
    one, two = losses(Path(settings["output"])), losses(Path(other))
    assert len(one) == STEPS and one[-1] < one[0] - 0.1
    assert two == pytest.approx(one, abs=1e-5)
    assert output.count(f"step {STEPS}/{STEPS}") == 1  # one rank reports
    assert output.count("groups left: False") == 2  # a group still there may abort the end
    mine, theirs = weights(tmp_path / "out" / "final"), weights(Path(other) / "final")
    for name, weight in mine.items():
        torch.testing.assert_close(theirs[name], weight, atol=1e-4, rtol=1e-3)


def test_a_killed_run_goes_on_as_if_nothing_had_happened(settings, tmp_path):
    other = Path(tmp_path / "killed")
    process = start(settings, tmp_path, output=str(other))
    run(settings)
    deadline = time.monotonic() + 60
    while not (other / "checkpoint-5" / "trainer_state.json").is_file():
        assert time.monotonic() < deadline and process.poll() is None
        time.sleep(0.002)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert not (other / "final").exists()
    run(settings, resume=True, output=str(other))
    assert losses(other) == losses(Path(settings["output"]))
    mine, theirs = weights(tmp_path / "out" / "final"), weights(other / "final")
    assert all(torch.equal(theirs[name], weight) for name, weight in mine.items())
    states = [
        torch.load(out / f"checkpoint-{STEPS}" / "optimizer.pt", weights_only=True)["state"]
        for out in (tmp_path / "out", other)
    ]
    for key, state in states[0].items():
        assert all(torch.equal(torch.as_tensor(v), states[1][key][k]) for k, v in state.items())


def test_steps_do_not_depend_on_micro_batch_and_readers(settings, tmp_path):
    short = {**settings, "max_steps": 3, "save_every": 3, "batching": "grouped"}
    folders = [
        run({**short, "output": str(tmp_path / name)}, **more)
        for name, more in (
            ("a", {"micro_batch_size": 8, "gradient_checkpointing": False}),
            ("b", {"micro_batch_size": 1, "workers": 1}),
        )
    ]
    mine, theirs = map(weights, folders)
    for name, weight in mine.items():
        torch.testing.assert_close(theirs[name], weight, atol=1e-4, rtol=1e-3)


def test_frozen_parts_stay_and_the_others_move(settings, checkpoint):
    final = run(settings, max_steps=2, train_vision=False, train_language=False)
    before, after = weights(checkpoint), weights(final)
    moved = {name.split(".")[1] for name in before if not torch.equal(before[name], after[name])}
    assert moved == {"multi_modal_projector"}


def test_the_final_model_opens_in_transformers_alone(settings, checkpoint):
    from transformers import AutoModelForImageTextToText, AutoTokenizer

    final = run(settings, max_steps=2, precision="bf16")
    model = AutoModelForImageTextToText.from_pretrained(final, dtype="auto")
    assert model.dtype == torch.bfloat16
    tokenizer = AutoTokenizer.from_pretrained(final)
    assert "Be brief." in tokenizer.apply_chat_template(
        [{"role": "user", "content": "Hi"}], tokenize=False
    )
    ours = load(final, dtype=torch.bfloat16).model.state_dict()
    assert all(torch.equal(ours[name], weight) for name, weight in model.state_dict().items())


def test_tied_weights_stay_tied(settings, tmp_path):
    from safetensors import safe_open

    from er_bench.models.internvl.checkpoint_files import write_native_sides
    from er_bench.models.internvl.tiny import SAMPLE_TEXTS, make_model, make_tokenizer, tiny_config

    tokenizer = make_tokenizer(SAMPLE_TEXTS, 300)
    config = tiny_config(tokenizer, tile_px=28)
    config["tie_word_embeddings"] = config["text_config"]["tie_word_embeddings"] = True
    model = make_model(config)
    model.tie_weights()
    model.save_pretrained(tmp_path / "tied")
    write_native_sides(tmp_path / "tied", config, tokenizer, "Be brief.", 12)
    final = run(settings, model=str(tmp_path / "tied"), max_steps=2, precision="bf16")
    trained = load(final, dtype=torch.bfloat16).model
    head, embedding = trained.lm_head.weight, trained.get_input_embeddings().weight
    assert head.data_ptr() == embedding.data_ptr()
    with safe_open(final / "model.safetensors", "pt") as file:
        assert not any("lm_head" in name for name in file.keys())
    moved = embedding.float() - model.get_input_embeddings().weight.float()
    assert 0 < moved.abs().max() < 0.1


def test_an_output_in_use_is_refused_and_so_is_another_recipe(settings, tmp_path):
    short = {**settings, "max_steps": 2, "save_every": 1}
    run(short)
    with pytest.raises(ConfigError, match="--resume"):
        run(short)
    with pytest.raises(ConfigError, match=r"weight_decay: 0\.0. became 0\.5"):
        run(short, resume=True, weight_decay=0.5)
    with pytest.raises(ConfigError, match="records"):
        write_images(tmp_path / "other", 8)
        write_meta(tmp_path / "other", mixed_records(8))
        file = tmp_path / "out" / "recipe.json"
        file.write_text(file.read_text().replace(settings["data"], str(tmp_path / "other/x.json")))
        (tmp_path / "other" / "meta.json").rename(tmp_path / "other" / "x.json")
        run(short, resume=True, data=str(tmp_path / "other" / "x.json"))


@pytest.mark.parametrize("output", ["file", "file/x", "x" * 300, "é" * 150, "/dev/null/x"])
def test_an_output_that_cannot_be_written_is_told_before_anything_is_read(
    settings, tmp_path, output
):
    (tmp_path / "file").write_text("x")
    with pytest.raises(StoreError, match="cannot write") as told:
        run(settings, output=str(tmp_path / output))
    assert "\n" not in str(told.value)


def test_a_loss_that_is_no_number_ends_the_run_before_it_changes_anything(settings, tmp_path):
    far = {**settings, "learning_rate": 1e30, "max_steps": 6, "save_every": 1, "log_every": 10}
    with pytest.raises(ErBenchError, match=r"step [2-5] is no number.*--resume --set") as ended:
        run(far, keep_checkpoints=1)
    step = int(str(ended.value).split("of step ")[1].split()[0])
    (kept,) = (tmp_path / "out").glob("checkpoint-*")
    assert kept.name == f"checkpoint-{step - 1}"
    assert not (tmp_path / "out" / "final").exists()


def test_a_run_goes_on_at_another_rate(settings, tmp_path):
    short = {**settings, "max_steps": 4, "save_every": 2, "schedule": "constant_with_warmup"}
    run(short, warmup_ratio=0.0)
    shutil.rmtree(tmp_path / "out" / "checkpoint-4")
    run(short, resume=True, warmup_ratio=0.0, learning_rate=1e-4)
    state = json.loads((tmp_path / "out" / "checkpoint-4" / "trainer_state.json").read_text())
    rates = [entry["learning_rate"] for entry in state["log_history"] if "learning_rate" in entry]
    assert rates == [3e-3, 3e-3, 1e-4, 1e-4]


@pytest.mark.parametrize("gone", ["optimizer.pt", "scheduler.pt", "rng_state.pth"])
def test_half_a_checkpoint_is_not_gone_on_from(settings, tmp_path, gone):
    short, out = {**settings, "max_steps": 4, "save_every": 2}, tmp_path / "out"
    run(short)
    whole = weights(out / "final")
    (out / "checkpoint-4" / gone).unlink()
    assert checkpoints(out) == (out / "checkpoint-2", {out / "checkpoint-4": f"lacks {gone}"})
    said = Console(record=True, width=300, file=io.StringIO())
    train(build(short), resume=True, console=said)
    assert f"lacks {gone}" in said.export_text()
    again = weights(out / "final")
    assert all(torch.equal(again[name], weight) for name, weight in whole.items())
    (out / "checkpoint-4" / gone).unlink()
    (out / "checkpoint-2" / gone).unlink()
    with pytest.raises(ConfigError, match=f"no whole checkpoint.*lacks {gone}"):
        run(short, resume=True)
    with pytest.raises(ConfigError, match="holds a run"):
        run(short)


def test_a_state_that_does_not_fit_is_told_in_a_line(settings, tmp_path):
    short, out = {**settings, "max_steps": 2, "save_every": 1}, tmp_path / "out"
    run(short)
    shutil.rmtree(out / "checkpoint-2")
    torch.save({"state": {}, "param_groups": []}, out / "checkpoint-1" / "optimizer.pt")
    with pytest.raises(StoreError, match=r"checkpoint-1 cannot be gone on from.*--resume") as told:
        run(short, resume=True)
    assert "\n" not in str(told.value)


def test_a_run_is_not_gone_on_from_without_its_settings_or_with_other_answers(settings, tmp_path):
    write_images(tmp_path / "data", 8)
    records = mixed_records(8)
    meta = write_meta(tmp_path / "data", records)
    short = {**settings, "data": str(meta), "max_steps": 2, "save_every": 1, "global_batch_size": 4}
    run(short)
    shutil.rmtree(tmp_path / "out" / "checkpoint-2")
    lines = tmp_path / "data" / "toy.jsonl"
    before, stamp = lines.read_text(), lines.stat()
    assert before.count('"Yes!"') == 2
    lines.write_text(before.replace('"Yes!"', '"seY!"'))
    os.utime(lines, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
    with pytest.raises(ConfigError, match=r"records of .* have changed"):
        run(short, resume=True)
    write_meta(tmp_path / "data", records, data_augment=True)
    with pytest.raises(ConfigError, match=r"records of .* have changed"):
        run(short, resume=True)
    write_meta(tmp_path / "data", records)
    assert lines.read_text() == before
    kept = tmp_path / "out" / "recipe.json"
    whole = kept.read_text()
    for text in (None, whole[:-20], "[]", '{"recipe": 3}'):
        kept.unlink() if text is None else kept.write_text(text)
        with pytest.raises(StoreError, match=r"cannot be resumed.*recipe\.json"):
            run(short, resume=True)
    kept.write_text(whole)
    run(short, resume=True)


def test_a_picture_mended_with_another_size_is_looked_at_anew(settings, tmp_path):
    write_images(tmp_path / "data", 8)
    meta = write_meta(tmp_path / "data", mixed_records(8))
    broken = tmp_path / "data" / "4.png"
    broken.write_bytes(broken.read_bytes()[:-400])
    short = {**settings, "data": str(meta), "max_steps": 2, "global_batch_size": 4}
    with pytest.raises(DataError, match=r"4\.png"):
        run(short)
    shutil.copy(tmp_path / "data" / "0.png", broken)  # one tile, where there were more
    run(short)
    shutil.rmtree(tmp_path / "out")
    broken.write_bytes((tmp_path / "data" / "1.png").read_bytes()[:-400])
    run(short, skip_bad=True)
    shutil.rmtree(tmp_path / "out" / "checkpoint-2", ignore_errors=True)
    shutil.copy(tmp_path / "data" / "0.png", broken)
    run(short, skip_bad=True)
    assert not (tmp_path / "out" / "skipped.jsonl").exists()


def test_a_full_disk_names_the_checkpoint_to_go_on_from(settings, tmp_path, monkeypatch):
    out = tmp_path / "out"
    run({**settings, "max_steps": 2, "save_every": 1})
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=0))
    with pytest.raises(StoreError, match=r"is full; make room, then --resume goes on from ch.*-2"):
        with told_when_full(out):
            raise RuntimeError("unexpected pos 25024 vs 24916")
    monkeypatch.undo()
    with pytest.raises(RuntimeError, match="another"), told_when_full(out):
        raise RuntimeError("another fault")


def test_pixels_that_cannot_be_read_end_the_run_or_are_listed(settings, tmp_path):
    write_images(tmp_path / "data", 8)
    meta = write_meta(tmp_path / "data", mixed_records(8))
    whole = (tmp_path / "data" / "4.png").read_bytes()
    (tmp_path / "data" / "4.png").write_bytes(whole[: len(whole) // 2])
    short = {**settings, "data": str(meta), "max_steps": 2, "global_batch_size": 4}
    with pytest.raises(DataError, match=r"4\.png.*row [56]"):
        run(short)
    run(short, skip_bad=True)
    lines = (tmp_path / "out" / "skipped.jsonl").read_text().splitlines()
    listed = [json.loads(line) for line in lines]
    assert listed and all("row 5" in entry["why"] or "row 6" in entry["why"] for entry in listed)


def test_text_alone_trains_the_language_model_only(settings, tmp_path, checkpoint):
    records = [r for r in mixed_records(16) if "image" not in r]
    meta = write_meta(tmp_path / "text", records)
    final = run(settings, data=str(meta), max_steps=2, micro_batch_size=1, global_batch_size=2)
    before, after = weights(checkpoint), weights(final)
    moved = {name for name in before if not torch.equal(before[name], after[name])}
    assert moved and not any("vision" in name or "projector" in name for name in moved)


def test_sharding_that_would_not_happen_is_refused(settings):
    with pytest.raises(ConfigError, match="GPUs"):
        run(settings, sharding="fsdp2")
    with pytest.raises(ConfigError, match="deepspeed"):
        run(settings, sharding="zero1")
