"""PACO-LVIS and PixMo-Points: Vlaser's file format, prompt, reader and pooled rules."""

import json
from pathlib import Path

import pytest
from PIL import Image

from er_bench.core.completion import Completion
from er_bench.core.dialect import BENCHMARK
from er_bench.core.errors import DataError
from er_bench.core.registry import Registry
from er_bench.core.task import Scored
from er_bench.models.dialects import DIALECTS
from er_bench.models.dialects.families import VLASER_POINT_PREFIX
from er_bench.run import preflight
from er_bench.tasks.base.expression_points import PREFIX
from er_bench.tasks.paco_lavis import mini as paco_mini
from er_bench.tasks.pixmo_points import mini as pixmo_mini

NAMES = Registry()
SQUARE = [10, 10, 20, 10, 20, 20, 10, 20]


def row(image="a.jpg", expression="cups", points="[500, 500]", **more):
    return {
        "image": image, "width": 40, "height": 30, "segmentation": [[SQUARE]],
        "conversations": [
            {"from": "human", "value": f"<image>\nWhere is <ref>{expression}</ref>?"},
            {"from": "gpt", "value": f"<ref>{expression}</ref><point>[{points}]</point>"},
        ],
        **more,
    }  # fmt: skip


def make(root: Path, name, rows):
    (root / "images").mkdir(exist_ok=True)
    for r in rows:
        path = root / "images" / r["image"]
        path.parent.mkdir(exist_ok=True)
        Image.new("RGB", (40, 30)).save(path)
    (root / "data_0.jsonl").write_text("\n".join(json.dumps(r) for r in rows))
    return NAMES.open_task(name, root)


def scored(task, texts, dialect=BENCHMARK):
    return [
        Scored(s.cluster, s.category, task.judge(s, Completion(text), dialect).score)
        for s, text in zip(task.samples(), texts, strict=True)
    ]


@pytest.mark.parametrize("name", ["paco_lavis", "pixmo_points"])
@pytest.mark.parametrize("dialect", [BENCHMARK, DIALECTS["internvl_1000"]], ids=lambda d: d.name)
def test_the_prompt_is_the_scripts_(tmp_path, name, dialect):
    prompt = make(tmp_path, name, [row()]).prompt
    sample = next(iter(NAMES.open_task(name, tmp_path).samples()))
    asked = prompt(sample, dialect)
    assert asked.text() == (f" {VLASER_POINT_PREFIX} Please provide the referring points of cups.")
    assert PREFIX == f" {VLASER_POINT_PREFIX}"
    assert (asked.decoding.max_new_tokens, asked.decoding.num_beams, asked.max_tiles) == (100, 1, 6)


def test_other_families_get_their_own_words(tmp_path):
    task = make(tmp_path, "paco_lavis", [row()])
    sample = next(iter(task.samples()))
    said = task.prompt(sample, DIALECTS["molmo_single"]).text()
    assert said == "Point to cups"


def test_every_turn_with_an_expression_is_a_sample(tmp_path):
    both = row()
    both["conversations"] += row(expression="plates")["conversations"]
    both["conversations"].append({"from": "human", "value": "Hello?"})
    task = make(tmp_path, "paco_lavis", [both, row("b.jpg")])
    assert [(s.id, s.meta["expression"]) for s in task.samples()] == [
        ("0-0", "cups"), ("0-1", "plates"), ("1-0", "cups"),
    ]  # fmt: skip


def test_paco_pools_points_over_the_set(tmp_path):
    task = make(tmp_path, "paco_lavis", [row(), row("b.jpg")])
    hit, miss = "[300, 400]", "[900, 900]"
    ten = ", ".join([miss] * 10)
    assert task.aggregate(scored(task, [hit, ten])).score == pytest.approx(1 / 11)
    assert task.aggregate(scored(task, [hit, "nothing"])).score == 0.5
    assert task.aggregate(scored(task, ["[[1000, 500]]", hit])).score == 0.5


