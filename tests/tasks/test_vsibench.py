import json
import math
import shutil

import pytest

from er_bench.core.errors import DataError
from er_bench.core.registry import Registry
from er_bench.core.sample import Video
from er_bench.core.score import Scored
from er_bench.data.video import decode_frames
from er_bench.tasks.vsibench import mini
from tests.judging import judge, open_task

REGISTRY = Registry()
MINI = REGISTRY.mini_root("vsibench")
ROW = {
    "id": 5154,
    "dataset": "scannet",
    "scene_name": "scene0000_00",
    "question_type": "object_counting",
    "question": "How many chair(s) are in this room?",
    "ground_truth": "4",
    "options": None,
}
CHOICE = {
    **ROW,
    "question_type": "route_planning",
    "ground_truth": "B",
    "options": ["A. Turn Left", "B. Turn Back"],
}


def open_rows(tmp_path, *rows, protocol=None):
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return open_task("vsibench", tmp_path, protocol)


def test_the_prompt_is_the_released_one(tmp_path):
    task = open_rows(tmp_path, ROW, {**CHOICE, "id": 2})
    texts = {s.id: task.prompt(s) for s in task.samples()}
    assert texts["5154"].text() == (
        "These are frames of a video.\nHow many chair(s) are in this room?\n"
        "Please answer the question using a single word or phrase."
    )
    assert texts["2"].text() == (
        "These are frames of a video.\nHow many chair(s) are in this room?\nOptions:\n"
        "A. Turn Left\nB. Turn Back\n"
        "Answer with the option's letter from the given choices directly."
    )
    assert texts["2"].decoding.max_new_tokens == 16 and texts["2"].decoding.temperature == 0
    asked = open_rows(tmp_path, ROW, protocol="api_prompt")
    assert next(asked.samples()).parts[1].text.endswith("anything other than a single number!")


def test_samples_come_video_by_video_whatever_the_row_order(tmp_path):
    rows = [{**ROW, "id": k, "scene_name": f"s{k % 3}"} for k in (8, 1, 6, 3, 5, 10)]
    ids = [s.id for s in open_rows(tmp_path, *rows).samples()]
    assert ids == ["3", "6", "1", "10", "5", "8"]
    assert ids == [s.id for s in open_rows(tmp_path, *rows[::-1]).samples()]


def test_videos_are_found_where_archives_unpack_to(tmp_path):
    task = open_rows(tmp_path, ROW)
    released = tmp_path / "scannet" / "scene0000_00.mp4"
    assert list(task.media(next(task.samples()))) == [released]
    unpacked = tmp_path / "scannet" / "scannet" / "scene0000_00.mp4"
    unpacked.parent.mkdir(parents=True)
    shutil.copy(MINI / "scannet" / "scene9000_00.mp4", unpacked)
    assert list(task.media(next(task.samples()))) == [unpacked]


@pytest.mark.parametrize(
    ("row", "field", "value"),
    [
        (ROW, "question_type", "object_smell"),
        (ROW, "ground_truth", "four"),
        (ROW, "ground_truth", "nan"),
        (ROW, "scene_name", "../../elsewhere"),
        (ROW, "id", "x"),
        (CHOICE, "ground_truth", "C"),
        (CHOICE, "options", None),
        (CHOICE, "options", ["Left", "Right"]),
    ],
)
def test_a_bad_row_names_file_row_and_field(tmp_path, row, field, value):
    with pytest.raises(DataError) as caught:
        list(open_rows(tmp_path, ROW, {**row, field: value}).samples())
    assert (caught.value.row, caught.value.field) == (1, field)


def scored(categories, **parts):
    return [
        Scored("v", name, value, parts) for name, values in categories.items() for value in values
    ]


EASY, MEDIUM, HARD = (f"object_rel_direction_{level}" for level in ("easy", "medium", "hard"))


def test_missing_direction_types_are_named_and_never_an_error():
    task = open_task("vsibench", MINI)
    aggregate = task.readings["official"].aggregate
    numbers = aggregate(scored({"object_counting": [1.0, 0.6], EASY: [1], HARD: [1, 0]}))
    assert numbers.score == pytest.approx((0.8 + 1 + 0.5) / 3)
    assert math.isnan(numbers.categories[MEDIUM])
    assert math.isnan(numbers.categories["object_rel_direction"])
    assert MEDIUM not in aggregate(scored({"object_counting": [1]})).categories
    assert math.isnan(aggregate([]).score)


def test_micro_and_debiased_stand_beside_the_headline():
    task = open_task("vsibench", MINI)
    kept = scored({EASY: [1], MEDIUM: [0], HARD: [0.5], "object_counting": [0.1]}, debiased=1.0)
    left_out = scored({"object_counting": [0.9, 0.8]}, debiased=0.0)
    numbers = task.readings["official"].aggregate(kept + left_out)
    assert numbers.score == pytest.approx((0.5 + 0.6) / 2)
    assert numbers.metrics["micro"] == pytest.approx(3.3 / 6)
    assert numbers.metrics["debiased"] == pytest.approx((0.5 + 0.1) / 2)
    assert numbers.metrics["debiased_micro"] == pytest.approx(1.6 / 4)


def test_parts_of_the_rows_are_left_where_the_whole_is_there(tmp_path):
    rows = [{**ROW, "id": k} for k in range(3)]
    (tmp_path / "test.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    shutil.copy(MINI / "test-00000-of-00001.parquet", tmp_path / "test_debiased.parquet")
    assert len(list(open_task("vsibench", tmp_path).samples())) == 3


def test_the_debiased_protocol_takes_its_rows_from_column_or_list(tmp_path):
    rows = [{**ROW, "id": k} for k in range(4)]
    with pytest.raises(DataError, match=r"pruned_ids\.txt"):
        list(open_rows(tmp_path, *rows, protocol="debiased").samples())
    (tmp_path / "pruned_ids.txt").write_text("1\n3\n")
    task = open_rows(tmp_path, *rows, protocol="debiased")
    assert [s.id for s in task.samples()] == ["0", "2"]
    assert task.dataset.rows == 2362 and open_rows(tmp_path, *rows).dataset.rows == 5130
    marked = [{**row, "pruned": k == 0} for k, row in enumerate(rows)]
    task = open_rows(tmp_path, *marked, protocol="debiased")
    assert [s.id for s in task.samples()] == ["1", "2", "3"]


def test_a_truth_of_zero_and_units_and_words(tmp_path):
    task = open_rows(tmp_path, {**ROW, "ground_truth": "0"})
    assert judge(task, "4")["official"].score == 0
    assert judge(task, "0")["official"].score == 1
    judged = judge(open_rows(tmp_path, ROW), "There are four.")
    assert (judged["official"].score, judged["robust"].score) == (0, 1)


def test_the_committed_rows_and_clips_are_what_the_generator_makes(tmp_path):
    mini.write(tmp_path)
    made, kept = (list(open_task("vsibench", r).samples()) for r in (tmp_path, MINI))
    for a, b in zip(made, kept, strict=True):
        assert (a.id, a.parts[1], a.target) == (b.id, b.parts[1], b.target)
    for folder, scene, *_ in mini.CLIPS:
        pair = [
            decode_frames(Video(root / folder / f"{scene}.mp4"), 4, "linspace")
            for root in (tmp_path, MINI)
        ]
        for a, b in zip(*pair, strict=True):
            assert max(abs(x - y) for x, y in zip(a.tobytes(), b.tobytes(), strict=True)) < 40
