"""Two runs side by side: settings, paired differences, samples won and lost."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import er_bench as api
from er_bench.core.errors import DataError, UsageError
from er_bench.report.compare import Comparison
from er_bench.report.paired import bootstrap_difference, holm, mcnemar
from tests.conftest import Command

Edit = Callable[[dict[str, Any]], dict[str, Any] | None]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("compare") / "r"
    tasks = "erqa,refspatial,pixmo_points"
    api.evaluate("reference/oracle", tasks, split="mini", repeats=2, out=out)
    return out


def edited(run: Path, out: Path, edit: Edit) -> Path:
    """A copy of a run whose records went through `edit`; None leaves one out."""
    shutil.copytree(run, out)
    lines = map(json.loads, (run / "records.jsonl").read_text().splitlines())
    kept = [record for record in map(edit, lines) if record is not None]
    (out / "records.jsonl").write_text("".join(json.dumps(record) + "\n" for record in kept))
    return out


def failing(*ids: str, repeat: int | None = None) -> Edit:
    def edit(record: dict[str, Any]) -> dict[str, Any]:
        if record["id"] in ids and repeat in (None, record.get("repeat", 0)):
            for verdict in record["judgement"].values():
                verdict["score"] = 0.0
                verdict["parts"] = dict.fromkeys(verdict.get("parts", {}), 0.0) | {
                    k: v for k, v in verdict.get("parts", {}).items() if k == "n_images"
                }
        return record

    return edit


def by_task(made: Comparison) -> dict[str, Any]:
    return {task.task: task for task in made.tasks}


def test_the_samples_that_differ_are_found_and_no_others(run: Path, tmp_path: Path) -> None:
    worse = edited(run, tmp_path / "worse", failing("ERQA_3", "ERQA_7", "Location/2"))
    found = by_task(api.compare(run, worse))
    assert found["erqa"].lost == ["ERQA_3", "ERQA_7"] and not found["erqa"].won
    assert found["refspatial"].lost == ["Location/2"]
    assert not found["pixmo_points"].lost and not found["pixmo_points"].won
    assert found["erqa"].difference.value == pytest.approx(-2 / 32)
    assert found["erqa"].test == "mcnemar" and found["erqa"].p == mcnemar(0, 2) == 0.5
    assert found["erqa"].categories and found["pixmo_points"].test == "bootstrap"
    assert found["pixmo_points"].difference.value == 0


def test_swapping_flips_the_sign_and_nothing_else(run: Path, tmp_path: Path) -> None:
    worse = edited(run, tmp_path / "worse", failing("ERQA_3", "Location/2", "Placement/4"))
    one, other = by_task(api.compare(run, worse)), by_task(api.compare(worse, run))
    for task, a in one.items():
        b = other[task]
        assert b.difference.value == pytest.approx(-a.difference.value)
        assert b.difference.stderr == pytest.approx(a.difference.stderr)
        assert b.difference.ci95 == pytest.approx((-a.difference.ci95[1], -a.difference.ci95[0]))
        assert (b.won, b.lost, b.p, b.p_holm, b.scores) == (
            a.lost, a.won, a.p, a.p_holm, a.scores[::-1],
        )  # fmt: skip


def test_repeats_of_a_sample_are_one(run: Path, tmp_path: Path) -> None:
    half = edited(run, tmp_path / "half", failing("ERQA_3", repeat=1))
    found = by_task(api.compare(run, half))["erqa"]
    assert (found.difference.n, found.lost) == (32, ["ERQA_3"])
    assert found.difference.value == pytest.approx(-0.5 / 32)
    assert found.test == "t"  # a half is neither right nor wrong


def test_samples_that_one_run_lacks_are_named(run: Path, tmp_path: Path) -> None:
    short = edited(run, tmp_path / "short", lambda r: None if r["id"] == "ERQA_5" else r)
    found = by_task(api.compare(run, short))["erqa"]
    assert (found.only, found.difference.n) == ((["ERQA_5"], []), 31)


def test_settings_that_differ_come_first(run: Path, tmp_path: Path, er_bench: Command) -> None:
    other = api.evaluate("reference/chance", "erqa", split="mini", out=tmp_path / "c", repeats=2)
    made = api.compare(run, other.folder)
    assert made.settings["model.name"] == ("reference/oracle", "reference/chance")
    assert made.not_shared == (["refspatial", "pixmo_points"], [])
    assert not any("refspatial" in name for name in made.settings)
    done = er_bench("compare", run, other.folder)
    assert done.returncode == 0
    assert "differs: model.name: reference/oracle | reference/chance" in done.stdout
    assert "in A alone: refspatial, pixmo_points" in done.stdout


def test_other_rows_are_refused_unless_asked_for(run: Path, tmp_path: Path) -> None:
    other = Path(shutil.copytree(run, tmp_path / "o"))
    manifest = json.loads((other / "manifest.json").read_text())
    manifest["identity"]["tasks"]["erqa"]["data_fingerprint"] = "0" * 64
    (other / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(DataError, match=r"erqa: the runs have other rows .*--accept-data"):
        api.compare(run, other)
    assert api.compare(run, other, accept_data=True).tasks[0].difference.value == 0


def test_a_reported_row_is_compared_unpaired_and_it_is_said(run: Path, er_bench: Command) -> None:
    made = api.compare("reported:GPT-4o-20241120@vlaser-table1", run)
    found = by_task(made)["erqa"]
    assert (found.test, made.paired, found.won) == ("unpaired", False, ())
    assert found.scores[1] == 1.0 and found.difference.value == pytest.approx(1 - found.scores[0])
    turned = by_task(api.compare(run, "reported:GPT-4o-20241120@vlaser-table1"))["erqa"]
    assert turned.difference.value == -found.difference.value
    done = er_bench("compare", run, "reported:GPT-4o-20241120@vlaser-table1")
    assert done.returncode == 0 and "compared unpaired" in done.stdout


@pytest.mark.parametrize(
    ("word", "told"),
    [
        ("reported:GPT-4o@vlaser-table1", "has no model 'GPT-4o'; is it GPT-4o-20241120"),
        ("reported:GPT-4o", "write reported:MODEL@SOURCE"),
        ("reported:GPT-4o@nowhere", "there is no source of reported scores 'nowhere'"),
    ],
)
def test_a_reported_row_that_is_not_there_is_told(word: str, told: str, run: Path) -> None:
    with pytest.raises(UsageError, match=told):
        api.compare(run, word)


def test_the_exit_code_is_for_continuous_integration(
    run: Path, tmp_path: Path, er_bench: Command
) -> None:
    worse = edited(run, tmp_path / "worse", failing("ERQA_3", "ERQA_7"))
    assert er_bench("compare", run, worse, "--fail-below", "-0.1").returncode == 0
    done = er_bench("compare", run, worse, "--fail-below", "-0.05")
    assert done.returncode == 4 and "erqa: -0.0625 is below --fail-below -0.05" in done.stdout
    told = json.loads(er_bench("compare", run, worse, "--format", "json").stdout)
    assert told["tasks"][0]["lost"] == ["ERQA_3", "ERQA_7"]


def test_p_values_of_many_tests() -> None:
    assert holm([0.01, 0.04, 0.03]) == [
        pytest.approx(0.03),
        pytest.approx(0.06),
        pytest.approx(0.06),
    ]
    assert holm([0.9, 0.8]) == [1.0, 1.0]
    assert mcnemar(0, 0) == 1.0 and mcnemar(1, 9) == pytest.approx(0.021484375)


def test_a_paired_bootstrap_of_a_mean_is_the_formula() -> None:
    pairs = [(float(k % 3 == 0), float(k % 2)) for k in range(200)]
    found = bootstrap_difference(pairs, range(200), lambda v: sum(v) / len(v))
    assert found.value == pytest.approx(sum(b - a for a, b in pairs) / 200)
    spread = sum((b - a - found.value) ** 2 for a, b in pairs) / 199
    assert found.stderr == pytest.approx(math.sqrt(spread / 200), rel=0.1)


def test_where_lower_is_better_won_is_lower(tmp_path: Path) -> None:
    for model in ("oracle", "blind"):
        api.evaluate(
            f"reference/{model}", ["trajectory"], split="mini", limit=8, out=tmp_path / model
        )
    (task,) = api.compare(tmp_path / "blind", tmp_path / "oracle").tasks
    assert task.lower_is_better
    assert task.difference.value < 0 < task.gain
    assert (len(task.won), len(task.lost)) == (8, 0)
    (task,) = api.compare(tmp_path / "blind", tmp_path / "oracle", reading="vla_r1").tasks
    assert not task.lower_is_better
    assert task.gain == task.difference.value > 0
