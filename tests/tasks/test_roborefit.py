"""RoboRefIt: boxes by dialect, the numbers beside the headline, faults."""

import json

import pytest
from PIL import Image

from er_bench.core.completion import Completion
from er_bench.core.dialect import BENCHMARK
from er_bench.core.errors import DataError
from er_bench.core.prompt import Expect
from er_bench.core.registry import Registry
from er_bench.core.task import Scored
from er_bench.models.dialects import DIALECTS
from er_bench.run import preflight
from er_bench.tasks.roborefit import mini

NAMES = Registry()


def make(root, bbox=(10.0, 10.0, 30.0, 20.0), **more):
    Image.new("RGB", (40, 30)).save(root / "a.png")
    row = {"id": 1, "problem": "hand me the cup", "image": "a.png", "bbox": list(bbox), **more}
    (root / "rows.json").write_text(json.dumps([row]))
    return NAMES.open_task("roborefit", root)


def judge(task, text, dialect=BENCHMARK, **more):
    return task.judge(next(iter(task.samples())), Completion(text, **more), dialect).score


def test_it_stays_out_of_all():
    assert "roborefit" not in NAMES.select("all")


@pytest.mark.parametrize(
    ("name", "text", "official"),
    [
        ("benchmark", "[10, 10, 30, 20]", 1),
        ("benchmark", "(10, 10, 30, 20)", 0),
        ("benchmark", "[10, 10, 30, 14]", 0),
        ("benchmark", "[1, 1, 2, 2] or [10, 10, 30, 20]", 0),
        ("benchmark", "[30, 20, 10, 10]", 0),
        ("benchmark", "there", 0),
        ("internvl_1000", "<box>[[250, 333, 750, 667]]</box>", 1),
        ("gemini", '[{"box_2d": [333, 250, 667, 750]}]', 1),
        ("qwen3_vl", '[{"bbox_2d": [250, 333, 750, 667]}]', 1),
        ("paligemma", "<loc0341><loc0256><loc0683><loc0768> cup", 1),
    ],
)
def test_scores(tmp_path, name, text, official):
    dialect = BENCHMARK if name == "benchmark" else DIALECTS[name]
    task = make(tmp_path)
    assert task.prompt(next(iter(task.samples())), dialect).expects is Expect.BOXES
    assert judge(task, text, dialect).official == official


def test_pixels_of_the_sent_image(tmp_path):
    said = '[{"bbox_2d": [20, 20, 60, 40]}]'
    score = judge(make(tmp_path), said, DIALECTS["qwen2_5_vl"], image_sizes=((80, 60),))
    assert score.official == 1
    assert score.parts["iou"] == 1


def test_the_numbers_beside_the_headline(tmp_path):
    task = make(tmp_path)
    score = judge(task, "[10, 10, 30, 16]")
    made = task.aggregate([Scored("a", "all", score)])
    assert made.score == made.by_category["acc@0.5"] == 1
    assert made.by_category["iou"] == pytest.approx(0.6)
    assert made.by_category["acc@0.75"] == 0
    assert made.by_category["parse_rate"] == 1
    assert score.parts["n_boxes"] == 1


@pytest.mark.parametrize(
    "bbox", [(1, 2, 3), (30, 20, 10, 10), (1, 1, 1, 5), (1, 1, float("inf"), 5), (1, 1, "2", 5)]
)
def test_bad_boxes_name_file_row_and_field(tmp_path, bbox):
    with pytest.raises(DataError, match=r"rows.json, row 0, field bbox"):
        list(make(tmp_path, bbox).samples())


def test_a_box_off_the_image_is_a_fault(tmp_path):
    task = make(tmp_path, (10, 10, 50, 20))
    assert "the image is 40x30" in preflight.inspect(task, BENCHMARK, None, media=True).faults["1"]


def test_the_generator_makes_the_committed_rows(tmp_path):
    mini.build(tmp_path)
    committed = NAMES.mini_root("roborefit")
    for name in ("rows.json", "objects.json"):
        assert (tmp_path / name).read_text() == (committed / name).read_text()
