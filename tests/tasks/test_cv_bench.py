"""CV-Bench: the authors' mean and reader, and where other harnesses part from them; layouts."""

import io
import json

import PIL.Image
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from er_bench.core.errors import DataError
from er_bench.core.registry import Registry
from er_bench.core.sample import Image
from er_bench.tasks.cv_bench import mini
from tests.judging import judge, open_task, scored

MINI = Registry().mini_root("cv_bench")


def answers(task, right):
    """The right letter where `right` says so of a sample, else none that is an option."""
    return [(s, s.target.letter if right(s) else "Z") for s in task.samples()]


def test_the_headline_is_the_mean_of_halves_and_not_of_questions():
    task = open_task("cv_bench", MINI)
    said = answers(task, lambda s: s.target.source in ("ADE20K", "Omni3D") or s.category == "Count")
    made = {name: r.aggregate(scored(task, said, name)) for name, r in task.readings.items()}
    # ADE20K 8 of 8, COCO 4 of 8, Omni3D 16 of 16
    assert made["official"].score == made["robust"].score == (1 + (1 + 0.5) / 2) / 2
    for name in ("item_mean", "lmms_eval", "mimo", "physbrain"):
        assert made[name].score == 28 / 32
    assert made["flageval"].score == made["official"].score
    assert made["official"].metrics == {
        "2d": 0.75, "3d": 1, "2d_ade20k": 1, "2d_coco": 0.5, "item_mean": 28 / 32
    }  # fmt: skip
    assert made["official"].categories == {"Count": 1, "Depth": 1, "Distance": 1, "Relation": 0.5}


def test_a_source_without_rows_leaves_its_mean():
    task = open_task("cv_bench", MINI)
    said = [(s, t) for s, t in answers(task, lambda s: True) if s.target.source == "COCO"]
    assert task.readings["official"].aggregate(scored(task, said)).score == 1


@pytest.mark.parametrize(
    ("text", "letters"),
    [
        ("B", "BBBBBBB"),
        ("(B) three", "BBBBBBB"),
        ("The answer is B", "BBBTBI-"),
        ("The answer is: (B)", "-B-TBIB"),
        ("Both, so (B)", "BBBBBBB"),
        ("An easy one: (B)", "ABAAAAB"),
    ],
)
def test_harnesses_read_other_letters(text, letters):
    """official, robust, item_mean, lmms_eval, flageval, mimo, physbrain."""
    task = open_task("cv_bench", MINI)
    sample = next(s for s in task.samples() if s.target.letter == "B" and s.category == "Count")
    judged = judge(task, text, sample)
    names = ("official", "robust", "item_mean", "lmms_eval", "flageval", "mimo", "physbrain")
    assert "".join(str(judged[name].answer.value or "-") for name in names) == letters


def test_photos_with_several_questions_are_one_cluster():
    clusters = [s.cluster for s in open_task("cv_bench", MINI).samples()]
    assert len(clusters) == 32 and len(set(clusters)) == 24


def table(row, **changes):
    schema = pq.read_schema(MINI / "test_2d.parquet")
    return pa.Table.from_pylist([{**row, **changes}], schema=schema)


def first_row():
    return pq.read_table(MINI / "test_2d.parquet").to_pylist()[0]


def test_json_lines_beside_pictures_give_the_samples_of_the_parquet(tmp_path):
    for kind in ("2d", "3d"):
        rows = pq.read_table(MINI / f"test_{kind}.parquet").to_pylist()
        for row in rows:
            file = tmp_path / row["filename"]
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(row.pop("image")["bytes"])
        lines = "\n".join(json.dumps(row) for row in rows)
        (tmp_path / f"test_{kind}.jsonl").write_text(lines)
    for a, b in zip(
        open_task("cv_bench", MINI).samples(),
        open_task("cv_bench", tmp_path).samples(),
        strict=True,
    ):
        assert (a.id, a.target, a.cluster, a.text) == (b.id, b.target, b.cluster, b.text)
        assert a.image.read() == b.image.read()


def test_an_older_file_of_both_halves_is_read(tmp_path):
    halves = [pq.read_table(MINI / f"test_{kind}.parquet") for kind in ("2d", "3d")]
    pq.write_table(pa.concat_tables(halves), tmp_path / "test.parquet")
    assert len(list(open_task("cv_bench", tmp_path).samples())) == 32


@pytest.mark.parametrize(
    ("field", "value", "problem"),
    [
        ("answer", "", r"expected \(A\) to \(D\), found ''"),
        ("answer", "(E)", r"expected \(A\) to \(D\)"),
        ("answer", None, "expected text"),
        ("choices", ["one"], "expected 2 to 26 choices, found 1"),
        ("choices", [], "found 0"),
        ("source", "KITTI", "expected one of ADE20K, COCO, Omni3D"),
        ("task", "Size", "unknown task"),
        ("image", None, "the row has no picture"),
        ("prompt", None, "expected text"),
    ],
)
def test_a_bad_row_names_row_and_field(tmp_path, field, value, problem):
    pq.write_table(table(first_row(), **{field: value}), tmp_path / "test_2d.parquet")
    with pytest.raises(DataError, match=problem) as caught:
        list(open_task("cv_bench", tmp_path).samples())
    assert (caught.value.row, caught.value.field) == (0, field)


def test_the_committed_mini_split_is_what_the_generator_makes():
    kept = [
        r for kind in ("2d", "3d") for r in pq.read_table(MINI / f"test_{kind}.parquet").to_pylist()
    ]
    for made, row in zip(mini.rows(), kept, strict=True):
        pictures = [
            PIL.Image.open(io.BytesIO(r["image"]["bytes"])).convert("RGB") for r in (made, row)
        ]
        assert pictures[0].tobytes() == pictures[1].tobytes()
        assert {**made, "image": 0} == {**row, "image": 0}


def test_the_prompt_is_the_row_s_and_the_request():
    task = open_task("cv_bench", MINI)
    sample = next(task.samples())
    prompt = task.prompt(sample)
    assert isinstance(next(iter(prompt.parts())), Image)
    assert prompt.text().endswith(
        "\nAnswer with the option's letter from the given choices directly."
    )
    assert prompt.text().startswith(first_row()["prompt"])
    assert (prompt.decoding.max_new_tokens, prompt.decoding.temperature) == (512, 0)
