"""Embodied-R1's tasks and ShareRobot's traces: layouts, rules by hand, faults of rows."""

from __future__ import annotations

import json
import math
import random
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from er_bench.core.errors import DataError
from er_bench.core.score import Scored
from er_bench.reading.point_tag import tagged_points
from er_bench.run.preflight import inspect
from er_bench.scorers.trajectory import rmse_by_index
from er_bench.tasks.base.point_region import pooled
from er_bench.tasks.base.tagged_words import THINKING, without_words
from tests.judging import judge, open_task

W, H = 40, 30


def rows(root: Path, *found: dict[str, object]) -> Path:
    Image.new("RGB", (W, H)).save(root / "a.png")
    text = "".join(
        json.dumps({"image": "a.png", "problem": "take it", **row}) + "\n" for row in found
    )
    (root / "train.jsonl").write_text(text)
    return root


def point(root: Path, **row: object):
    return open_task(
        "vabench_point", rows(root, {"normalized_bbox": [0.25, 0.2, 0.75, 0.8], **row})
    )


@pytest.mark.parametrize(
    ("text", "points"),
    [
        ("<point>[[3, 4], [5.5, 6]]</point>", [(3, 4), (5.5, 6)]),
        (
            "<think><point>[[1, 1]]</point></think><answer><point>[[3, 4]]</point></answer>",
            [(3, 4)],
        ),
        ("<answer>none</answer><point>[[3, 4]]</point>", []),
        ("<point>[[3, 4]</point> <point>[[7, 8]]</point>", [(3, 4)]),
        ("<point>[[3,\n4]]</point>", []),
        ("<point>[[03, 4]]</point>", [(3, 4)]),
        ("<point>[['3', 4]]</point>", None),
        ("<point>[[3, 4, 5]]</point>", None),
        ("<point>[]</point>", []),
        ("(3, 4)", []),
    ],
)
def test_the_tag_is_read_as_released(text: str, points: list[tuple[float, float]] | None) -> None:
    assert tagged_points(text) == points


def test_words_are_taken_off_a_row() -> None:
    assert without_words(f"<image> The task instruction is: go. {THINKING}") == (
        "The task instruction is: go."
    )


def test_points_in_a_box_are_pooled_and_neighbours_part_from_it(tmp_path: Path) -> None:
    task = point(tmp_path)
    made = [
        judge(task, text)
        for text in (
            "<point>[[10, 6], [30, 24], [30.5, 24], [9, 6]]</point>",
            "<point>[[20, 15]]</point>", "I see none",
        )
    ]  # fmt: skip
    assert [v["official"].score for v in made] == [0.5, 1.0, 0.0]
    assert [v["mimo"].score for v in made] == [0.75, 1.0, 0.0], "30.5 is cut to 30"
    kept = [Scored("c", "all", v["official"].score, v["official"].parts) for v in made]
    assert pooled(kept).score == 3 / 5
    assert task.readings["item_mean"].aggregate(kept).score == pytest.approx(0.5)
    assert [v["first_point"].score for v in made] == [1.0, 1.0, 0.0]


def test_the_authors_rows_are_in_pixels(tmp_path: Path) -> None:
    answer = '<type>fsd_free_point</type>{"bbox": [10, 6, 30, 24], "free_points": [[1, 2]]}'
    task = open_task("vabench_point", rows(tmp_path, {"answer": answer}))
    (sample,) = task.samples()
    assert task.box_px(sample) == (10, 6, 30, 24)
    assert judge(task, "<point>[[30, 24]]</point>")["official"].score == 1


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ({"normalized_bbox": [0.2, 0.2, 0.1, 0.8]}, "not a box with an area"),
        ({"normalized_bbox": [2, 2, 30, 28]}, "expected fractions"),
        ({"normalized_bbox": [0.1, 0.2]}, "expected four numbers"),
        ({"answer": "no json"}, "expected JSON with bbox"),
        ({"answer": '{"box": []}'}, "expected JSON with bbox"),
    ],
)
def test_a_wrong_box_is_an_error_of_its_row(
    row: dict[str, object], told: str, tmp_path: Path
) -> None:
    with pytest.raises(DataError, match=told):
        list(open_task("vabench_point", rows(tmp_path, row)).samples())


