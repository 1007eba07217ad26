"""`er-bench sft --dry-run`, and evaluation while training."""

import io
import json
import re
from types import SimpleNamespace

import pytest
import typer
from rich.console import Console
from typer.testing import CliRunner

from er_bench.cli.sft import sft
from er_bench.train.methods.sft.memory import Load, Parameters, amount, estimate
from er_bench.train.methods.sft.plan import marked, show_plan
from er_bench.train.recipe import build_recipe

from .conftest import talk, write_images, write_meta


@pytest.fixture
def settings(checkpoint, tmp_path):
    write_images(tmp_path / "data", 4)
    records = [{"image": f"{k}.png", "conversations": talk("Where?", "There.")} for k in range(4)]
    meta = write_meta(tmp_path / "data", [*records, "{oops"], repeat_time=2)
    return {
        "family": "internvl",
        "model": str(checkpoint),
        "data": str(meta),
        "output": str(tmp_path / "out"),
        "epochs": 3,
        "global_batch_size": 4,
        "micro_batch_size": 2,
        "workers": 0,
        "skip_bad": True,
    }


def plan_of(settings, **options):
    console = Console(file=io.StringIO(), width=100)
    show_plan(build_recipe(settings, "test"), console, world_size=2, samples=1, **options)
    return console.file.getvalue()


def test_the_plan_says_what_will_happen(settings, tmp_path):
    told = plan_of(settings)
    assert "left out: 1 bad records" in told and "row 5" in told
    assert "6, of which 1 warm-up" in told  # 4 records, twice, 3 times over, by 4
    assert "24 (3.00 passes)" in told
    assert "4 samples = 2 x 1 micro batches x 2 ranks" in told
    assert "⟦There.<|im_end|>⟧" in told
    assert "vision" in told and "trained" in told
    assert not list((tmp_path / "out").glob("checkpoint-*"))


def test_frozen_parts_show_in_the_plan(settings):
    told = plan_of({**settings, "train_vision": False})
    assert [line.split()[-1] for line in told.splitlines() if " parameters," in line] == [
        "frozen",
        "trained",
        "trained",
    ]


def test_tiles_are_shown_as_a_count(one_source, reader, codec):
    turns = talk("<image>", "Yes.")
    source = one_source({"image": "1.png", "conversations": turns}, max_dynamic_patch=12)
    text = marked(reader().example(source, 0, 0), codec).plain
    assert "<img><IMG_CONTEXT>x9</img>" in text and text.endswith("⟦Yes.<|im_end|>⟧\n")


def test_memory_of_a_model_of_two_billion():
    language = SimpleNamespace(hidden_size=1536, num_hidden_layers=28, vocab_size=151674)
    vision = SimpleNamespace(hidden_size=1024, num_hidden_layers=24)
    config = SimpleNamespace(get_text_config=lambda: language, vision_config=vision)
    parts = {"vision": 304_000_000, "projector": 9_000_000, "language": 1_777_000_000}
    base = {"family": "internvl", "model": "m", "data": "d", "output": "o"}

    def memory(ranks=1, trained=frozenset(parts), **settings):
        recipe = build_recipe({**base, **settings}, "test")
        load = Load(tokens=16384, supervised=500, vision_positions=48 * 1025)
        return estimate(recipe, Parameters(parts, trained), config, load, ranks)

    whole = memory()
    assert whole.weights == whole.gradients == 2_090_000_000 * 4
    assert whole.optimizer == 2_090_000_000 * 8
    assert memory(8, sharding="fsdp2").weights == whole.weights // 8
    assert memory(8, sharding="zero1").optimizer == 2_090_000_000 * 12 // 8
    assert memory(trained=frozenset({"language"})).optimizer == 1_777_000_000 * 8
    assert memory(gradient_checkpointing=False).activations > 5 * whole.activations
    assert amount(whole.total).endswith("GiB") and amount(2**20) == "1.0 MiB"


def test_evaluation_while_training_changes_nothing_but_the_log(settings, toy_path, tmp_path):
    recipe = tmp_path / "r.yaml"
    recipe.write_text(
        json.dumps({**settings, "precision": "fp32", "save_every": 6, "log_every": 2})
    )
    app = typer.Typer()
    app.command()(sft)

    def call(*args):
        result = CliRunner().invoke(app, ["--recipe", str(recipe), *map(str, args)])
        assert result.exit_code == 0, result.output
        return result.output

    watched, alone = tmp_path / "watched", tmp_path / "alone"
    include = ["--include-path", toy_path, "--eval-tasks", "toy", "--eval-every", 4]
    stale = watched / "eval" / "step-4" / "manifest.json"  # of a run that stopped early
    stale.parent.mkdir(parents=True)
    stale.write_text('{"identity": {"model": "another"}}')
    told = call("--set", f"output={watched}", *include, "--set", "eval_limit=3")
    assert "another" not in stale.read_text()
    call("--set", f"output={alone}")
    assert re.findall(r"^step (\d+)(/|  evaluation: toy)", told, re.MULTILINE) == [
        ("2", "/"),
        ("4", "/"),
        ("4", "  evaluation: toy"),
        ("6", "/"),
        ("6", "  evaluation: toy"),
    ]
    state = json.loads((watched / "checkpoint-6" / "trainer_state.json").read_text())
    entries = [entry for entry in state["log_history"] if "eval_toy" in entry]
    assert [entry["step"] for entry in entries] == [4, 6]
    assert [entry["step"] for entry in state["log_history"] if "loss" in entry] == [2, 4, 6]
    results = json.loads((watched / "eval" / "step-4" / "results.json").read_text())
    assert results["tasks"]["toy"]["n_scored"] == 3
    assert results["tasks"]["toy"]["score"] == entries[0]["eval_toy"]
    files = [out / "final" / "model.safetensors" for out in (watched, alone)]
    assert files[0].read_bytes() == files[1].read_bytes()


def test_an_evaluation_that_cannot_run_stops_before_the_first_step(settings, tmp_path):
    recipe = tmp_path / "r.yaml"
    told = {"precision": "fp32", "eval_tasks": ["eb_alfred"], "output": str(tmp_path / "out")}
    recipe.write_text(json.dumps({**settings, **told}))
    app = typer.Typer()
    app.command()(sft)
    result = CliRunner().invoke(app, ["--recipe", str(recipe)])
    assert "evaluation while training cannot run eb_alfred: simulator" in str(result.exception)
    assert not list((tmp_path / "out").glob("checkpoint-*"))


def test_world_size_is_for_the_dry_run(settings, tmp_path):
    recipe = tmp_path / "r.yaml"
    recipe.write_text(json.dumps(settings))
    app = typer.Typer()
    app.command()(sft)
    result = CliRunner().invoke(app, ["--recipe", str(recipe), "--world-size", "2"])
    assert result.exit_code != 0 and "--dry-run" in str(result.exception)
