"""`er-bench ablate`: every stage once, what has ended is left alone, differences in pairs."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from er_bench.cli.main import app
from er_bench.core.errors import ConfigError, DataError, UsageError
from er_bench.data.run_folder import read_records
from er_bench.train.ablation.outcome import outcomes, sheet
from er_bench.train.ablation.recipe import Ablation, arms, load_ablation
from er_bench.train.ablation.run import check

from .touch_world import write_episodes, write_touch


@pytest.fixture(scope="module")
def fields(
    checkpoint: Path, mixture_meta: Path, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Any]:
    root = tmp_path_factory.mktemp("ablation")
    brief = {"precision": "fp32", "gradient_checkpointing": False, "workers": 0, "epochs": None}
    one_step = {**brief, "max_steps": 1, "global_batch_size": 2, "micro_batch_size": 2}
    return {
        "output": str(root / "out"),
        "model": str(checkpoint),
        "starts": {"none": [], "mixed": [{"meta": str(mixture_meta)}]},
        "sft": {**one_step, "family": "internvl", "max_tiles": 1, "learning_rate": 1e-3},
        "policy": {
            **one_step,
            "family": "vlaser_vla",
            "data": str(write_episodes(root / "lerobot", 3, pictures=True)),
            "policy": {
                "expert_hidden_size": 32,
                "expert_intermediate_size": 48,
                "camera": "top",
                "flow_steps": 2,
            },
            "learning_rate": 1e-3,
        },
        "evaluation": {
            "tasks": ["touch"],
            "split": "mini",
            "limit": 3,
            "include": [str(write_touch(root / "tasks"))],
        },
        "seeds": [0, 1],
        "beside": {
            "source": "vlaser-table2",
            "column": "simpler_widowx",
            "rows": {"none": "InternVL3-2B", "mixed": "Vlaser-All"},
        },
    }


def ablation(fields: dict[str, Any], **more: Any) -> Ablation:
    return Ablation.model_validate({**fields, **more})


@pytest.fixture(scope="module")
def performed(fields: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("recipe") / "recipe.yaml"
    file.write_text(yaml.safe_dump(fields, sort_keys=False))
    done = CliRunner().invoke(app, ["ablate", "--recipe", str(file), "--format", "json"])
    assert done.exit_code == 0, done.output
    rows = json.loads(done.stdout)
    assert [row["start"] for row in rows] == ["none", "mixed"]
    assert rows[0]["gain"] is None and rows[1]["gain"] is not None
    assert rows[1]["published"] == pytest.approx(0.651)
    assert rows[1]["published_gain"] == pytest.approx(0.651 - 0.418)
    return file


def times(output: Path) -> dict[Path, int]:
    ends = [p for name in ("final", "results.json") for p in output.rglob(name)]
    return {path: path.stat().st_mtime_ns for path in ends}


def test_every_stage_is_there_once(performed: Path, fields: dict[str, Any]) -> None:
    made = ablation(fields)
    found = arms(made)
    assert [(arm.start, arm.seed) for arm in found] == [
        ("none", 0), ("mixed", 0), ("none", 1), ("mixed", 1),
    ]  # fmt: skip
    for arm in found:
        assert (arm.folder / "sft" / "final").is_dir() == (arm.start == "mixed")
        assert (arm.folder / "policy" / "final" / "vla.json").is_file()
        assert {record.id for record in read_records(arm.run)} == {"0", "1", "2"}
    mixed = found[1].folder
    tuned = (mixed / "sft" / "final" / "model.safetensors").read_bytes()
    assert (mixed / "policy/final/vlm/model.safetensors").stat().st_size > 0 and tuned


def test_what_has_ended_is_not_done_again(performed: Path, fields: dict[str, Any]) -> None:
    before = times(Path(fields["output"]))
    trained = {path: when for path, when in before.items() if path.name == "final"}
    done = CliRunner().invoke(app, ["ablate", "--recipe", str(performed), "--only", "mixed"])
    assert done.exit_code == 0, done.output
    after = times(Path(fields["output"]))
    assert len(trained) == 6 and {path: after[path] for path in trained} == trained


def test_an_arm_that_was_stopped_goes_on(performed: Path, fields: dict[str, Any]) -> None:
    arm = Path(fields["output"]) / "seed-1" / "mixed"
    tuned = (arm / "sft" / "final").stat().st_mtime_ns
    scores = {record.id: record.judgement for record in read_records(arm / "run")}
    shutil.rmtree(arm / "policy")
    shutil.rmtree(arm / "run")
    words = ["ablate", "--recipe", str(performed)]
    planned = CliRunner().invoke(app, [*words, "--dry-run", "--only", "mixed", "--format", "csv"])
    assert "none" not in planned.stdout
    assert planned.stdout.rstrip().endswith('"policy, run"'), planned.output
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 0, done.output
    assert (arm / "sft" / "final").stat().st_mtime_ns == tuned
    again = {record.id: record.judgement for record in read_records(arm / "run")}
    assert {id: told["official"].score for id, told in again.items()} == {
        id: told["official"].score for id, told in scores.items()
    }


def test_differences_are_of_the_same_row_and_seed(performed: Path, fields: dict[str, Any]) -> None:
    made = ablation(fields)
    none, mixed = outcomes(made)
    assert none.gain is None and mixed.gain is not None
    assert mixed.gain.n == 6 and mixed.gain.n_clusters == 2, "a cluster is a seed"
    by_hand = [mixed.by_seed[seed] - none.by_seed[seed] for seed in made.seeds]
    assert mixed.gain.value == pytest.approx(sum(by_hand) / 2)
    table = sheet([none, mixed], made)
    assert table.heading[:5] == ["start", "score", "95%", "seed 0", "seed 1"]
    shown = CliRunner().invoke(app, ["ablate", "--recipe", str(performed), "--table"])
    odd = CliRunner().invoke(app, ["ablate", "--recipe", str(performed), "--table", "--only", "x"])
    assert isinstance(odd.exception, UsageError)
    assert shown.exit_code == 0 and "│ mixed" in shown.output, "a terminal of 80 columns has room"


def test_a_changed_setting_is_refused(performed: Path) -> None:
    words = ["ablate", "--recipe", str(performed), "--set"]
    changed = CliRunner().invoke(app, [*words, "policy={family: vlaser_vla, data: x}"])
    assert isinstance(changed.exception, ConfigError)
    tuned = CliRunner().invoke(app, [*words, "sft={family: internvl, learning_rate: 0.5}"])
    assert isinstance(tuned.exception, ConfigError)
    assert "learning_rate" in str(tuned.exception)


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ({"starts": {"a": [{"meta": "x"}], "b": [{"meta": "y"}]}}, "no start is fine-tuned on"),
        ({"starts": {"none": []}}, "starts"),
        ({"baseline": "nought"}, "none of the starts"),
        ({"seeds": [1, 1]}, "told twice"),
        ({"sft": {"family": "internvl", "data": "x"}}, "data is the ablation's own"),
        ({"policy": {"family": "vlaser_vla", "seed": 1}}, "seed is the ablation's own"),
        ({"evaluations": 1}, "evaluations"),
        ({"beside": {"source": "a", "column": "b", "rows": {"nought": "x"}}}, "nought"),
    ],
)
def test_odd_recipes_are_refused(
    more: dict[str, Any], told: str, fields: dict[str, Any], tmp_path: Path
) -> None:
    file = tmp_path / "recipe.yaml"
    file.write_text(yaml.safe_dump({**fields, **more}))
    with pytest.raises(ConfigError, match=told):
        load_ablation(file)


def test_mixtures_are_looked_over_before_the_first_stage(
    fields: dict[str, Any], mixture_meta: Path, tmp_path: Path
) -> None:
    def starts(*parts: dict[str, Any]) -> Ablation:
        return ablation(
            fields, starts={"none": [], "x": parts}, output=str(tmp_path / "o"), beside=None
        )

    with pytest.raises(DataError, match="no data set 'nought'"):
        check(starts({"meta": str(mixture_meta), "sets": ["nought"]}))
    with pytest.raises(ConfigError, match="two data sets"):
        check(starts({"meta": str(mixture_meta)}, {"meta": str(mixture_meta)}))
    with pytest.raises(DataError):
        check(starts({"meta": str(tmp_path / "nowhere.json")}))
    with pytest.raises(UsageError, match="nought"):
        from rich.console import Console

        from er_bench.train.ablation.run import perform

        perform(ablation(fields), Console(quiet=True), ["nought"])