def test_paco_s_official_reader_counts_pairs_in_thoughts_and_the_robust_one_does_not(tmp_path):
    task = make(tmp_path, "paco_lavis", [row()])
    made = scored(task, ["<think>at [1, 2]</think><point>[[300, 400]]</point>"])
    assert task.aggregate(made).score == 0.5
    assert task.aggregate(made, "robust").score == 1


def test_paco_in_another_family_s_units(tmp_path):
    task = make(tmp_path, "paco_lavis", [row()])
    said = '<points x1="30" y1="40" x2="90" y2="90" alt="cups">cups</points>'
    assert task.aggregate(scored(task, [said], DIALECTS["molmo_multi"])).score == 0.5


@pytest.mark.parametrize(
    "bad", [[], [[[1, 2, 3]]], [[[1, 2]]], [["x"]], [[[1, float("nan"), 3, 4]]]]
)
def test_bad_polygons_name_file_row_and_field(tmp_path, bad):
    task = make(tmp_path, "paco_lavis", [row(), row("b.jpg", segmentation=bad)])
    with pytest.raises(DataError, match=r"data_0.jsonl, row 1, field segmentation"):
        list(task.samples())


def test_pixmo_s_radius_is_25_per_1000_of_any_true_point(tmp_path):
    task = make(tmp_path, "pixmo_points", [row(points="[500, 500], [100, 100]")])
    said = "[[525, 500], [526, 500], [100, 125], [100, 100]]"
    made = scored(task, [said])
    assert task.aggregate(made).score == 0.75
    assert made[0].score.parts["molmo_recall"] == 1
    assert made[0].score.parts["molmo_precision"] == 0.5
    assert task.aggregate(made).by_category["molmo_recall"] == 1


def test_pixmo_takes_the_last_line_as_truth_and_scores_every_line(tmp_path):
    task = make(tmp_path, "pixmo_points", [row(points="[100, 100]"), row(points="[500, 500]")])
    assert task.aggregate(scored(task, ["[100, 100]", "[500, 500]"])).score == 0.5


def test_pixmo_rows_in_a_folder_are_left_out_as_by_the_script(tmp_path):
    task = make(tmp_path, "pixmo_points", [row("sub/a.jpg"), row("b.jpg")])
    made = scored(task, ["[500, 500]", "[0, 0]"])
    assert [s.score.official for s in made] == [None, 0]
    assert task.aggregate(made).score == 0
    assert task.aggregate(made, "robust").score == 0.5


def test_rows_without_truth_or_of_another_size_are_faults(tmp_path):
    task = make(tmp_path, "pixmo_points", [row(points=""), row("b.jpg", width=41)])
    faults = preflight.inspect(task, BENCHMARK, None, media=True).faults
    assert "no gpt turn of the file has points for 'cups'" in faults["0-0"]
    assert "the row says 41x30, the image is 40x30" in faults["1-0"]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"width": 0}, "width"),
        ({"height": "30"}, "height"),
        ({"image": "../a.jpg"}, "image"),
        ({"conversations": [{"from": "human"}]}, "conversations"),
        ({"conversations": "x"}, "conversations"),
    ],
)
def test_bad_rows_name_file_row_and_field(tmp_path, change, field):
    (tmp_path / "data_0.jsonl").write_text(json.dumps({**row(), **change}))
    with pytest.raises(DataError, match=rf"data_0.jsonl, row 0, field {field}"):
        list(NAMES.open_task("paco_lavis", tmp_path).samples())


@pytest.mark.parametrize(
    ("name", "mini"), [("paco_lavis", paco_mini), ("pixmo_points", pixmo_mini)]
)
def test_the_generators_make_the_committed_rows(tmp_path, name, mini):
    mini.build(tmp_path)
    committed = NAMES.mini_root(name)
    files = [p for p in committed.iterdir() if p.is_file()]
    assert len(files) == 2
    for path in files:
        assert (tmp_path / path.name).read_text() == path.read_text()
    assert sum(p.stat().st_size for p in committed.rglob("*") if p.is_file()) < 1_000_000