def test_a_point_is_rounded_to_a_pixel_of_the_part(tmp_path: Path) -> None:
    mask = np.zeros((H, W), dtype=np.uint8)
    mask[10, 20] = 1  # above 0 counts, however faint
    Image.fromarray(mask).save(tmp_path / "m.png")
    task = open_task("part_affordance", rows(tmp_path, {"mask": "m.png"}))
    made = judge(task, "<point>[[19.6, 10.4], [20.9, 10.9]]</point>")
    assert made["official"].score == 0.5 and made["official"].parts == {"hits": 1.0, "points": 2.0}
    assert made["mimo"].score == 0.5, "19.6 is cut to 19, 20.9 to 20"
    assert judge(task, "<point>[[19.6, 10.4]]</point>")["mimo"].score == 0


def test_a_part_without_its_mask_is_found_before_the_first_request(tmp_path: Path) -> None:
    task = open_task("part_affordance", rows(tmp_path, {"mask": "gone.png"}))
    assert "gone.png" in str(inspect(task, None).missing)


def by_hand(a: list[tuple[float, float]], b: list[tuple[float, float]]) -> float:
    """The released RMSE, written plainly: each trace at n equal steps of its index."""
    n = max(len(a), len(b))

    def at(trace: list[tuple[float, float]], k: int) -> tuple[float, float]:
        place = k * (len(trace) - 1) / (n - 1)
        low = min(int(place), len(trace) - 2)
        share = place - low
        (x0, y0), (x1, y1) = trace[low : low + 2]
        return x0 + (x1 - x0) * share, y0 + (y1 - y0) * share

    return math.sqrt(sum(math.dist(at(a, k), at(b, k)) ** 2 for k in range(n)) / n)


def test_rmse_by_index_equals_a_plain_one() -> None:
    rng = random.Random(3)
    for _ in range(2000):
        a, b = ([(rng.random(), rng.random()) for _ in range(rng.randint(2, 9))] for _ in "ab")
        assert rmse_by_index(a, b) == pytest.approx(by_hand(a, b), abs=1e-12)
    assert rmse_by_index([(0, 0)], [(0, 0), (1, 1)]) == math.inf
    assert rmse_by_index([(0, math.nan), (1, 1)], [(0, 0), (1, 1)]) == math.inf


@pytest.mark.parametrize(
    "answer",
    [[[0, 0], [40, 30]], "[[0, 0], [40, 30]]",
     '<type>fsd_visual_trace</type>{"trajectory": [[0, 0], [40, 30]]}'],
)  # fmt: skip
def test_a_trace_in_each_form_and_its_distances(answer: object, tmp_path: Path) -> None:
    task = open_task("vabench_visual", rows(tmp_path, {"answer": answer}))
    made = judge(task, "<point>[[0, 30], [40, 30]]</point>")
    assert made["official"].parts["rmse"] == pytest.approx(999 / math.sqrt(2))
    assert made["official"].score == pytest.approx(0.999 / math.sqrt(2))
    assert made["nrmse"].score == pytest.approx(1 - 0.999 / math.sqrt(2))
    assert made["dfd"].score == made["hausdorff"].score == pytest.approx(0.999)
    unread = judge(task, "<point>[[0, 30]]</point>")
    assert unread["official"].score is None and unread["robust"].score == 1
    assert unread["nrmse"].score is None


def test_share_robot_counts_what_it_cannot_read(tmp_path: Path) -> None:
    task = open_task("sharerobot_trajectory", rows(tmp_path, {"answer": [[0, 0], [40, 30]]}))
    assert "the number of points must be 2." in task.prompt(next(task.samples())).text()
    made = judge(task, "<point>[[0, 15], [40, 30]]</point>")
    assert made["official"].score == pytest.approx(0.5)
    assert judge(task, "no")["official"].score == 1


@pytest.mark.parametrize(
    ("answer", "told"),
    [("[1", "expected a list of points"), ([[1, 2]], "two points or more"),
     ([[1, 2], [3]], "pairs of"), ([[1, 2], [3, "x"]], "expected a number"),
     ('{"points": []}', "two points or more")],
)  # fmt: skip
def test_a_wrong_trace_is_an_error_of_its_row(answer: object, told: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=told):
        list(open_task("sharerobot_trajectory", rows(tmp_path, {"answer": answer})).samples())
