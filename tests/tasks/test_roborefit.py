"""RoboRefIt: boxes by dialect, the numbers beside the headline, faults."""

import json

import pytest
from PIL import Image

from er_bench.core.errors import DataError
from er_bench.core.prompt import Expect
from er_bench.core.registry import Registry
from er_bench.core.score import Scored
from er_bench.run import preflight
from er_bench.tasks.roborefit import mini
from tests.judging import judge, open_task, spoken

NAMES = Registry()


def make(root, bbox=(10.0, 10.0, 30.0, 20.0), **more):
    Image.new("RGB", (40, 30)).save(root / "a.png")
    row = {"id": 1, "problem": "hand me the cup", "image": "a.png", "bbox": list(bbox), **more}
    (root / "rows.json").write_text(json.dumps([row]))
    return open_task("roborefit", root)


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
    task = spoken(make(tmp_path), name)
    assert task.prompt(next(iter(task.samples()))).expects is Expect.BOXES
    assert judge(task, text)["official"].score == official


def test_pixels_of_the_sent_image(tmp_path):
    said = '[{"bbox_2d": [20, 20, 60, 40]}]'
    task = spoken(make(tmp_path), "qwen2_5_vl")
    verdict = judge(task, said, sizes=((80, 60),))["official"]
    assert verdict.score == 1
    assert verdict.parts["iou"] == 1
    assert verdict.boxes_px_xyxy == ((10, 10, 30, 20),)


def test_the_numbers_beside_the_headline(tmp_path):
    task = make(tmp_path)
    verdict = judge(task, "[10, 10, 30, 16]")["official"]
    made = task.readings["official"].aggregate([Scored("a", "all", verdict.score, verdict.parts)])
    assert made.score == made.metrics["acc@0.5"] == 1
    assert made.metrics["iou"] == pytest.approx(0.6)
    assert made.metrics["acc@0.75"] == 0
    assert made.metrics["parse_rate"] == 1
    assert verdict.parts["n_boxes"] == 1


@pytest.mark.parametrize(
    "bbox", [(1, 2, 3), (30, 20, 10, 10), (1, 1, 1, 5), (1, 1, float("inf"), 5), (1, 1, "2", 5)]
)
def test_bad_boxes_name_file_row_and_field(tmp_path, bbox):
    with pytest.raises(DataError, match=r"rows.json, row 0, field bbox"):
        list(make(tmp_path, bbox).samples())


def test_a_box_off_the_image_is_a_fault(tmp_path):
    task = make(tmp_path, (10, 10, 50, 20))
    assert "the image is 40x30" in preflight.inspect(task, None).faults["1"]


def test_the_generator_makes_the_committed_rows(tmp_path):
    mini.build(tmp_path)
    committed = NAMES.mini_root("roborefit")
    for name in ("rows.json", "objects.json"):
        assert (tmp_path / name).read_text() == (committed / name).read_text()
