"""EmbSpatial-Bench: the authors' JSON with base64 pictures, copies in parquet, readings, faults."""

import base64
import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from er_bench import api
from er_bench.core.errors import DataError
from er_bench.core.registry import Registry
from er_bench.data.referenced import referenced
from er_bench.run.preflight import inspect
from er_bench.tasks.embspatial import mini
from tests.judging import judge, open_task, scored

MINI = Registry().mini_root("embspatial")
ROWS = json.loads((MINI / "embspatial_bench.json").read_text())


def write(root, rows):
    (root / "embspatial_bench.json").write_text(json.dumps(rows))
    return open_task("embspatial", root)


def identity(task):
    return [(s.id, s.target, s.cluster, s.text, s.image.read()) for s in task.samples()]


@pytest.mark.parametrize("column", ["image", "image_base64"])
def test_copies_in_parquet_give_the_samples_of_the_json(tmp_path, column):
    rows = []
    for row in ROWS:
        coded = row["image"]
        picture = {"bytes": base64.b64decode(coded), "path": None}
        rest = {k: v for k, v in row.items() if k != "image"}
        rows.append({**rest, column: picture if column == "image" else coded})
    (tmp_path / "data").mkdir()
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "data" / "test-00000-of-00001.parquet")
    copy = open_task("embspatial", tmp_path)
    assert identity(copy) == identity(open_task("embspatial", MINI))
    assert (
        inspect(copy, None).fingerprint == inspect(open_task("embspatial", MINI), None).fingerprint
    )


def test_a_copy_whose_questions_list_their_options(tmp_path):
    row = dict(ROWS[0])
    row["question"] += "\nA. one\nB. two\nC. three\nD. four"
    row["answer_letter"] = "C"
    for name in ("answer_options", "answer", "scene_id"):
        del row[name]
    (sample,) = write(tmp_path, [row]).samples()
    assert (sample.target.letter, sample.cluster) == ("C", row["question_id"])
    assert (
        sample.text
        == f"{row['question']}\nAnswer with the option's letter from the given choices directly."
    )


def test_the_question_its_options_and_the_request():
    sample = next(open_task("embspatial", MINI).samples())
    lines = sample.text.split("\n")
    assert lines[0] == ROWS[0]["question"]
    assert lines[1:5] == [
        f"{k}. {v}" for k, v in zip("ABCD", ROWS[0]["answer_options"], strict=True)
    ]
    assert sample.target.letter == "ABCD"[ROWS[0]["answer"]]


def test_a_record_s_picture_is_found_again(tmp_path):
    run = api.evaluate("reference/oracle", "embspatial", split="mini", limit=2, out=tmp_path / "r")
    for record, row in zip(run.records, ROWS, strict=False):
        blob = referenced(record.media[0], data=MINI, run=run.folder)
        assert blob.read() == base64.b64decode(row["image"])


@pytest.mark.parametrize(
    ("text", "letters"),
    [
        ("B", "BBBBB"),
        ("(B)", "BBBB-"),
        ("B.", "BBBB-"),
        ("The answer is B", "-BTB-"),
        ("I see it.\n\\boxed{B}", "-BIBB"),
        ("Both are near. B", "-BBB-"),
    ],
)
def test_harnesses_read_other_letters(text, letters):
    """official, robust, lmms_eval, flageval, mimo."""
    task = open_task("embspatial", MINI)
    sample = next(s for s in task.samples() if s.target.letter == "B")
    judged = judge(task, text, sample)
    names = ("official", "robust", "lmms_eval", "flageval", "mimo")
    assert "".join(str(judged[name].answer.value or "-") for name in names) == letters


def test_relations_sources_and_kinds_stand_beside_the_headline():
    task = open_task("embspatial", MINI)
    said = [(s, s.target.letter if s.category in ("close", "left") else "") for s in task.samples()]
    made = task.readings["official"].aggregate(scored(task, said))
    assert made.score == 12 / 36
    assert made.categories == {
        "above": 0, "close": 1, "far": 0, "left": 1, "right": 0, "under": 0
    }  # fmt: skip
    assert (made.metrics["direction"], made.metrics["distance"]) == (0.25, 0.5)
    assert sum(made.metrics[name] for name in ("mp3d", "ai2thor", "scannet")) == pytest.approx(1)


@pytest.mark.parametrize(
    ("field", "value", "problem"),
    [
        ("answer", 4, "expected 0 to 3, found 4"),
        ("answer", "", "expected a whole number"),
        ("answer", -1, "expected 0 to 3"),
        ("answer_options", ["one"], "expected 2 to 4 options"),
        ("answer_options", ["a", 2, "c", "d"], "expected text"),
        ("relation", "beside", "unknown relation"),
        ("data_source", "habitat", "expected one of mp3d, ai2thor, scannet"),
        ("answer_letter", "E", "expected one of A, B, C, D"),
        ("image", None, "the row has no picture"),
    ],
)
def test_a_bad_row_names_row_and_field(tmp_path, field, value, problem):
    with pytest.raises(DataError, match=problem) as caught:
        list(write(tmp_path, [{**ROWS[0], field: value}]).samples())
    assert (caught.value.row, caught.value.field) == (0, field)


@pytest.mark.parametrize("coded", ["/9j/4AAQ*", "/9j/4AAQSkZJ", "iVBORw0KGgo"])
def test_a_damaged_picture_is_a_fault_of_its_row(tmp_path, coded):
    found = inspect(write(tmp_path, [{**ROWS[0], "image": coded}, ROWS[1]]), None)
    assert list(found.faults) == [ROWS[0]["question_id"]]


def test_the_committed_mini_split_is_what_the_generator_makes():
    assert [{**r, "image": 0} for r in mini.rows()] == [{**r, "image": 0} for r in ROWS]
